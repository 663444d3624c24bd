import type { Style } from '../output.ts';
import type { ClusterState, ProgressState, ResourceState, StepState } from './progress-state.ts';
import { runningSteps } from './progress-state.ts';
import { stepWords } from './step-words.ts';

/** How it is with a cluster or a resource. */
export type RowState = 'running' | 'waiting' | 'failed' | 'skipped' | 'done';

/** One line of the tree, before it is laid out. */
export type Row = {
  readonly cluster: string;
  /** A cluster's own line, above those of its resources. */
  readonly isHead: boolean;
  readonly state: RowState;
  readonly name: string;
  /** Milliseconds. */
  readonly time: number | undefined;
  readonly text: string;
  readonly style: Style | undefined;
};

/** Milliseconds after which a step is said to be still waited for. */
const longWait = 10_000;

/** Kinds of resources in the order in which they are shown; what is of no kind named here comes last. */
const kinds = ['network', 'volume', 'group', 'node', 'balancer'];

/** What became of a resource, by the verbs of its plan. */
const results: Readonly<Record<string, string>> = {
  create: 'created',
  update: 'changed in place',
  restart: 'restarted',
  start: 'started',
  promote: 'promoted',
  delete: 'removed',
  'delete+create': 'made anew',
};

/** Steps that end when a server answers. */
const answers: ReadonlySet<StepState['action']> = new Set([
  'await-node',
  'await-balancer',
  'finish-bootstrap',
  'resume-streaming',
]);

/** The lines of the tree: each cluster, and below it its resources by kind. */
export function toRows(state: ProgressState, now: number): readonly Row[] {
  return state.clusters.flatMap((cluster) => [toHead(cluster, state.isStopping, now), ...resourceRows(cluster, now)]);
}

/** The resources of a cluster, by kind. */
function resourceRows(cluster: ClusterState, now: number): readonly Row[] {
  const steps = new Map(
    cluster.resources.flatMap((resource) => resource.steps.map((step) => [step.id, { resource, step }] as const)),
  );
  return cluster.resources
    .toSorted((one, other) => rankOf(one.name) - rankOf(other.name))
    .map((resource) => ({
      cluster: cluster.name,
      isHead: false,
      name: resource.name,
      ...describe(resource, cluster, steps, now),
    }));
}

function rankOf(resource: string): number {
  const rank = kinds.indexOf(resource.slice(0, resource.indexOf('/')));
  return rank === -1 ? kinds.length : rank;
}

function toHead(cluster: ClusterState, isStopping: boolean, now: number): Row {
  const time = (cluster.endedAt ?? now) - cluster.startedAt;
  return {
    cluster: cluster.name,
    isHead: true,
    name: cluster.name,
    time,
    ...describeCluster(cluster, isStopping, now),
  };
}

function describeCluster(
  cluster: ClusterState,
  isStopping: boolean,
  now: number,
): Pick<Row, 'state' | 'text' | 'style'> {
  const { phase } = cluster;
  if (phase.is === 'ended') {
    return phase.converged
      ? { state: 'done', text: 'done', style: 'green' }
      : { state: 'failed', text: 'not converged', style: 'red' };
  }
  if (isStopping) {
    const count = runningSteps(cluster).length;
    const text =
      count === 0
        ? 'stopping'
        : `stopping when ${plural(count, 'step')} under way ${count === 1 ? 'has' : 'have'} ended`;
    return { state: 'running', text, style: 'yellow' };
  }
  switch (phase.is) {
    case 'looking':
      return { state: 'running', text: cluster.resources.length === 0 ? 'looking' : 'looking again', style: undefined };
    case 'working':
      return { state: 'running', text: countSteps(cluster), style: undefined };
    case 'waiting-for-lock':
      return { state: 'waiting', text: `waiting: it is being changed by ${phase.holder}`, style: 'yellow' };
    case 'retrying': {
      const seconds = Math.max(0, Math.ceil((phase.until - now) / 1000));
      return { state: 'waiting', text: `trying again in ${String(seconds)} s: ${phase.error}`, style: 'yellow' };
    }
  }
}

function countSteps({ resources }: ClusterState): string {
  const steps = resources.flatMap((resource) => resource.steps);
  const done = steps.filter(({ progress }) => progress.is === 'done').length;
  return `${String(done)} of ${plural(steps.length, 'step')} done`;
}

