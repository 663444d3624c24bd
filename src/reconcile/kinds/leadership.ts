import type { RecordName } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { viewGroup, type GroupView } from '../group.ts';
import { decideLeadership, type Decision, type Member } from '../leadership.ts';
import { groupResource, nodeResource } from '../names.ts';
import { step, type Change, type Part, type Step } from '../plan.ts';
import type { Heard } from '../reports.ts';
import { nodeKey, type ObservedNode, type Snapshot } from '../snapshot.ts';
import { endpointStep } from './endpoints.ts';
import { nodeRevision } from '../../postgres/revision.ts';
import { recordSync } from './commits.ts';
import { findNode, nodeName, placed } from './find-node.ts';
import { isDead } from './leadership-actions.ts';
import { nodeSettings } from './node-config.ts';
import { nodeStopSeconds } from './node-spec.ts';

/** A group that has a record, and copies of its data. */
export type Known = Extract<GroupView, { phase: 'led' | 'lost' }>;

/** What is to become of who leads; undefined: there is nothing to decide. */
export function decideFor(context: GroupContext): Decision | undefined {
  const { view, group, snapshot } = context;
  if (view.phase !== 'led' && view.phase !== 'lost') return undefined;
  const leader = findNode(context, view.record.leader);
  const report = leader === undefined ? undefined : snapshot.past.get(nodeKey(leader));
  return decideLeadership({
    members: findMembers(context),
    leader: view.record.leader,
    policy: { mode: group.failover.mode, delay: group.failover.delay * 1000, maxLag: group.failover.maxLag },
    sync: group.replication.mode === 'quorum' ? (view.record.sync ?? { num: 1, listed: [] }) : undefined,
    handover: view.record.handover,
    lostFor: snapshot.lost.get(group.name),
    isHung: leader !== undefined && (snapshot.hung.has(leader.container.id) || leader.container.state === 'restarting'),
    redo: report?.redo ?? undefined,
    sinceChange: snapshot.sinceChange.get(group.name),
    settlesIn: snapshot.settlesIn.get(group.name) ?? 0,
  });
}

function findMembers(context: GroupContext): readonly Member[] {
  const { group, snapshot, failed, topology } = context;
  const observed = snapshot.nodes.filter((each) => each.group === group.name);
  const members = observed.map((each): Member => {
    const { container, facts, slot } = each;
    const name = group.nodes.find((node) => node.slot === slot)?.name ?? nodeName(each);
    const report = snapshot.reports.get(container.id);
    const last = report ?? snapshot.past.get(nodeKey(each));
    const isDown = isDead(container.state);
    return {
      name,
      slot,
      isWanted: group.nodes.some((node) => node.slot === slot),
      container: isDown ? 'down' : 'running',
      hasData: facts.state.is === 'data',
      isFenced: facts.serves === 'fenced',
      fencedFor: facts.fencedFor,
      fencedAt: facts.fencedAt,
      holdsAddress: container.networks[topology.network.writeName] !== undefined,
      // A server that ended since does not follow nobody any more.
      detached: isDown ? undefined : facts.detached,
      said: lastWords(snapshot, last, report === undefined),
      streams: report === undefined ? undefined : report.recovery && report.receiver === 'streaming',
      failed: failed.has(nodeResource(name)),
    };
  });
  const missing = group.nodes
    .filter(({ slot }) => !observed.some((each) => each.slot === slot))
    .map(({ name, slot }): Member => ({
      name,
      slot,
      isWanted: true,
      container: 'missing',
      hasData: false,
      isFenced: false,
      fencedFor: undefined,
      fencedAt: undefined,
      holdsAddress: false,
      detached: undefined,
      said: lastWords(snapshot, snapshot.past.get(nodeKey({ group: group.name, slot })), true),
      streams: false,
      failed: false,
    }));
  return [...members, ...missing];
}

function lastWords({ heardUntil }: Snapshot, heard: Heard | undefined, isSilent: boolean): Member['said'] {
  if (heard === undefined) return undefined;
  return { timeline: heard.timeline, lsn: heard.lsn, isSilent, ago: Math.max(0, heardUntil - heard.at) };
}

/** Takes the leader out of service, and has the others say how far they have come. */
export function planFence(context: GroupContext, view: Known, decision: Extract<Decision, { is: 'fence' }>): Part {
  const { group, topology } = context;
  const old = findNode(context, view.record.leader);
  const steps: Step[] = [];
  if (old !== undefined) {
    const resource = nodeResource(nameOf(context, old));
    const isDown = isDead(old.container.state);
    if (!isDown || old.facts.serves !== 'fenced') {
      const isForced = view.record.handover?.kind === 'failover-lossy';
      const isOrderly = decision.cause !== 'failover' && old.container.state === 'running';
      steps.push(
        step(resource, {
          do: 'fence',
          node: placed(old),
          image: old.container.image,
          name: nameOf(context, old),
          stopSeconds: isOrderly ? nodeStopSeconds : undefined,
          cause: isForced
            ? 'forced'
            : decision.cause === 'removed'
              ? 'removed'
              : decision.cause === 'switchover'
                ? 'asked'
                : isDown
                  ? 'ended'
                  : 'hung',
          superuser: group.user,
        }),
      );
    }
    if (old.container.networks[topology.network.writeName] !== undefined) {
      const action = { do: 'disconnect', container: old.container.id, network: topology.network.writeName } as const;
      const taken = endpointStep(resource, action);
      steps.push({ ...taken, after: steps.map(({ id }) => id) });
    }
  }
  // They follow until the leader is down: what it has sent, they have. Of one that has ended nothing comes any more.
  const isAlive = old !== undefined && !isDead(old.container.state);
  const fenced = steps.filter(({ action }) => isAlive && action.do === 'fence').map(({ id }) => id);
  for (const slot of decision.detach) {
    const node = findNode(context, slot);
    if (node === undefined) continue;
    const resource = nodeResource(nameOf(context, node));
    const start = step(resource, { do: 'start', container: node.container.id }, fenced);
    const isPaused = node.container.state === 'paused';
    if (isPaused) steps.push(step(resource, { do: 'unpause', container: node.container.id }, fenced));
    // One that the engine is about to start again is started at once.
    const mustStart = decision.start.includes(slot) || node.container.state === 'restarting';
    const detach = step(
      resource,
      { do: 'detach', node: placed(node), name: node.container.name },
      mustStart ? [start.id] : isPaused ? [`${resource}: unpause`] : fenced,
    );
    steps.push(...(mustStart ? [start] : []), detach);
  }
  return { changes: [leaderChange(context, view, decision, undefined)], steps };
}

