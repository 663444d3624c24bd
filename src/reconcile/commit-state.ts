import type { Report } from '../postgres/report.ts';
import type { Group } from '../topology/model.ts';
import type { GroupView } from './group.ts';
import { streamsFrom } from './reports.ts';
import type { ObservedNode } from './snapshot.ts';

/** What becomes of commits in quorum mode. */
export type CommitState = {
  /** `degraded`: they are acknowledged without a replica, as the file allows; a failover may lose them. */
  readonly state: 'durable' | 'waiting' | 'degraded';
  /** Names of the nodes that may hold what was acknowledged. */
  readonly listed: readonly string[];
  readonly message: string;
};

/** Tells it from the record and from what the servers say; undefined in async mode, and while nobody leads. */
export function findCommitState(
  group: Group,
  view: GroupView,
  nodes: readonly ObservedNode[],
  reports: ReadonlyMap<string, Report>,
): CommitState | undefined {
  const { mode, syncReplicas, durability } = group.replication;
  if (mode !== 'quorum' || view.phase !== 'led') return undefined;
  const slots = view.record.sync?.listed ?? [];
  const listed = group.nodes.filter(({ slot }) => slots.includes(slot));
  const names = listed.map(({ name }) => name);
  const leader = reports.get(view.leader.container.id);
  const streams = listed.filter(({ slot, name }) => {
    const node = nodes.find((each) => each.group === group.name && each.slot === slot);
    return streamsFrom(leader, reports.get(node?.container.id ?? ''), name);
  });
  const of = `${String(syncReplicas)} of ${names.join(', ')}`;
  if (streams.length >= syncReplicas) return { state: 'durable', listed: names, message: `commits wait for ${of}` };
  if (names.length === 0 && durability === 'preferred') {
    const message = 'commits are acknowledged without a replica: they may be lost with the leader';
    return { state: 'degraded', listed: names, message };
  }
  const whom = names.length === 0 ? 'a replica' : of;
  return { state: 'waiting', listed: names, message: `commits wait: too few replicas stream, they need ${whom}` };
}

/** What the groups of a cluster come to together; undefined where no file asks for a quorum. */
export function joinCommitStates(
  states: readonly (Pick<CommitState, 'state' | 'message'> & { readonly name: string })[],
): { readonly isDurable: boolean; readonly reason: string; readonly message: string } | undefined {
  if (states.length === 0) return undefined;
  const amiss = states.filter(({ state }) => state !== 'durable');
  const isDurable = amiss.length === 0;
  const isDegraded = amiss.some(({ state }) => state === 'degraded');
  return {
    isDurable,
    reason: isDurable ? 'AsExpected' : isDegraded ? 'Degraded' : 'Waiting',
    message: amiss.map(({ name, message }) => `${name}: ${message}`).join('; '),
  };
}
