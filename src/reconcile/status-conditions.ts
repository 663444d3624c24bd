import { joinCommitStates } from './commit-state.ts';
import type { Plan } from './plan.ts';
import type { Condition, GroupStatus, Health, Sync } from './status-model.ts';

/** What holds of a cluster and what does not, from the plan and what its servers say. */
export function conditionsOf(sync: Sync, plan: Plan, groups: readonly GroupStatus[]): readonly Condition[] {
  const nodes = groups.flatMap((group) => group.nodes);
  const isReady = (healths: readonly { readonly health: Health }[]): boolean =>
    healths.every(({ health }) => health === 'Healthy');
  const condition = (type: string, holds: boolean, reason: string, message: string): Condition => ({
    type,
    status: holds ? 'True' : 'False',
    reason: holds ? 'AsExpected' : reason,
    message: holds ? '' : message,
  });
  const unhealthy = (
    list: readonly { readonly name: string; readonly health: Health; readonly message: string | null }[],
  ): string =>
    list
      .filter(({ health }) => health !== 'Healthy')
      .map(({ name, message }) => `${name}: ${message ?? 'not healthy'}`)
      .join('; ');
  const leaders = nodes.filter(({ role }) => role === 'leader');
  const replicas = nodes.filter(({ role }) => role !== 'leader');
  const balancers = groups.map(({ balancer }) => balancer);
  const hasLeaders = leaders.length === groups.length && isReady(leaders);
  const ready = sync === 'InSync' && hasLeaders && isReady(replicas) && isReady(balancers);
  const waiting = plan.changes.map(({ resource }) => resource).join(', ');
  const stalled = plan.blocked.map(({ resource, reason }) => `${resource}: ${reason.detail}`).join('; ');
  return [
    condition(
      'Ready',
      ready,
      sync === 'InSync' ? 'NotHealthy' : 'OutOfSync',
      waiting || stalled || unhealthy([...nodes, ...balancers]),
    ),
    {
      type: 'Stalled',
      status: stalled === '' ? 'False' : 'True',
      reason: stalled === '' ? 'AsExpected' : 'Blocked',
      message: stalled,
    },
    ...commitsCondition(groups),
    condition('LeaderAvailable', hasLeaders, 'NoLeader', unhealthy(leaders) || 'no node leads'),
    condition('ReplicasReady', isReady(replicas), 'NotStreaming', unhealthy(replicas)),
    condition('BalancerReady', isReady(balancers), 'NotAnswering', unhealthy(balancers)),
  ];
}

// Only where the file asks for a quorum.
function commitsCondition(groups: readonly GroupStatus[]): readonly Condition[] {
  const states = groups.flatMap(({ name, commits }) => (commits === null ? [] : [{ name, ...commits }]));
  const joined = joinCommitStates(states);
  if (joined === undefined) return [];
  const { isDurable, reason, message } = joined;
  return [{ type: 'CommitsDurable', status: isDurable ? 'True' : 'False', reason, message }];
}
