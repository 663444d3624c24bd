import { finalPosition, type RecordName, type SyncList } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { viewGroup } from '../group.ts';
import type { Decision } from '../situation.ts';
import { groupResource, nodeResource } from '../names.ts';
import { step, type Change, type Step } from '../plan.ts';
import { proveList, recordAndLoad } from './commit-steps.ts';
import { findNode, findSource, targetOf } from './find-node.ts';
import { leaderChange, nameOf, type Known } from './leadership.ts';

type Promotion = Extract<Decision, { is: 'promote' }>;

/** Seconds in which those that turn to a new leader have what it has; after that it is looked at anew who is left. */
const releaseSeconds = 15;

/**
 * Writes down who leads from now on, in all volumes that can be reached, so that nobody forgets it with the container of the
 * new leader. What the others are to be then is planned as if it stood there already.
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
  const others = snapshot.nodes.filter(
    (each) => each.group === group.name && each !== leader && each.facts.record !== undefined,
  );
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
 * What the next write needs comes first: the record and the new leader's configuration, in one; the readers, who turn to
 * others before it leads; the promotion and the write address; with a quorum those that turn to it. Everything else
 * waits until it answers as the leader.
 */
export function orderSuccession(
  next: GroupContext,
  decision: Promotion,
  record: Step,
  steps: readonly Step[],
): readonly Step[] {
  const leader = next.group.nodes.find(({ slot }) => slot === decision.to);
  const resource = leader === undefined ? '' : nodeResource(leader.name);
  const config = steps.find((each) => each.resource === resource && isPlainConfig(each) && each.after.length === 0);
  const first = config === undefined ? record : withConfig(record, config);
  const promotion = steps.find((each) => each.resource === resource && each.action.do === 'promote') ?? first;
  const survivors = next.group.replication.mode === 'quorum' ? survivorsOf(next, decision) : [];
  const turning = new Set(survivors.map(({ name }) => nodeResource(name)));
  const turns = (each: Step): boolean => turning.has(each.resource) && each.action.do === 'reload';
  const isReaders = ({ action }: Step): boolean => action.do === 'write-readers';
  // What a change of the file restarts waits for everybody to be up.
  const changing = new Set(steps.filter(({ action }) => action.do === 'restart').map((each) => each.resource));
  const turnsNow = (each: Step): boolean =>
    turning.has(each.resource) &&
    !(changing.has(each.resource) && (each.action.do === 'restart' || each.action.do === 'await-node'));
  const isUrgent = (each: Step): boolean => each.resource === resource || turnsNow(each) || isReaders(each);
  const urgent = steps.filter((each) => each !== config && isUrgent(each));
  const turned = urgent.filter(turns).map(({ id }) => id);
  const answers = urgent.filter(({ action }) => action.do === 'await-node').map(({ id }) => id);
  const last = answers.length === 0 ? [promotion.id] : answers;
  const later = steps.filter((each) => each !== config && !isUrgent(each));
  const held = new Set(later.map(({ id }) => id));
  const release = planRelease(next, decision, first, promotion);
  const ordered = [...urgent, ...later].map((each): Step => {
    const after = each.after.map((id) => (id === config?.id ? first.id : id));
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
