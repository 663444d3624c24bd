import { parseStandbyNames, type Commits } from '../postgres/config.ts';
import type { Report } from '../postgres/report.ts';
import type { Group } from '../topology/model.ts';
import { findContainer, type GroupView } from './group.ts';
import { streamsFrom } from './reports.ts';
import type { Snapshot } from './snapshot.ts';

/** What becomes of commits in quorum mode. */
export type CommitState = {
  /**
   * `degraded`: they are acknowledged without a replica, as the file allows; a failover may lose them. `overridden`: settings
   * made inside the server have some or all of them acknowledged so.
   */
  readonly state: 'durable' | 'waiting' | 'degraded' | 'overridden';
  /** Names of the nodes that may hold what was acknowledged. */
  readonly listed: readonly string[];
  readonly message: string;
};

/**
 * Tells it from what the leader has in force and from who streams, by the record where the leader says nothing; undefined in
 * async mode, and while nobody leads.
 */
export function findCommitState(
  group: Group,
  view: GroupView,
  snapshot: Snapshot,
  reports: ReadonlyMap<string, Report>,
): CommitState | undefined {
  if (group.replication.mode !== 'quorum' || view.phase !== 'led') return undefined;
  const leader = reports.get(view.leader.container.id);
  const recorded = view.record.sync;
  const nameAll = (slots: readonly number[]): readonly string[] =>
    group.nodes.filter(({ slot }) => slots.includes(slot)).map(({ name }) => name);
  const listed = nameAll(recorded?.listed ?? []);
  const reportOf = (slot: number): Report | undefined => {
    return reports.get(findContainer(snapshot, group.name, slot)?.id ?? '');
  };
  const ofReplicas = group.nodes.flatMap(({ name, slot }) =>
    slot === view.leader.slot ? [] : listOwnUnsafe(reportOf(slot)).map((setting) => `${name}: ${setting}`),
  );
  const override = leader === undefined ? undefined : describeOverride(leader, ofReplicas);
  if (override !== undefined) return { state: 'overridden', listed, message: override };
  const commits = commitsInForce(leader) ?? {
    num: Math.max(recorded?.num ?? 0, group.replication.syncReplicas),
    names: listed,
  };
  if (commits === 'local') {
    const message = 'commits are acknowledged without a replica: they may be lost with the leader';
    return { state: 'degraded', listed, message };
  }
  const { num, names } = commits;
  const of = `${String(num)} of ${names.join(', ')}`;
  const streaming = group.nodes.filter(
    ({ slot, name }) => names.includes(name) && streamsFrom(leader, reportOf(slot), name),
  );
  if (streaming.length < num) {
    const whom = names.length === 0 ? `${String(num)} ${num === 1 ? 'replica' : 'replicas'}` : of;
    const remedy = 'bring them back, or have commits go on without them: `durability: preferred` in the file';
    return { state: 'waiting', listed, message: `commits wait: too few replicas stream, they need ${whom}; ${remedy}` };
  }
  if (listed.length > 0) return { state: 'durable', listed, message: `commits wait for ${of}` };
  const message = `commits wait for ${of}, which may still lack what was acknowledged before`;
  return { state: 'degraded', listed, message };
}

/** Whom a leader waits for; undefined: it says nothing of that. */
function commitsInForce(leader: Report | undefined): Commits | undefined {
  if (leader?.recovery !== false || leader.waitsFor === undefined) return undefined;
  return parseStandbyNames(leader.waitsFor);
}

/** Of a replica that counts what costs it its data in a crash; the rest it has of its leader, or does not matter yet. */
function listOwnUnsafe(replica: Report | undefined): readonly string[] {
  return (replica?.unsafe ?? []).filter((setting) => /^(?:fsync|full_page_writes)=/.test(setting));
}

function describeOverride(leader: Report, ofReplicas: readonly string[]): string | undefined {
  const { recovery, waitsFor, unsafe = [] } = leader;
  if (recovery) return undefined;
  const isForeign = waitsFor !== undefined && parseStandbyNames(waitsFor) === undefined;
  const foreign = isForeign ? [`synchronous_standby_names=${waitsFor}`] : [];
  const found = [...unsafe, ...foreign, ...ofReplicas];
  if (found.length === 0) return undefined;
  return `commits may be lost with the leader by settings made inside the server: ${found.join('; ')}. Take them back with ALTER SYSTEM, ALTER ROLE or ALTER DATABASE … RESET`;
}

const reasons = { overridden: 'SettingsOverride', degraded: 'Degraded', waiting: 'Waiting' } as const;

/** What the groups of a cluster come to together; undefined where no file asks for a quorum. */
export function joinCommitStates(
  states: readonly (Pick<CommitState, 'state' | 'message'> & { readonly name: string })[],
): { readonly isDurable: boolean; readonly reason: string; readonly message: string } | undefined {
  if (states.length === 0) return undefined;
  const amiss = states.filter(({ state }) => state !== 'durable');
  const isDurable = amiss.length === 0;
  const [worst] = (['overridden', 'degraded', 'waiting'] as const).filter((each) =>
    amiss.some(({ state }) => state === each),
  );
  return {
    isDurable,
    reason: worst === undefined ? 'AsExpected' : reasons[worst],
    message: amiss.map(({ name, message }) => `${name}: ${message}`).join('; '),
  };
}