type Steps = ReadonlyMap<string, { readonly resource: ResourceState; readonly step: StepState }>;

function describe(
  resource: ResourceState,
  cluster: ClusterState,
  steps: Steps,
  now: number,
): Pick<Row, 'state' | 'time' | 'text' | 'style'> {
  const before = resource.error === undefined ? '' : `; failed before: ${resource.error}`;
  const running = resource.steps.find(({ progress }) => progress.is === 'running');
  if (running?.progress.is === 'running') {
    const time = now - running.progress.since;
    const isLong = time >= longWait;
    const text = `${isLong ? 'still ' : ''}${stepWords[running.action]}${before}`;
    return { state: 'running', time, text, style: isLong ? 'yellow' : undefined };
  }
  const failed = resource.steps.find(({ progress }) => progress.is === 'failed');
  if (failed?.progress.is === 'failed') {
    const text = `${stepWords[failed.action]} failed: ${failed.progress.error}`;
    return { state: 'failed', time: spent(resource), text, style: 'red' };
  }
  const waiting = resource.steps.find(({ progress }) => progress.is === 'waiting');
  if (waiting !== undefined) {
    const isOthers = cluster.phase.is === 'waiting-for-lock';
    const reason =
      waitText(resource, waiting, steps) ?? (isOthers ? `next: ${stepWords[waiting.action]}` : 'waits for its turn');
    const text = `${reason}${before}`;
    return { state: 'waiting', time: undefined, text, style: 'dim' };
  }
  if (resource.steps.some(({ progress }) => progress.is === 'skipped')) {
    const text = resource.startedAt === undefined ? 'not begun' : 'not finished';
    return { state: 'skipped', time: spent(resource), text, style: 'yellow' };
  }
  if (isHalfway(resource, cluster)) {
    return cluster.phase.is === 'ended'
      ? { state: 'skipped', time: spent(resource), text: 'not finished', style: 'yellow' }
      : { state: 'waiting', time: undefined, text: waitForRound(cluster), style: 'dim' };
  }
  return { state: 'done', time: spent(resource), text: resultOf(resource), style: 'dim' };
}

// A container that is there is no server yet: what comes next is planned after another look.
function isHalfway({ name, verbs, steps }: ResourceState, { phase }: ClusterState): boolean {
  const isServer = name.startsWith('node/') || name.startsWith('balancer/');
  const isMade = verbs?.endsWith('create') === true;
  const isWell = phase.is === 'ended' && phase.converged;
  return isServer && isMade && !isWell && !steps.some(({ action }) => answers.has(action));
}

function waitForRound(cluster: ClusterState): string {
  const [longest] = runningSteps(cluster);
  const resource = cluster.resources.find(({ steps }) => steps.some(({ id }) => id === longest?.id));
  if (longest === undefined || resource === undefined) return 'waits for what comes next';
  return `waits for ${resource.name}: ${stepWords[longest.action]}`;
}

// A step of the resource itself that has not ended either waits for the same.
function waitText(resource: ResourceState, { after }: StepState, steps: Steps): string | undefined {
  const open = after.flatMap((id) => {
    const found = steps.get(id);
    return found === undefined || found.step.progress.is === 'done' || found.resource === resource ? [] : [found];
  });
  const [first, ...rest] = open;
  if (first === undefined) return undefined;
  const more = rest.length === 0 ? '' : ` and ${String(rest.length)} more`;
  return `waits for ${first.resource.name}: ${stepWords[first.step.action]}${more}`;
}

function resultOf({ name, verbs, steps }: ResourceState): string {
  if (verbs === 'promote' && name.startsWith('group/')) return 'has another leader';
  if (verbs !== undefined) return results[verbs] ?? 'changed';
  return steps.some(isChange) ? 'done' : 'answers';
}

/** Whether a step is more than waiting for something. */
export function isChange({ action }: StepState): boolean {
  return !action.startsWith('await-');
}

function spent({ startedAt, endedAt }: ResourceState): number | undefined {
  return startedAt === undefined || endedAt === undefined ? undefined : endedAt - startedAt;
}

function plural(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}
