import type { Engine } from '../docker/engine.ts';
import type { Container } from '../docker/types.ts';
import { home as balancerHome } from '../balancer/revision.ts';
import type { Report } from '../postgres/report.ts';
import { explainHealth } from './balancer-health.ts';
import { findCommitState } from './commit-state.ts';
import { askReport } from './probe.ts';
import type { Group, Node, Topology } from '../topology/model.ts';
import { findContainer, findLeading, viewGroup } from './group.ts';
import { findLeftovers } from './leftovers.ts';
import { balancerResource, nodeResource } from './names.ts';
import { streamsFrom } from './reports.ts';
import { isByPause, type Blocked, type Plan } from './plan.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';
import { isSecondWriter, takesWritesText } from './writers.ts';
import { conditionsOf } from './status-conditions.ts';
import type { BalancerStatus, ClusterStatus, GroupStatus, Health, NodeStatus, Sync } from './status-model.ts';

/** Asks every server and balancer of a cluster, and joins that with what the plan says. Changes nothing. */
export async function readStatus(
  engine: Engine,
  topology: Topology,
  snapshot: Snapshot,
  plan: Plan,
): Promise<ClusterStatus> {
  const groups = await Promise.all(topology.groups.map((group) => readGroup(engine, topology, snapshot, plan, group)));
  const sync = findSync(plan);
  const parts = groups.flatMap(({ nodes, balancer }) => [...nodes.map(({ health }) => health), balancer.health]);
  const isDegraded = groups.some(({ commits }) => commits !== null && commits.state !== 'durable');
  const health = worst([
    ...(isDegraded ? (['Degraded'] as const) : []),
    ...(!plan.blocked.every(isByPause) ? (['Blocked'] as const) : []),
    ...parts,
  ]);
  return {
    name: topology.cluster,
    file: topology.file,
    sync,
    health,
    conditions: conditionsOf(sync, plan, groups),
    blocked: plan.blocked,
    groups,
    leftovers: findLeftovers(topology, snapshot),
  };
}

// Whoever paused it wants nothing to be done: what would be is in the changes.
function findSync({ changes, steps, blocked }: Plan): Sync {
  const left = blocked.some(isByPause) ? changes : steps;
  return left.length === 0 && blocked.every(isByPause) ? 'InSync' : 'OutOfSync';
}

async function readGroup(
  engine: Engine,
  topology: Topology,
  snapshot: Snapshot,
  plan: Plan,
  group: Group,
): Promise<GroupStatus> {
  const view = viewGroup(group, snapshot);
  const leaderSlot = findLeading(group, snapshot);
  const answers = await Promise.all(
    group.nodes.map(async (node) => {
      const observed = findObserved(snapshot, group, node);
      const answer = observed === undefined ? undefined : await askReport(engine, observed);
      return [node, observed, answer] as const;
    }),
  );
  const leader = answers.find(([node]) => node.slot === leaderSlot)?.[2];
  const said = new Map(
    answers.flatMap(([, observed, answer]) =>
      observed === undefined || answer === undefined ? [] : [[observed.container.id, answer] as const],
    ),
  );
  const nodes = answers.map(([node, observed, answer]) =>
    describeNode({
      topology,
      node,
      observed,
      container: findContainer(snapshot, group.name, node.slot),
      answer,
      leaderSlot,
      leader,
      isSecond: observed !== undefined && isSecondWriter(observed, { nodes: snapshot.nodes, reports: said }),
      blocked: findBlocked(plan, nodeResource(node.name)),
      found: findReason(plan, nodeResource(node.name)),
    }),
  );
  return {
    name: group.name,
    leader: group.nodes.find(({ slot }) => slot === leaderSlot)?.name ?? null,
    commits: findCommitState(group, view, snapshot, said) ?? null,
    nodes,
    balancer: await readBalancer(engine, topology, snapshot, group, plan),
  };
}

