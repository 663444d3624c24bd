import { finalPosition, type Detached, type FenceCause, type Handover, type Place } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { findBusy, isOfReign, unreadVolumes, type GroupView } from '../group.ts';
import { decideLeadership } from '../leadership.ts';
import { groupResource, nodeResource } from '../names.ts';
import { findHandover } from '../requests.ts';
import { inOrder, step, type Change, type Part, type Step } from '../plan.ts';
import { streamsFrom, type Heard } from '../reports.ts';
import type { Decision, Member } from '../situation.ts';
import { nodeKey, type ObservedNode, type Snapshot } from '../snapshot.ts';
import { isSecondWriter, isServing } from '../writers.ts';
import { endpointStep } from './endpoints.ts';
import { findNode, findSource, nodeName, placed, targetOf } from './find-node.ts';
import { isDead } from './leadership-actions.ts';
import { nodeStopSeconds } from './node-spec.ts';

/** Seconds that the group goes without writes at most for a standby that may not be needed. */
const shortSeconds = 3;

/** The same for one that does not speak: whether it hangs, it may show. */
const silentSeconds = 1;

/** Seconds for one that is started for it, or without which nobody can take over. */
const patientSeconds = 30;

/** A group that has a record, and copies of its data. */
export type Known = Extract<GroupView, { phase: 'led' | 'lost' }>;

/** What is to become of who leads; undefined: there is nothing to decide. */
export function decideFor(context: GroupContext): Decision | undefined {
  const { view, group, snapshot } = context;
  if (view.phase !== 'led' && view.phase !== 'lost') return undefined;
  const leader = findNode(context, view.record.leader);
  const report = leader === undefined ? undefined : snapshot.past.get(nodeKey(leader));
  return decideLeadership({
    members: findMembers(context, view),
    leader: view.record.leader,
    fork: view.record.fork,
    policy: { mode: group.failover.mode, delay: group.failover.delay * 1000, maxLag: group.failover.maxLag },
    sync: group.replication.mode === 'quorum' ? (view.record.sync ?? { num: 1, listed: [] }) : undefined,
    handover: findRequest(context, view),
    lostFor: snapshot.lost.get(group.name),
    isHung: leader !== undefined && (snapshot.hung.has(leader.container.id) || leader.container.state === 'restarting'),
    redo: report?.redo ?? undefined,
    sinceChange: snapshot.sinceChange.get(group.name),
    settlesIn: snapshot.settlesIn.get(group.name) ?? 0,
  });
}

// One that has expired was never made.
function findRequest({ group, snapshot }: GroupContext, { record }: Known): Handover | undefined {
  const request = findHandover(
    snapshot.nodes.filter((each) => each.group === group.name),
    record,
  );
  return request === undefined || snapshot.takenAt >= request.until ? undefined : request;
}

/** Somebody accepts that what was acknowledged may be lost to the group. */
function isForced(context: GroupContext, view: Known): boolean {
  return findRequest(context, view)?.kind === 'failover-lossy';
}

