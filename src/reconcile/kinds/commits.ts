import type { Commits } from '../../postgres/config.ts';
import type { SyncList } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { groupResource } from '../names.ts';
import { streamsFrom } from '../reports.ts';
import { step, type Change, type Part, type Step } from '../plan.ts';
import { placed } from './find-node.ts';
import { readySeconds } from './inside-node.ts';
import { recordAction } from './record-action.ts';

type Led = Extract<GroupView, { phase: 'led' }>;

/**
 * Whom commits are to wait for in quorum mode, as slots: those that stream; `undefined`: it stays what it is, since
 * nobody knows better or too few stream.
 */
function findWanted({ group, snapshot }: GroupContext, view: Led): readonly number[] | 'local' | undefined {
  const leader = snapshot.reports.get(view.leader.container.id);
  if (leader === undefined || leader.recovery || view.leader.facts.serves !== 'lead') return undefined;
  const followers = group.nodes.filter(({ slot }) => slot !== view.leader.slot);
  const container = (slot: number) =>
    snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container;
  const streaming = followers
    .filter(({ slot, name }) => streamsFrom(leader, snapshot.reports.get(container(slot)?.id ?? ''), name))
    .map(({ slot }) => slot);
  if (streaming.length >= group.replication.syncReplicas) {
    // One that only connects anew, or has not been heard yet, is not struck off.
    const listed = view.record.sync?.listed ?? [];
    const waits = listed.filter((slot) => {
      const seen = container(slot);
      const report = snapshot.reports.get(seen?.id ?? '');
      if (seen?.state !== 'running' || snapshot.silent.has(seen.id)) return false;
      return report === undefined || (report.recovery && report.timeline === leader.timeline);
    });
    return [...new Set([...streaming, ...waits])].sort((a, b) => a - b);
  }
  const isAlone = followers.every(({ slot }) => {
    const seen = container(slot);
    return seen?.state !== 'running' || snapshot.silent.has(seen.id);
  });
  return isAlone && group.replication.durability === 'preferred' ? 'local' : undefined;
}

/** What the leader is told: only those whom the record lists already. */
export function commitsOf(context: GroupContext, view: Led): Commits | undefined {
  const { group } = context;
  if (group.replication.mode === 'async') return undefined;
  if (view.isBootstrapRecord) return 'local';
  const num = group.replication.syncReplicas;
  const recorded = view.record.sync ?? { num, listed: [] };
  const wanted = findWanted(context, view);
  const isListed = wanted !== 'local' && wanted?.every((slot) => recorded.listed.includes(slot));
  if (wanted === 'local') return recorded.listed.length === 0 ? 'local' : named(context, recorded.num, recorded.listed);
  if (wanted !== undefined && isListed === true && recorded.num <= num) return named(context, num, wanted);
  return named(context, Math.max(num, recorded.num), recorded.listed);
}

function named(context: GroupContext, num: number, slots: readonly number[]): Commits {
  return { num, names: namesOf(context, slots) };
}

function namesOf({ group }: GroupContext, slots: readonly number[]): readonly string[] {
  return group.nodes.filter(({ slot }) => slots.includes(slot)).map(({ name }) => name);
}

/**
 * Keeps the recorded list around the server's: it grows before, and shrinks when all that remain have what those who leave
 * may have acknowledged. `isInForce`: the leader has loaded what `commitsOf` says.
 */
export function planCommits(context: GroupContext, view: Led, isInForce: boolean): Part {
  const { group } = context;
  const resource = groupResource(group.name);
  const recorded = view.record.sync;
  if (group.replication.mode === 'async') {
    if (recorded === undefined || !isInForce) return {};
    return { changes: [changed(context, recorded, undefined)], steps: [recordSync(context, view, undefined)] };
  }
  const wanted = view.isBootstrapRecord ? undefined : findWanted(context, view);
  if (wanted === undefined) return {};
  const num = group.replication.syncReplicas;
  const known = recorded ?? { num, listed: [] };
  if (wanted === 'local') {
    if (known.listed.length === 0) return {};
    const none = { num, listed: [] };
    return { changes: [changed(context, known, none)], steps: [recordSync(context, view, none)] };
  }
  const before: SyncList = { num: Math.min(known.num, num), listed: union(known.listed, wanted) };
  const last: SyncList = { num, listed: wanted };
  const caughtUp = step(resource, {
    do: 'await-caught-up',
    node: placed(view.leader),
    names: namesOf(context, wanted),
    seconds: readySeconds,
  });
  if (recorded === undefined || !isSame(before, known)) {
    // Where nobody was listed, whoever is must first have all that was ever acknowledged.
    const waits = known.listed.length === 0 ? [caughtUp] : [];
    return {
      changes: [changed(context, known, before)],
      steps: [
        ...waits,
        recordSync(
          context,
          view,
          before,
          waits.map(({ id }) => id),
        ),
      ],
    };
  }
  if (isSame(last, known) || !isInForce) return {};
  return {
    changes: [changed(context, known, last)],
    steps: [caughtUp, recordSync(context, view, last, [caughtUp.id])],
  };
}

/** Whether a step is about whom commits wait for: nobody else waits for it. */
export function isOfCommits(id: string): boolean {
  return id.endsWith(': write-quorum') || id.endsWith(': await-caught-up');
}

/** Writes down who may hold what was acknowledged. */
export function recordSync(
  context: GroupContext,
  view: Led,
  sync: SyncList | undefined,
  after: readonly string[] = [],
): Step {
  const resource = groupResource(context.group.name);
  const action = recordAction(context, view, view.record.members, false, { sync });
  return { ...step(resource, action, after), id: `${resource}: write-quorum` };
}

function changed(context: GroupContext, before: SyncList, after: SyncList | undefined): Change {
  const text = (list: SyncList | undefined): string => {
    if (list === undefined) return 'none';
    const names = namesOf(context, list.listed);
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

function isSame(a: SyncList, b: SyncList): boolean {
  return a.num === b.num && a.listed.join() === b.listed.join();
}
