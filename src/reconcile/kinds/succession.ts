import { finalPosition, type RecordName, type SyncList } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { viewGroup } from '../group.ts';
import type { ObservedNode } from '../snapshot.ts';
import type { Decision } from '../situation.ts';
import { groupResource, nodeResource } from '../names.ts';
import { step, type Change, type Step } from '../plan.ts';
import { proveList, recordAndLoad } from './commit-steps.ts';
import { findNode, findSource, targetOf } from './find-node.ts';
import type { RecordTarget } from './group-record.ts';
import { leaderChange, nameOf, type Known } from './leadership.ts';

type Promotion = Extract<Decision, { is: 'promote' }>;

/** Seconds in which those that turn to a new leader have what it has; after that it is looked at anew who is left. */
const releaseSeconds = 15;

/**
 * Writes down who leads from now on, in so many volumes that nobody forgets it with the container of the new leader; the
 * others are given it with what their nodes are to be then, which is planned as if it stood there already.
 */
export function planSuccession(
  context: GroupContext,
  view: Known,
  decision: Promotion,
): { readonly record: Step; readonly change: Change; readonly next: GroupContext } {
  const { group, snapshot } = context;
  const { record } = view;
  const sync = group.replication.mode === 'quorum' ? firstList(context, view, decision) : undefined;
  const known = {
    fork: { timeline: decision.position.timeline, lsn: decision.position.lsn },
    ...(sync === undefined ? {} : { sync }),
  };
  const nextRecord: RecordName = { ...record, version: record.version + 1, leader: decision.to, ...known };
  const name = (slot: number): string => {
    const node = findNode(context, slot);
    if (node !== undefined) return nameOf(context, node);
    return group.nodes.find((each) => each.slot === slot)?.name ?? `slot ${String(slot)}`;
  };
  const leader = findNode(context, decision.to);
  const others = snapshot.nodes
    .filter((each) => each.group === group.name && each !== leader && each.facts.record !== undefined)
    .toSorted((a, b) => Number(isUp(b)) - Number(isUp(a)));
  const action = {
    do: 'write-record',
    group: group.name,
    source: { ...findSource(context, view), record },
    leader: decision.to,
    members: record.members,
    systemIdentifier: view.systemIdentifier,
    renewPassword: false,
    known,
    change: {
      kind: decision.cause === 'failover' ? 'failover' : 'switchover',
      cause: decision.why,
      from: name(record.leader),
      to: name(decision.to),
      timeline: decision.position.timeline,
      lsn: decision.position.lsn,
      lostBytes: decision.lostBytes,
    },
    targets: leader === undefined ? [] : [leader, ...others].map(targetOf),
  } as const;
  const nodes = snapshot.nodes.map((each) =>
    each === leader ? { ...each, facts: { ...each.facts, record: nextRecord } } : each,
  );
  const nextSnapshot = { ...snapshot, nodes };
  return {
    record: { ...step(groupResource(group.name), action), id: `${groupResource(group.name)}: write-leader` },
    change: leaderChange(context, view, decision, name(decision.to)),
    next: { ...context, snapshot: nextSnapshot, view: viewGroup(group, nextSnapshot) },
  };
}

/**
 * Whom commits wait for from the promotion on: those that have come exactly as far as the new leader have all that was
 * ever acknowledged. Where they are too few it is nobody, and commits are held until enough have it.
 */
function firstList(context: GroupContext, { record }: Known, decision: Promotion): SyncList {
  const num = context.group.replication.syncReplicas;
  const equals = survivorsOf(context, decision).filter(({ lsn }) => lsn === decision.position.lsn);
  if (equals.length >= num) return { num, listed: equals.map(({ slot }) => slot) };
  return { num: Math.max(1, record.sync?.num ?? 1), listed: [] };
}

function isUp({ container }: ObservedNode): boolean {
  return container.state === 'running';
}

/** Those that were seen not to be ahead of the new leader, on its timeline: they can follow it. */
function survivorsOf(
  context: GroupContext,
  { to, position }: Promotion,
): readonly { readonly slot: number; readonly name: string; readonly lsn: number }[] {
  return context.group.nodes.flatMap(({ slot, name }) => {
    const observed = findNode(context, slot);
    const detached = observed?.container.state === 'running' ? finalPosition(observed.facts.detached) : undefined;
    if (slot === to || context.failed.has(nodeResource(name))) return [];
    if (detached?.timeline !== position.timeline || detached.lsn > position.lsn) return [];
    return [{ slot, name, lsn: detached.lsn }];
  });
}

/**
 * What the next write needs comes first: the record, in one with the configuration of the new leader and, with a quorum, of
 * those that turn to it; the readers, who turn to others before it leads; the promotion and the write address; those that
 * turn to it. Everything else waits until it answers as the leader.
 */