function findMembers(context: GroupContext, view: Known): readonly Member[] {
  const { group, snapshot, failed, topology } = context;
  const observed = snapshot.nodes.filter((each) => each.group === group.name);
  const leads = view.phase === 'led' ? snapshot.reports.get(view.leader.container.id) : undefined;
  const members = observed.map((each): Member => {
    const { container, facts, slot } = each;
    const name = nameOf(context, each);
    const report = snapshot.reports.get(container.id);
    const last = report ?? snapshot.past.get(nodeKey(each));
    const isDown = isDead(container.state);
    return {
      name,
      slot,
      isWanted: group.nodes.some((node) => node.slot === slot),
      container: isDown ? 'down' : 'running',
      // What is of a time before it led is not what it leads with.
      hasData: facts.state.is === 'data' && (slot !== view.record.leader || isOfReign(each, view.record)),
      isFenced: facts.serves === 'fenced',
      fencedFor: facts.fencedFor,
      fencedAt: facts.fencedAt,
      isReturning: facts.serves === 'released' || container.startedAt === 0,
      isStandby: each.isStandby,
      isToRewind: isToRewind(each),
      holdsAddress: container.networks[topology.network.writeName] !== undefined,
      // A server that ended since does not follow nobody any more.
      detached: isDown ? undefined : finalPosition(facts.detached),
      received: isDown ? undefined : receivedBy(facts.detached),
      said: lastWords(snapshot, last, report === undefined),
      streams: report === undefined ? undefined : streamsFrom(leads, report, name),
      takesWrites: slot === view.record.leader ? isServing(each, snapshot) : isSecondWriter(each, snapshot),
      failed: failed.has(nodeResource(name)),
    };
  });
  const unread = unreadVolumes(group, snapshot);
  const missing = group.nodes
    .filter(({ slot }) => !observed.some((each) => each.slot === slot))
    .map(({ name, slot }): Member => {
      // One that another call holds goes on speaking, and cannot be asked.
      const busy = findBusy(snapshot, group.name, slot);
      const report = snapshot.reports.get(busy?.id ?? '');
      const last = report ?? snapshot.past.get(nodeKey({ group: group.name, slot }));
      return {
        name,
        slot,
        isWanted: true,
        container: 'missing',
        // Nobody knows what is in a volume without a container: it counts as one that cannot be asked.
        hasData: unread.some((each) => each.slot === slot),
        isFenced: false,
        fencedFor: undefined,
        fencedAt: undefined,
        isReturning: false,
        isStandby: true,
        isToRewind: false,
        holdsAddress: false,
        detached: undefined,
        received: undefined,
        said: lastWords(snapshot, last, report === undefined),
        streams: false,
        takesWrites: false,
        failed: busy !== undefined,
      };
    });
  return [...members, ...missing];
}

// What was acknowledged is where a successor in order has it as well; one that is forced may lack it.
function isToRewind({ facts }: ObservedNode): boolean {
  return facts.serves === 'released' || (facts.serves === 'fenced' && facts.fencedFor !== 'forced');
}

function receivedBy(detached: Detached | undefined): Place | undefined {
  return typeof detached === 'object' && 'received' in detached ? detached.received : undefined;
}

function lastWords({ heardUntil }: Snapshot, heard: Heard | undefined, isSilent: boolean): Member['said'] {
  if (heard === undefined) return undefined;
  const { timeline, lsn, received } = heard;
  return { timeline, lsn, received: received ?? undefined, isSilent, ago: Math.max(0, heardUntil - heard.at) };
}

/** Takes the leader out of service, and has the others say how far they have come. */
export function planFence(context: GroupContext, view: Known, decision: Extract<Decision, { is: 'fence' }>): Part {
  const old = findNode(context, view.record.leader);
  const { group, snapshot } = context;
  const earlier = isForced(context, view)
    ? snapshot.nodes.filter((each) => each !== old && each.group === group.name && isToRewind(each))
    : [];
  const fence = [...(old === undefined ? [] : [old]), ...earlier].flatMap((each) =>
    fenceSteps(context, view, decision, each),
  );
  // They follow until the leader is down: what it has sent, they have. Of one that has ended nothing comes any more.
  const isAlive = old !== undefined && !isDead(old.container.state);
  const fenced = fence.filter(({ action }) => isAlive && action.do === 'fence').map(({ id }) => id);
  const detach = decision.detach.flatMap((slot) => {
    const node = findNode(context, slot);
    return node === undefined ? [] : detachSteps(context, node, decision.start.includes(slot), fenced);
  });
  const source = { ...findSource(context, view), record: view.record };
  const read = step(groupResource(group.name), { do: 'read-record', group: group.name, source });
  return {
    changes: [leaderChange(context, view, decision, undefined)],
    steps: [...fence, ...detach, ...(fence.length === 0 || detach.length === 0 ? [] : [read])],
  };
}

/** Ends a request that cannot be carried out. */
export function planDismissal(context: GroupContext, why: string): Part {
  const { group, snapshot } = context;
  const resource = groupResource(group.name);
  const nodes = snapshot.nodes.filter((each) => each.group === group.name);
  const at = Math.max(...nodes.map(({ facts }) => facts.handover?.at ?? 0));
  const targets = nodes.map(targetOf);
  const change: Change = {
    resource,
    kind: 'group',
    actions: ['update'],
    reason: { code: 'handover', detail: `the requested change of leaders cannot be carried out: ${why}` },
    fields: [],
  };
  return { changes: [change], steps: [step(resource, { do: 'end-request', at, targets })] };
}

