import type { PgherdError } from '../base/error.ts';
import type { Result } from '../reconcile/work.ts';
import type { Condition as Plain } from '../reconcile/status-model.ts';
import { findCommitState, joinCommitStates } from '../reconcile/commit-state.ts';
import { streamsFrom, type Reports } from '../reconcile/reports.ts';
import type { Snapshot } from '../reconcile/snapshot.ts';
import { isSecondWriter, takesWritesText } from '../reconcile/writers.ts';
import type { ClusterSource } from './topology-state.ts';
import { formatDiagnostic } from '../topology/load.ts';
import type { Group } from '../topology/model.ts';
import { findContainer, findLeading, viewGroup } from '../reconcile/group.ts';

export type Condition = Plain & {
  /** ISO 8601: when the status became what it is. */
  readonly since: string;
  /** The generation of the file that it was found for. */
  readonly observedGeneration: number;
};

/** Why the engine is not known to answer, before it was asked. */
export const notAsked = 'not asked yet';

/** All that conditions are made of. */
export type Facts = {
  readonly source: ClusterSource;
  /** Why the engine cannot be asked; undefined: it can. */
  readonly engineDown: string | undefined;
  /** Who else keeps the cluster. */
  readonly standby: string | undefined;
  readonly isWorking: boolean;
  readonly snapshot: Snapshot | undefined;
  readonly reports: Reports;
  /** Whether a server was started or found so lately that its silence means nothing. */
  readonly isAwaited: (container: string) => boolean;
  readonly result: Result | undefined;
  /** What ended the last turn before it had a result. */
  readonly failure: PgherdError | undefined;
};

type Finding = {
  readonly type: string;
  /** Undefined: nobody knows yet. */
  readonly holds: boolean | undefined;
  readonly reason: string;
  readonly message: string;
};

/** Conditions as they are now; one whose status is what it was keeps its time. */
export function deriveConditions(facts: Facts, before: readonly Condition[], now: Date): readonly Condition[] {
  return findings(facts).map(({ type, holds, reason, message }) => {
    const status = holds === undefined ? 'Unknown' : holds ? 'True' : 'False';
    const earlier = before.find((each) => each.type === type);
    const since = earlier?.status === status ? earlier.since : now.toISOString();
    return { type, status, reason, message, since, observedGeneration: facts.source.generation };
  });
}

function findings(facts: Facts): readonly Finding[] {
  const parts = [topologyValid(facts), engineReachable(facts), ...servers(facts)];
  const { result } = facts;
  const isDone = result?.converged === true;
  const missing = parts.filter(({ type, holds }) => holds !== true && type !== 'TopologyValid');
  const lacking = missing.map(({ type }) => type);
  const isUnknown = missing.length > 0 && missing.every(({ holds }) => holds === undefined);
  const isReady = isUnknown ? undefined : isDone && lacking.length === 0;
  return [
    {
      type: 'Ready',
      holds: isReady,
      reason: isReady === true ? 'AsTheFileSays' : (lacking[0] ?? (facts.isWorking ? 'Working' : 'NotConverged')),
      message: isReady === true ? '' : lacking.join(', '),
    },
    reconciling(facts),
    stalledBy(facts),
    ...parts,
  ];
}

function topologyValid({ source }: Facts): Finding {
  const [first] = source.diagnostics;
  return {
    type: 'TopologyValid',
    holds: source.valid,
    reason: source.valid ? 'Loaded' : (first?.code ?? 'Invalid'),
    message: source.valid
      ? ''
      : `the last good topology is kept: ${source.diagnostics.map(formatDiagnostic).join('; ')}`,
  };
}

function engineReachable({ engineDown, snapshot }: Facts): Finding {
  return {
    type: 'EngineReachable',
    holds: engineDown === undefined ? true : engineDown === notAsked && snapshot === undefined ? undefined : false,
    reason: engineDown === undefined ? 'Answers' : 'NoAnswer',
    message: engineDown ?? '',
  };
}

function reconciling({ isWorking, standby, result, failure }: Facts): Finding {
  const type = 'Reconciling';
  if (standby !== undefined) return { type, holds: false, reason: 'Standby', message: `it is kept by ${standby}` };
  if (isWorking) return { type, holds: true, reason: 'Working', message: '' };
  if (failure?.retry === true) return { type, holds: true, reason: 'Retrying', message: failure.message };
  if (result?.stopped !== 'retry') return { type, holds: false, reason: 'Idle', message: '' };
  const failures = result.failures.map(({ resource, error }) => `${resource}: ${error.message}`);
  return { type, holds: true, reason: 'Retrying', message: failures.join('; ') };
}

