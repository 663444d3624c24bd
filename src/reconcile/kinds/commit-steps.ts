import { canonicalJson } from '../../base/canonical.ts';
import type { SyncList } from '../../postgres/layout.ts';
import { nodeRevision } from '../../postgres/revision.ts';
import type { GroupContext } from '../context.ts';
import { groupResource } from '../names.ts';
import { step, type Change, type Part, type Step } from '../plan.ts';
import { commitsOf, findWanted, namesOf, waitsForNobody, type Led } from './commits.ts';
import { placed } from './find-node.ts';
import { readySeconds } from './inside-node.ts';
import { nodeSettings } from './node-config.ts';
import { recordAction } from './record-action.ts';

/** A list to be recorded; `isProven`: only when any `num` of it have all that was acknowledged before. */
type Next = { readonly sync: SyncList | undefined; readonly isProven: boolean };

/**
 * Keeps the recorded list around the server's: it grows before, and is replaced when any `num` of the new one have what was
 * acknowledged by the old. `loads`: the step by which the leader loads what `commitsOf` says; `isInForce`: it has done so.
 */
export function planCommits(
  context: GroupContext,
  view: Led,
  { isInForce, loads }: { readonly isInForce: boolean; readonly loads: string | undefined },
): Part {
  const recheck = context.group.replication.mode === 'quorum' ? findWanted(context, view).recheck : undefined;
  const next = findNext(context, view, isInForce || loads !== undefined);
  if (next === undefined) return { recheck };
  const loaded = loads === undefined ? [] : [loads];
  const proof = next.isProven && next.sync !== undefined ? [proveList(context, view, next.sync, loaded)] : [];
  const proven = proof.map(({ id }) => id);
  const steps = [...proof, ...recordAndLoad(context, view, next.sync, proven, loaded)];
  return { changes: [changed(context, view.record.sync, next.sync)], steps, recheck };
}

function findNext(context: GroupContext, view: Led, isInForce: boolean): Next | undefined {
  const { mode, syncReplicas: num } = context.group.replication;
  const recorded = view.record.sync;
  if (mode === 'async') return recorded === undefined ? undefined : { sync: undefined, isProven: false };
  const wanted = view.isBootstrapRecord ? undefined : findWanted(context, view).is;
  if (wanted === undefined) return undefined;
  if (wanted === 'local')
    return isSame(waitsForNobody, recorded) ? undefined : { sync: waitsForNobody, isProven: false };
  const last: SyncList = { num, listed: wanted };
  if (recorded !== undefined && recorded.listed.length > 0) {
    const before: SyncList = { num: Math.min(recorded.num, num), listed: union(recorded.listed, wanted) };
    if (!isSame(before, recorded)) return { sync: before, isProven: false };
  }
  return isSame(last, recorded) || !isInForce ? undefined : { sync: last, isProven: true };
}

/** Waits until any `num` of a list have all that the leader has acknowledged: whatever is found later, one of them has it. */
export function proveList(
  context: GroupContext,
  view: Led,
  { num, listed }: SyncList,
  after: readonly string[],
  seconds = readySeconds,
): Step {
  const meanwhile = commitsOf(context, view) ?? 'local';
  const names = namesOf(context, listed);
  const action = { do: 'await-caught-up', node: placed(view.leader), num, names, meanwhile, seconds } as const;
  return step(groupResource(context.group.name), action, after);
}

/**
 * Writes down who may hold what was acknowledged, and has the leader go by that where it changes what it is told. A reload
 * removes revisions that nothing names: what is written beside it comes after `written`.
 */
export function recordAndLoad(
  context: GroupContext,
  view: Led,
  sync: SyncList | undefined,
  after: readonly string[],
  written: readonly string[],
): readonly Step[] {
  const { group } = context;
  const resource = groupResource(group.name);
  const action = recordAction(context, view, view.record.members, false, { sync });
  const record: Step = { ...step(resource, action, after), id: `${resource}: write-quorum` };
  const node = group.nodes.find(({ slot }) => slot === view.leader.slot);
  const commits = commitsOf(context, { ...view, record: { ...view.record, sync } });
  const isSettled = canonicalJson(commits ?? null) === canonicalJson(commitsOf(context, view) ?? null);
  if (node === undefined || isSettled || view.leader.container.state !== 'running') return [record];
  const leader = placed(view.leader);
  const settings = nodeSettings(context, node);
  const role = { is: 'lead', systemIdentifier: view.systemIdentifier, reign: view.record, commits } as const;
  const revision = nodeRevision({ ...settings, role }, leader.layout).name;
  const config = {
    do: 'write-config',
    group: group.name,
    node: leader,
    image: view.leader.container.image,
    settings,
    role,
    atStart: false,
    unfence: undefined,
    record: undefined,
  } as const;
  const write = { ...step(resource, config), id: `${resource}: write-commits`, after: written };
  const load = step(resource, { do: 'reload', node: leader, revision }, [record.id, write.id]);
  return [record, write, { ...load, id: `${resource}: load-commits` }];
}

/** Whether a step is about whom commits wait for: nobody else waits for it. */
export function isOfCommits(id: string): boolean {
  return /: (?:await-caught-up|write-quorum|write-commits|load-commits)$/.test(id);
}

function changed(context: GroupContext, before: SyncList | undefined, after: SyncList | undefined): Change {
  const text = (list: SyncList | undefined): string => {
    if (list === undefined) return 'none';
    const names = namesOf(context, list.listed);
    if (list.num === 0) return 'none, commits do not wait';
    return names.length === 0 ? 'nobody' : `${String(list.num)} of ${names.join(', ')}`;
  };
  return {
    resource: groupResource(context.group.name),
    kind: 'group',
    actions: ['update'],
    reason: { code: 'quorum', detail: 'commits wait for those replicas that stream' },
    fields: [{ path: 'quorum', before: text(before), after: text(after), effect: 'live' }],
  };
}

function union(a: readonly number[], b: readonly number[]): readonly number[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}

function isSame(a: SyncList, b: SyncList | undefined): boolean {
  return a.num === b?.num && a.listed.join() === b.listed.join();
}