/** Writes down who leads from now on. What a group is to be like then is planned as if it stood there already. */
export function planSuccession(
  context: GroupContext,
  view: Known,
  decision: Extract<Decision, { is: 'promote' }>,
): { readonly record: Step; readonly change: Change; readonly next: GroupContext } {
  const { group, snapshot } = context;
  const { record } = view;
  const sync = group.replication.mode === 'quorum' ? { num: record.sync?.num ?? 1, listed: [] } : undefined;
  const fork = { timeline: decision.position.timeline, lsn: decision.position.lsn };
  const nextRecord: RecordName = {
    ...record,
    version: record.version + 1,
    leader: decision.to,
    handover: undefined,
    fork,
    ...(sync === undefined ? {} : { sync }),
  };
  const holders = snapshot.nodes.filter((each) => each.group === group.name && each.facts.record !== undefined);
  const name = (slot: number): string => group.nodes.find((node) => node.slot === slot)?.name ?? `slot ${String(slot)}`;
  const old = findNode(context, record.leader);
  const action = {
    do: 'write-record',
    group: group.name,
    source: { ...placed(view.source), record },
    leader: decision.to,
    members: record.members,
    systemIdentifier: view.systemIdentifier,
    renewPassword: false,
    known: { handover: undefined, fork, ...(sync === undefined ? {} : { sync }) },
    change: {
      kind: decision.cause === 'failover' ? 'failover' : 'switchover',
      cause: decision.why,
      from: old === undefined ? name(record.leader) : nameOf(context, old),
      to: name(decision.to),
      timeline: decision.position.timeline,
      lsn: decision.position.lsn,
      lostBytes: decision.lostBytes,
    },
    targets: holders.map((each) => ({ ...placed(each), image: each.container.image })),
  } as const;
  const nodes = snapshot.nodes.map((each) =>
    holders.includes(each) ? { ...each, facts: { ...each.facts, record: nextRecord } } : each,
  );
  const nextSnapshot = { ...snapshot, nodes };
  return {
    record: { ...step(groupResource(group.name), action), id: `${groupResource(group.name)}: write-leader` },
    change: leaderChange(context, view, decision, name(decision.to)),
    next: { ...context, snapshot: nextSnapshot, view: viewGroup(group, nextSnapshot) },
  };
}

/**
 * Has commits on a new leader go on in quorum mode as soon as those follow it that were seen not to be ahead of it, and
 * have all it has: whoever else comes is looked at later.
 */
export function planRelease(
  next: GroupContext,
  { to, position }: Extract<Decision, { is: 'promote' }>,
  steps: readonly Step[],
): readonly Step[] {
  const { group, view } = next;
  const node = group.nodes.find(({ slot }) => slot === to);
  if (group.replication.mode !== 'quorum' || view.phase !== 'led' || node === undefined) return [];
  const num = group.replication.syncReplicas;
  const survivors = group.nodes.filter(({ slot }) => {
    const observed = findNode(next, slot);
    const detached = observed?.container.state === 'running' ? observed.facts.detached : undefined;
    if (slot === to || detached === undefined) return false;
    return detached.timeline === position.timeline && detached.lsn <= position.lsn;
  });
  if (survivors.length < num) return [];
  const resource = groupResource(group.name);
  const leader = placed(view.leader);
  const names = survivors.map(({ name }) => name);
  const follow = steps.filter(
    ({ action, resource: of }) => action.do === 'reload' && names.some((name) => of === nodeResource(name)),
  );
  const record = recordSync(next, view, { num, listed: survivors.map(({ slot }) => slot) });
  const role = { is: 'lead', systemIdentifier: view.systemIdentifier, commits: { num, names } } as const;
  const settings = nodeSettings(next, node);
  const revision = nodeRevision({ ...settings, role }, leader.layout).name;
  const config = {
    do: 'write-config',
    group: group.name,
    node: leader,
    image: node.image,
    settings,
    role,
    atStart: false,
    unfence: undefined,
    record: undefined,
  } as const;
  const caughtUp = step(
    resource,
    { do: 'await-caught-up', node: leader, names },
    follow.map(({ id }) => id),
  );
  const write = { ...step(resource, config), id: `${resource}: write-commits`, after: [record.id] };
  return [
    caughtUp,
    { ...record, after: [caughtUp.id] },
    write,
    { ...step(resource, { do: 'reload', node: leader, revision }, [write.id]), id: `${resource}: release-commits` },
  ];
}

function leaderChange(
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

function nameOf({ group }: GroupContext, node: ObservedNode): string {
  return group.nodes.find(({ slot }) => slot === node.slot)?.name ?? nodeName(node);
}