// What only a human can change, and what has just been given up.
function stalledBy({ result, failure }: Facts): Finding {
  const blocked = (result?.blocked ?? []).map(({ resource, reason, remedy }) => ({
    code: reason.code,
    text: `${resource}: ${reason.detail} (${remedy})`,
  }));
  // What only waits for something else comes after what that is.
  const isWaiting = ({ code }: { readonly code: string }): boolean => code === 'change-waits';
  const reasons = [
    ...(failure === undefined || failure.retry ? [] : [{ code: failure.code, text: describe(failure) }]),
    ...blocked.filter((each) => !isWaiting(each)),
    ...(result?.held ?? []).map(({ resource, message }) => ({ code: 'restart-held', text: `${resource}: ${message}` })),
    ...(result?.failures ?? [])
      .filter(({ error }) => !error.retry)
      .map(({ resource, error }) => ({ code: error.code, text: `${resource}: ${describe(error)}` })),
    ...blocked.filter(isWaiting),
  ];
  return {
    type: 'Stalled',
    holds: reasons.length > 0,
    reason: reasons[0]?.code ?? 'Nothing',
    message: reasons.map(({ text }) => text).join('; '),
  };
}

function describe({ message, remedy }: PgherdError): string {
  return `${message} (${remedy})`;
}

function servers({ source, snapshot, reports, isAwaited, isWorking }: Facts): readonly Finding[] {
  if (snapshot === undefined) {
    const unknown = { holds: undefined, reason: 'NotLookedYet', message: '' };
    return ['LeaderAvailable', 'ReplicasReady', 'BalancerReady'].map((type) => ({ type, ...unknown }));
  }
  const { groups } = source.topology;
  const leaders: string[] = [];
  const replicas: string[] = [];
  const awaited = { leaders: 0, replicas: 0 };
  const balancers: string[] = [];
  for (const group of groups) {
    const leading = findLeading(group, snapshot);
    if (leading === undefined) leaders.push(`${group.name} has none`);
    const leads = leading === undefined ? undefined : findContainer(snapshot, group.name, leading);
    for (const node of group.nodes) {
      const observed = snapshot.nodes.find((each) => each.group === group.name && each.slot === node.slot);
      const container = findContainer(snapshot, group.name, node.slot);
      const report = container === undefined ? undefined : reports.get(container.id);
      const state = container?.state ?? 'missing';
      const isLeader = node.slot === leading;
      const takesWrites = (heard: Reports): boolean =>
        observed !== undefined && isSecondWriter(observed, { nodes: snapshot.nodes, reports: heard });
      if (takesWrites(reports)) {
        // What it says since the last look may be what was done since: it leads then, and the next look sees that it is to.
        if (isWorking && !takesWrites(snapshot.reports)) continue;
        replicas.push(`${node.name} ${takesWritesText}`);
      } else if (report === undefined && observed !== undefined && isAwaited(observed.container.id)) {
        awaited[isLeader ? 'leaders' : 'replicas'] += 1;
      } else if (report === undefined) {
        const silent = `${node.name} ${state === 'running' ? 'does not answer' : `is ${state}`}`;
        (isLeader ? leaders : replicas).push(silent);
      } else if (isLeader && report.recovery) leaders.push(`${node.name} is in recovery`);
      else if (!isLeader && !streamsFrom(reports.get(leads?.id ?? ''), report, node.name)) {
        replicas.push(`${node.name} does not stream`);
      }
    }
    const balancer = findContainer(snapshot, group.name, undefined);
    if (balancer?.state !== 'running') balancers.push(`${group.name} is ${balancer?.state ?? 'missing'}`);
    else if (balancer.health.status === 'unhealthy') balancers.push(`${group.name} does not answer`);
  }
  const finding = (type: string, reason: string, amiss: readonly string[], isKnown: boolean): Finding => {
    if (amiss.length > 0) return { type, holds: false, reason, message: amiss.join('; ') };
    return isKnown
      ? { type, holds: true, reason: 'AsExpected', message: '' }
      : { type, holds: undefined, reason: 'NotHeardYet', message: '' };
  };
  return [
    finding('LeaderAvailable', 'NoLeader', leaders, awaited.leaders === 0),
    finding('ReplicasReady', 'NotStreaming', replicas, awaited.replicas === 0),
    finding('BalancerReady', 'NotAnswering', balancers, true),
    ...commitsDurable(groups, snapshot, reports),
  ];
}

// Only where the file asks for a quorum.
function commitsDurable(groups: readonly Group[], snapshot: Snapshot, reports: Reports): readonly Finding[] {
  const states = groups.flatMap((group) => {
    const state = findCommitState(group, viewGroup(group, snapshot), snapshot, reports);
    return state === undefined ? [] : [{ name: group.name, ...state }];
  });
  const joined = joinCommitStates(states);
  if (joined === undefined) return [];
  const { isDurable, reason, message } = joined;
  return [{ type: 'CommitsDurable', holds: isDurable, reason, message }];
}

/** Whether a condition is worth a word: not where nobody knows, nor where all is as well as was told last. */
export function isWorthTelling({ type, status }: Condition, told: Condition['status'] | undefined): boolean {
  if (type === 'Reconciling' || status === 'Unknown') return false;
  const good = type === 'Stalled' ? 'False' : 'True';
  return status !== good || (told !== undefined && told !== good);
}

/** The conditions that differ in more than their generation. */
export function changedConditions(before: readonly Condition[], after: readonly Condition[]): readonly Condition[] {
  return after.filter((each) => {
    const earlier = before.find(({ type }) => type === each.type);
    return earlier?.status !== each.status || earlier.reason !== each.reason || earlier.message !== each.message;
  });
}