function describeNode(input: {
  readonly topology: Topology;
  readonly node: Node;
  readonly observed: ObservedNode | undefined;
  /** Also where another call holds it, and nothing else is known of it. */
  readonly container: Container | undefined;
  readonly answer: Report | undefined;
  readonly leaderSlot: number | undefined;
  /** What the leader answered. */
  readonly leader: Report | undefined;
  readonly isSecond: boolean;
  readonly blocked: Blocked | undefined;
  /** Why something is to be done to it. */
  readonly found: string | undefined;
}): NodeStatus {
  const { topology, node, observed, container, answer, leaderSlot, leader, isSecond, blocked, found } = input;
  const isLeader = node.slot === leaderSlot;
  const state = container?.state ?? 'missing';
  const common = {
    name: node.name,
    role: leaderSlot === undefined ? 'unknown' : isLeader ? 'leader' : 'replica',
    state,
    ip: container?.networks[topology.network.name]?.address ?? null,
    port: node.port ?? null,
    volume: container?.volumes[0]?.name ?? null,
    ...describeRun(observed?.container),
    timeline: answer?.timeline ?? null,
  } as const;
  const lag = isLeader || answer === undefined || leader === undefined ? null : Math.max(0, leader.lsn - answer.lsn);
  const sender = leader?.senders?.[node.name]?.state;
  const receiver = answer?.receiver === 'streaming' && sender !== undefined ? sender : answer?.receiver;
  const replication = isLeader ? null : { state: receiver ?? 'none', lag_bytes: lag };
  if (blocked !== undefined) {
    return { ...common, replication, health: 'Blocked', message: blocked.reason.detail };
  }
  if (isSecond) return { ...common, replication, health: 'Degraded', message: takesWritesText };
  if (answer === undefined) {
    const is = observed?.facts.state.is;
    const isComing = is === 'cloning' || is === 'rewinding' || is === 'bootstrapping';
    const silent = isComing ? is : 'does not answer';
    const message = state === 'running' ? silent : (found ?? state);
    return { ...common, replication, health: isComing ? 'Progressing' : 'Degraded', message };
  }
  if (isLeader) {
    return {
      ...common,
      replication,
      health: answer.recovery ? 'Degraded' : 'Healthy',
      message: answer.recovery ? 'in recovery' : null,
    };
  }
  const streams = streamsFrom(leader, answer, node.name);
  if (!streams && receiver === 'catchup') {
    return { ...common, replication, health: 'Progressing', message: 'catching up with its leader' };
  }
  const message = streams ? null : 'does not stream';
  return { ...common, replication, health: streams ? 'Healthy' : 'Degraded', message };
}

async function readBalancer(
  engine: Engine,
  topology: Topology,
  snapshot: Snapshot,
  group: Group,
  plan: Plan,
): Promise<BalancerStatus> {
  const container = findContainer(snapshot, group.name, undefined);
  const common = {
    name: group.name,
    state: container?.state ?? 'missing',
    ip: container?.networks[topology.network.name]?.address ?? null,
    port: group.balancer.port ?? null,
    ...describeRun(container),
  };
  const blocked = findBlocked(plan, balancerResource(group.name));
  if (blocked !== undefined) return { ...common, health: 'Blocked', message: blocked.reason.detail };
  if (container?.state !== 'running') {
    const found = findReason(plan, balancerResource(group.name));
    return { ...common, health: 'Degraded', message: found ?? common.state };
  }
  const health = await engine.exec(container.id, {
    command: ['sh', `${balancerHome}/config/health`],
    deadline: 10_000,
  });
  const message = explainHealth(health) ?? null;
  return { ...common, health: message === null ? 'Healthy' : 'Degraded', message };
}

function describeRun(container: Container | undefined): Pick<NodeStatus, 'started_at' | 'restarts'> {
  const isRunning = container?.state === 'running' || container?.state === 'paused';
  return {
    started_at: isRunning ? new Date(container.startedAt).toISOString() : null,
    restarts: container?.restartCount ?? 0,
  };
}

function findObserved(snapshot: Snapshot, group: Group, node: Node): ObservedNode | undefined {
  return snapshot.nodes.find((each) => each.group === group.name && each.slot === node.slot);
}

function findBlocked(plan: Plan, resource: string): Blocked | undefined {
  return plan.blocked.find((blocked) => blocked.resource === resource);
}

function findReason(plan: Plan, resource: string): string | undefined {
  return plan.changes.find((change) => change.resource === resource)?.reason.detail;
}

const severity: readonly Health[] = ['Healthy', 'Progressing', 'Degraded', 'Blocked'];

function worst(healths: readonly Health[]): Health {
  return healths.toSorted((a, b) => severity.indexOf(b) - severity.indexOf(a))[0] ?? 'Healthy';
}