function fenceSteps(
  context: GroupContext,
  view: Known,
  decision: Extract<Decision, { is: 'fence' }>,
  old: ObservedNode,
): readonly Step[] {
  const { group, topology } = context;
  const { state, networks, id: container, image } = old.container;
  const resource = nodeResource(nameOf(context, old));
  // One that hangs answers nobody who tells it to end.
  const isOrderly = decision.cause !== 'failover' && state === 'running' && !context.snapshot.hung.has(container);
  const cause = fenceCause(context, view, decision, old);
  const fence = step(resource, {
    do: 'fence',
    node: placed(old),
    image,
    name: nameOf(context, old),
    stopSeconds: isOrderly ? nodeStopSeconds : undefined,
    cause,
    superuser: group.user,
  });
  const network = topology.network.writeName;
  // What a forced failover leaves behind is kept: its mark says so, also of one that had been fenced before.
  const isFenced =
    isDead(state) && old.facts.serves === 'fenced' && (cause !== 'forced' || old.facts.fencedFor === cause);
  return inOrder([
    ...(isFenced ? [] : [fence]),
    ...(networks[network] === undefined ? [] : [endpointStep(resource, { do: 'disconnect', container, network })]),
  ]);
}

function fenceCause(
  context: GroupContext,
  view: Known,
  { cause }: Extract<Decision, { is: 'fence' }>,
  { container }: ObservedNode,
): FenceCause {
  if (isForced(context, view)) return 'forced';
  if (context.snapshot.hung.has(container.id)) return 'hung';
  if (cause === 'removed') return 'removed';
  if (cause === 'switchover') return 'asked';
  return isDead(container.state) ? 'ended' : 'hung';
}

function detachSteps(
  context: GroupContext,
  node: ObservedNode,
  isToStart: boolean,
  fenced: readonly string[],
): readonly Step[] {
  const resource = nodeResource(nameOf(context, node));
  const { id: container, name, state } = node.container;
  // One that the engine is about to start again is started at once.
  const mustStart = isToStart || state === 'restarting';
  const steps = inOrder([
    ...(state === 'paused' ? [step(resource, { do: 'unpause', container })] : []),
    ...(mustStart ? [step(resource, { do: 'start', container })] : []),
    step(resource, { do: 'detach', node: placed(node), name, seconds: detachSeconds(context, node, mustStart) }),
  ]);
  return steps.map((each, index) => (index === 0 ? { ...each, after: fenced } : each));
}

/** Seconds that a standby may take until it follows nobody and has replayed what it has. */
function detachSeconds({ snapshot }: GroupContext, { container, facts }: ObservedNode, mustStart: boolean): number {
  // One that still replays is asked again where nobody can take over without it.
  if (mustStart || receivedBy(facts.detached) !== undefined) return patientSeconds;
  return snapshot.silent.has(container.id) ? silentSeconds : shortSeconds;
}

/** What a plan says of a change of leaders; `to`: who leads then, where that is known. */
export function leaderChange(
  context: GroupContext,
  view: Known,
  decision: Extract<Decision, { is: 'fence' | 'promote' }>,
  to: string | undefined,
): Change {
  const { group } = context;
  const old = findNode(context, view.record.leader);
  const from = old === undefined ? `slot ${String(view.record.leader)}` : nameOf(context, old);
  const lost =
    decision.is !== 'promote' || decision.lostBytes === 0
      ? ''
      : decision.lostBytes === null
        ? '; whether it wrote more than the new leader has, nobody knows'
        : `; ${String(decision.lostBytes)} bytes of WAL or more that it wrote are lost to the group`;
  return {
    resource: groupResource(group.name),
    kind: 'group',
    actions: ['promote'],
    reason: { code: decision.cause, detail: `${decision.why}${lost}` },
    fields: [{ path: 'leader', before: from, after: to ?? '(the one that has most)', effect: 'live' }],
  };
}

/** The name of a node, in the file or not. */
export function nameOf({ group }: GroupContext, node: ObservedNode): string {
  return group.nodes.find(({ slot }) => slot === node.slot)?.name ?? nodeName(node);
}
