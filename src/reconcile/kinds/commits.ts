import type { Container } from '../../docker/types.ts';
import type { Commits } from '../../postgres/config.ts';
import type { SyncList } from '../../postgres/layout.ts';
import { isOfSameReign } from '../../postgres/reigns.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import { findBusy, findContainer, type GroupView } from '../group.ts';
import { earliest } from '../plan.ts';
import { streamsFrom, unlinkedFor, type Heard } from '../reports.ts';
import { findNode } from './find-node.ts';

export type Led = Extract<GroupView, { phase: 'led' }>;

/** Milliseconds that a follower which has lost its leader may take to stream again before commits go on without it. */
const reconnectTime = 3000;

/** What is recorded before commits are acknowledged without a replica, where the file prefers that to waiting. */
export const waitsForNobody: SyncList = { num: 0, listed: [] };

/** Whom commits are to wait for, and milliseconds after which that is another matter. */
type Wanted = {
  /** Slots, ascending; undefined: it stays what it is. */
  readonly is: readonly number[] | 'local' | undefined;
  readonly recheck?: number | undefined;
};

/** The followers whose word that they have received something counts: they stream from a leader who says this. */
export function streamingFollowers(context: GroupContext, view: Led, leader: Heard): readonly Node[] {
  return context.group.nodes.filter(({ slot, name }) => {
    const report = reportOf(context, slot);
    if (slot === view.leader.slot) return false;
    // One that another call to the engine holds may have had nobody to listen to it: its leader says whether it streams.
    if (report === undefined) {
      return findHeld(context, slot) !== undefined && leader.senders?.[name]?.state === 'streaming';
    }
    return streamsFrom(leader, report, name) && isOfSameReign(leader, report);
  });
}

/** Those that stream, and those of the list that may be back in a moment. */
export function findWanted(context: GroupContext, view: Led): Wanted {
  const { group, snapshot } = context;
  const { syncReplicas: num, durability } = group.replication;
  const leader = snapshot.reports.get(view.leader.container.id);
  // Its own word counts, not what it was started as: one that was to be stopped and was not leads on.
  if (leader === undefined || leader.recovery) return { is: undefined };
  const all = streamingFollowers(context, view, leader);
  const isHeld = ({ slot }: Node): boolean => findHeld(context, slot) !== undefined;
  // One that another call to the engine holds cannot be asked when its leader is gone: it counts where there are too few else.
  const isEnough = all.filter((node) => !isHeld(node)).length >= num;
  const followers = group.nodes.filter((node) => node.slot !== view.leader.slot && !(isEnough && isHeld(node)));
  const streaming = all.filter((node) => followers.includes(node));
  const able = followers.filter((node) => !streaming.includes(node) && mayReturn(context, leader, node));
  const leftFor = ({ name }: Node): number => reconnectTime - unlinkedFor(leader, name, snapshot.heardUntil);
  const returning = able.filter((node) => leftFor(node) > 0);
  const recheck = earliest(returning.map(leftFor));
  if (streaming.length >= num) {
    // Where nobody has listened, it is not known for how long one has been away.
    const kept = (leader.streamed === undefined ? able : returning).filter(
      ({ slot }) => view.record.sync?.listed.includes(slot) === true,
    );
    return { is: [...streaming, ...kept].map(({ slot }) => slot).sort((a, b) => a - b), recheck };
  }
  if (durability === 'required') return { is: undefined };
  return streaming.length + returning.length >= num ? { is: undefined, recheck } : { is: 'local' };
}

/** Whether one that does not stream can do so again from where it is. */
function mayReturn(context: GroupContext, leader: Heard, { slot }: Node): boolean {
  const held = findHeld(context, slot);
  if (held !== undefined) return held.state === 'running' && !context.snapshot.silent.has(held.id);
  const observed = findNode(context, slot);
  if (observed?.container.state !== 'running' || context.snapshot.silent.has(observed.container.id)) return false;
  const report = reportOf(context, slot);
  const isOfLeader = report === undefined || (report.recovery && report.timeline === leader.timeline);
  return isOfLeader && observed.facts.state.is === 'data';
}

function findHeld({ snapshot, group }: GroupContext, slot: number): Container | undefined {
  return findBusy(snapshot, group.name, slot);
}

function reportOf(context: GroupContext, slot: number): Heard | undefined {
  return context.snapshot.reports.get(findContainer(context.snapshot, context.group.name, slot)?.id ?? '');
}

/**
 * What the leader is told. While the record lists somebody, only those: what is acknowledged is found among them. While it
 * lists nobody, nobody is promoted by it, and the leader may wait for whoever streams.
 */
export function commitsOf(context: GroupContext, view: Led): Commits | undefined {
  const { mode, syncReplicas: num, durability } = context.group.replication;
  if (mode === 'async') {
    // The list is forgotten first: the file may want it back before that.
    const { sync } = view.record;
    return sync === undefined || sync.num === 0 ? undefined : { num: sync.num, names: namesOf(context, sync.listed) };
  }
  if (view.isBootstrapRecord) return 'local';
  const recorded = view.record.sync ?? { num, listed: [] };
  const { is: wanted } = findWanted(context, view);
  if (wanted !== undefined && wanted !== 'local') {
    const isListed = wanted.every((slot) => recorded.listed.includes(slot)) && recorded.num <= num;
    if (recorded.listed.length === 0 || isListed) return { num, names: namesOf(context, wanted) };
  }
  if (recorded.num === 0 && durability === 'preferred') return 'local';
  return { num: Math.max(num, recorded.num), names: namesOf(context, recorded.listed) };
}

export function namesOf({ group }: GroupContext, slots: readonly number[]): readonly string[] {
  return group.nodes.filter(({ slot }) => slots.includes(slot)).map(({ name }) => name);
}