export function orderSuccession(
  next: GroupContext,
  decision: Promotion,
  record: Step,
  steps: readonly Step[],
): readonly Step[] {
  const leader = next.group.nodes.find(({ slot }) => slot === decision.to);
  const resource = leader === undefined ? '' : nodeResource(leader.name);
  const survivors = next.group.replication.mode === 'quorum' ? survivorsOf(next, decision) : [];
  const turning = new Set(survivors.map(({ name }) => nodeResource(name)));
  const configs = steps.filter(
    (each) =>
      isWritable(record, each) &&
      (turning.has(each.resource) || (each.resource === resource && each.after.length === 0)),
  );
  const promote = steps.find((each) => each.resource === resource && each.action.do === 'promote');
  const first = withSpares(configs.reduce(withConfig, record), promote, steps);
  const promotion = promote ?? first;
  const turns = (each: Step): boolean => turning.has(each.resource) && each.action.do === 'reload';
  const isReaders = ({ action }: Step): boolean => action.do === 'write-readers';
  // What a change of the file restarts waits for everybody to be up.
  const changing = new Set(steps.filter(({ action }) => action.do === 'restart').map((each) => each.resource));
  const turnsNow = (each: Step): boolean =>
    turning.has(each.resource) &&
    !(changing.has(each.resource) && (each.action.do === 'restart' || each.action.do === 'await-node'));
  const isUrgent = (each: Step): boolean => each.resource === resource || turnsNow(each) || isReaders(each);
  const left = steps.filter((each) => !configs.includes(each));
  const urgent = left.filter(isUrgent);
  const turned = urgent.filter(turns).map(({ id }) => id);
  const answers = urgent.filter(({ action }) => action.do === 'await-node').map(({ id }) => id);
  const last = answers.length === 0 ? [promotion.id] : answers;
  const later = left.filter((each) => !isUrgent(each));
  const held = new Set(later.map(({ id }) => id));
  const release = planRelease(next, decision, first, promotion);
  const ordered = [...urgent, ...later].map((each): Step => {
    const after = each.after.map((id) => (configs.some((config) => config.id === id) ? first.id : id));
    const waitsFor = (ids: readonly string[]): Step => ({ ...each, after: [...new Set([...after, ...ids])] });
    if (turning.has(each.resource) && isPlainConfig(each)) return { ...each, after: [first.id] };
    if (isReaders(each)) return { ...each, after: [...after.filter((id) => id !== promotion.id), first.id] };
    if (each.action.do === 'promote') return waitsFor([first.id]);
    if (each.action.do === 'await-node' && !held.has(each.id)) return waitsFor(turned);
    return held.has(each.id) && !after.some((id) => held.has(id)) ? waitsFor(last) : { ...each, after };
  });
  return [first, ...ordered, ...release];
}

function isPlainConfig({ action }: Step): boolean {
  return action.do === 'write-config' && action.unfence === undefined;
}

/** Whether a step does no more than to write a configuration into a volume that is given the record. */
function isWritable(record: Step, each: Step): boolean {
  const isInto = ({ container }: RecordTarget): boolean =>
    each.action.do === 'write-config' && each.action.node.container === container;
  return isPlainConfig(each) && record.action.do === 'write-record' && record.action.targets.some(isInto);
}

function withConfig(record: Step, config: Step): Step {
  const { action } = record;
  if (action.do !== 'write-record' || config.action.do !== 'write-config') return record;
  const { settings, role, atStart, node } = config.action;
  const targets = action.targets.map((each) =>
    each.container === node.container ? { ...each, config: { settings, role, atStart } } : each,
  );
  return { ...record, action: { ...action, targets } };
}

/**
 * A volume of a container that has ended takes the engine longest, and nobody needs the record there before somebody leads:
 * those that are given it by a later step are spared, where the others are more than half of all by any count.
 */
function withSpares(record: Step, promote: Step | undefined, steps: readonly Step[]): Step {
  if (record.action.do !== 'write-record' || promote?.action.do !== 'promote') return record;
  const { targets, members } = record.action;
  const most = Math.max(promote.action.votes, members.length);
  const isGivenLater = ({ container }: RecordTarget): boolean =>
    steps.some(
      ({ action }) =>
        action.do === 'write-config' && action.record !== undefined && action.node.container === container,
    );
  const isNeeded = (each: RecordTarget, index: number): boolean =>
    each.config !== undefined || index * 2 <= most || !isGivenLater(each);
  const spares = targets.filter((each, index) => !isNeeded(each, index));
  return { ...record, action: { ...record.action, targets: targets.filter(isNeeded), spares } };
}

/**
 * Where nobody could be listed at once: has commits go on as soon as enough of those that turn to the new leader have all
 * it has; whoever else comes is looked at later.
 */
function planRelease(next: GroupContext, decision: Promotion, written: Step, promotion: Step): readonly Step[] {
  const { group, view } = next;
  const node = group.nodes.find(({ slot }) => slot === decision.to);
  if (group.replication.mode !== 'quorum' || view.phase !== 'led' || node === undefined) return [];
  if ((view.record.sync?.listed.length ?? 0) > 0) return [];
  const num = group.replication.syncReplicas;
  const survivors = survivorsOf(next, decision);
  if (survivors.length < num) return [];
  const sync = { num, listed: survivors.map(({ slot }) => slot) };
  const proof = proveList(next, view, sync, [promotion.id], releaseSeconds);
  return [proof, ...recordAndLoad(next, view, sync, [proof.id], [written.id])];
}
