import type { FenceCause, NodeFacts, NodeState } from '../postgres/layout.ts';
import type { BlockCode } from './block-codes.ts';
import type { GroupView } from './group.ts';
import type { LeaderState } from './leader-watch.ts';

/** What ends a state: a time, after which something happens, or a human, who is told what to do. */
type WayOut = {
  readonly means: string;
  readonly ends: string;
  /** Under these codes it is said, where no time ends it. */
  readonly blocked?: readonly BlockCode[];
};

/** All that the model knows a group, its leader, a volume, a standby or commits to be. */
export type Standstill =
  | `group ${GroupView['phase']}`
  | `leader ${LeaderState}`
  | `leader ${NonNullable<NodeFacts['serves']>}`
  | `leader fenced.${FenceCause}`
  | `data ${NodeState['is']}`
  | `standby ${'hangs' | 'pending' | 'replaying' | 'final'}`
  | `commits ${'listed' | 'held' | 'local'}`;

/**
 * In which states nobody may lead, or commits may wait, and what ends each. A state that the model gains is not compiled
 * before it stands here; that each decision has such an end, the tests hold.
 */
export const standstills: Readonly<Record<Standstill, WayOut>> = {
  'group unread': {
    means:
      "a volume that decides has no container, or one that the engine could not remove whole, so that nobody knows what is in it: the leader's, or too many",
    ends: 'its container is made; for the leader, after 10 s it counts as lost, where a majority of volumes could be read. What keeps containers from being made fails, and is said',
  },
  'group fresh': { means: 'no volume holds data', ends: 'the first node bootstraps' },
  'group led': { means: "the leader's volume is there", ends: 'by what the leader is, see below' },
  'group lost': {
    means: "the leader's data is gone, others have a copy",
    ends: 'another one leads at once',
    blocked: ['manual-failover', 'no-candidate', 'incomplete', 'quorum-lost', 'too-far-behind', 'second-writer'],
  },
  'group blocked': {
    means: 'there is no data to lead with, or nothing that says who leads',
    ends: 'a human puts the data back',
    blocked: ['record-missing', 'data-not-in-file', 'leader-data-gone'],
  },
  'leader serves': { means: 'it takes writes', ends: 'nothing to end' },
  'leader lost': {
    means: 'it has ended, or refuses sessions',
    ends: 'it is started in place; after failover.delay, or 10 s where leaders have just changed, it is fenced',
    blocked: ['manual-failover', 'no-candidate', 'incomplete', 'quorum-lost', 'too-far-behind', 'second-writer'],
  },
  'leader hangs': {
    means: 'it runs and does not answer, neither its session nor a new one',
    ends: 'after 3 s it counts as lost',
    blocked: ['manual-failover', 'no-candidate', 'incomplete', 'quorum-lost', 'too-far-behind'],
  },
  'leader unknown': {
    means: 'it runs and was not heard yet',
    ends: 'after 3 s of silence it is asked by another way, and serves, is lost, or hangs',
  },
  'leader unasked': {
    means: 'it is silent, and the engine could run nothing in it, nor in a neighbour that reaches it',
    ends: 'all are asked again every second; an engine that does not answer is said',
  },
  'leader lead': { means: 'it was started or promoted as the leader', ends: 'as above: serves, lost or hangs' },
  'leader follow': {
    means: 'the record names it, and it was not promoted yet',
    ends: 'it is promoted within 15 s, or counts as lost, from the first look on',
  },
  'leader promoting': {
    means: 'its promotion has begun, and not ended',
    ends: 'it is promoted within 15 s, or counts as lost, from the first look on',
  },
  'leader fenced': {
    means: 'it does not start as it was',
    ends: 'another one leads, or it leads again, see the causes',
    blocked: ['no-candidate', 'incomplete', 'quorum-lost', 'too-far-behind', 'not-the-most-advanced'],
  },
  'leader released': {
    means: 'it may lead again, and has not been started since',
    ends: 'it is started; after 10 s it counts as lost',
  },
  'leader fenced.ended': { means: 'it had ended', ends: 'another one leads' },
  'leader fenced.hung': { means: 'it did not answer, and was killed', ends: 'another one leads' },
  'leader fenced.forced': {
    means: 'a failover was asked for',
    ends: 'another one leads; where the request ends first, as for one that had ended',
  },
  'leader fenced.asked': {
    means: 'it was stopped to hand over',
    ends: 'another one has its last word and leads; where none has, or the request ends first, it leads again',
    blocked: ['not-received'],
  },
  'leader fenced.removed': {
    means: 'it was stopped to hand over, since it leaves the file',
    ends: 'another one has its last word and leads; where it is back in the file, it leads again',
    blocked: ['not-received', 'no-candidate'],
  },
  'data empty': { means: 'a volume without data', ends: 'it is bootstrapped or cloned into' },
  'data bootstrapping': {
    means: 'a bootstrap under way, or cut short',
    ends: 'it ends; the next controller sets one that was cut short aside, and begins another one',
  },
  'data cloning': {
    means: 'a clone under way',
    ends: 'it ends; one that was cut short is removed and made again, ever more rarely',
  },
  'data half': { means: 'a clone cut short', ends: 'it is removed and made again, ever more rarely' },
  'data rewinding': {
    means: 'a rewind under way, or cut short',
    ends: 'it ends; the volume of one that was cut short is kept aside, and the node cloned',
  },
  'data unknown': { means: 'written by another version of pgherd', ends: 'it is kept aside, and the node cloned' },
  'data diverged': {
    means: 'it led, and holds what the present leader has not',
    ends: 'it is kept aside, and the node cloned',
  },
  'data data': { means: 'a whole copy', ends: 'nothing to end' },
  'standby hangs': {
    means: 'it runs and does not answer; what is open through the balancer waits for it',
    ends: 'after 10 s of silence it is asked by another way, and restarted where that gets no answer either',
  },
  'standby pending': {
    means: 'it was told to follow nobody, and has not said how far it came',
    ends: 'the question has 3 s, and is left out where it hangs; where a leader serves, it follows again',
    blocked: ['incomplete', 'quorum-lost'],
  },
  'standby replaying': {
    means: 'it follows nobody, and replays what it has',
    ends: 'it is asked again until it has; another one that has as much is not kept waiting; where a leader serves, it follows again',
  },
  'standby final': {
    means: 'it follows nobody, and has said how far it came',
    ends: 'another one leads, whom it follows; where a leader serves, it follows again',
  },
  'commits listed': {
    means: 'they wait for replicas of the list',
    ends: 'one that has lost its connection is left out after 3 s, one that has ended at once, as long as enough stream; with too few, `required` waits for them, which `CommitsDurable` says, with what to do, and `preferred` goes on',
  },
  'commits held': {
    means: 'after a promotion nobody is listed: no replica was known to have all that the new leader has',
    ends: 'the list names those that have reached it, as soon as they are enough; until then `CommitsDurable` says what to do, and `preferred` goes on',
  },
  'commits local': {
    means: 'they wait for nobody, as `preferred` allows with too few replicas',
    ends: 'as soon as enough stream they wait again',
  },
};
