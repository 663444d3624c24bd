import { messageOf, PgherdError } from '../../base/error.ts';
import type { Outcome } from '../../reconcile/execute.ts';
import type { Plan, Step } from '../../reconcile/plan.ts';
import type { Progress } from '../../reconcile/work.ts';

/** What is known of the work on clusters; times are milliseconds of one clock that only goes forward. */
export type ProgressState = {
  readonly clusters: readonly ClusterState[];
  /** The user asked to stop: nothing new begins. */
  readonly isStopping: boolean;
};

export type ClusterState = {
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly phase: Phase;
  readonly resources: readonly ResourceState[];
};

export type Phase =
  | { readonly is: 'looking' }
  | { readonly is: 'working' }
  /** Somebody else has the cluster, and may do what there is to do. */
  | { readonly is: 'waiting-for-lock'; readonly holder: string; readonly since: number }
  | { readonly is: 'retrying'; readonly until: number; readonly error: string }
  | { readonly is: 'ended'; readonly converged: boolean };

export type ResourceState = {
  readonly name: string;
  /** Of its plan, e.g. `delete+create`; undefined where it is only waited for. */
  readonly verbs: string | undefined;
  readonly steps: readonly StepState[];
  /** When its first step began, and its last one ended. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  /** What its last failed step said, until all of them are done. */
  readonly error: string | undefined;
};

export type StepState = Pick<Step, 'id' | 'after'> & {
  readonly action: Step['action']['do'];
  readonly progress: StepProgress;
};

export type StepProgress =
  | { readonly is: 'waiting' }
  | { readonly is: 'running'; readonly since: number }
  | { readonly is: 'done' }
  /** `isFinal`: no retry helps. */
  | { readonly is: 'failed'; readonly error: string; readonly isFinal: boolean }
  /** Not tried, or called off. */
  | { readonly is: 'skipped' };

export type ProgressEvent =
  | { readonly type: 'progress'; readonly cluster: string; readonly progress: Progress }
  | { readonly type: 'ended'; readonly cluster: string; readonly converged: boolean }
  | { readonly type: 'stopping' };

export const noProgress: ProgressState = { clusters: [], isStopping: false };

/** What is known after one more event. */
export function advance(state: ProgressState, event: ProgressEvent, now: number): ProgressState {
  if (event.type === 'stopping') return { ...state, isStopping: true };
  const { cluster: name } = event;
  const isKnown = state.clusters.some((each) => each.name === name);
  const begun: ClusterState = { name, startedAt: now, endedAt: undefined, phase: { is: 'looking' }, resources: [] };
  const clusters = isKnown ? state.clusters : [...state.clusters, begun];
  return {
    ...state,
    clusters: clusters.map((each) => {
      if (each.name !== name) return each;
      return event.type === 'ended' ? end(each, event.converged, now) : follow(each, event.progress, now);
    }),
  };
}

// What converged has nothing left to do, whoever did it; else what has not ended by now does not any more.
function end(cluster: ClusterState, converged: boolean, now: number): ClusterState {
  const resources = cluster.resources.map((resource) => ({
    ...resource,
    error: converged ? undefined : resource.error,
    steps: resource.steps.map((step): StepState => {
      if (converged) return { ...step, progress: { is: 'done' } };
      const isOpen = step.progress.is === 'waiting' || step.progress.is === 'running';
      return isOpen ? { ...step, progress: { is: 'skipped' } } : step;
    }),
  }));
  return { ...cluster, resources, endedAt: now, phase: { is: 'ended', converged } };
}

function follow(cluster: ClusterState, progress: Progress, now: number): ClusterState {
  const { phase } = cluster;
  switch (progress.type) {
    case 'looking':
      return phase.is === 'waiting-for-lock' ? cluster : { ...cluster, phase: { is: 'looking' } };
    case 'looked':
      // Until the cluster is ours, its plan grows and shrinks by what its holder does.
      return phase.is === 'waiting-for-lock' ? takePlan(cluster, progress.looked.plan, true) : cluster;
    case 'planned':
      if (phase.is === 'waiting-for-lock') return takePlan(cluster, progress.plan, true);
      return { ...takePlan(cluster, progress.plan, false), phase: { is: 'working' } };
    case 'waiting-for-lock':
      if (isTold(cluster, progress.holder)) return cluster;
      return { ...cluster, phase: { is: 'waiting-for-lock', holder: progress.holder, since: now } };
    case 'step-started':
      return { ...startStep(cluster, progress.step, now), phase: { is: 'working' } };
    case 'step-ended':
      return endStep(cluster, progress.outcome, now);
    case 'retrying':
      return {
        ...cluster,
        phase: { is: 'retrying', until: now + progress.milliseconds, error: progress.error.message },
      };
  }
}

/** Whether this holder of the lock is waited for already. */
export function isTold({ phase }: ClusterState, holder: string): boolean {
  return phase.is === 'waiting-for-lock' && phase.holder === holder;
}

/** What is planned is to be done; what is not any more is left as it is, or was done by someone else. */
function takePlan(cluster: ClusterState, plan: Plan, byOther: boolean): ClusterState {
  const planned = new Map<string, readonly Step[]>();
  for (const step of plan.steps) planned.set(step.resource, [...(planned.get(step.resource) ?? []), step]);
  const isBroken = cluster.resources.some(({ steps }) => steps.some(isFailedForGood));
  const known = cluster.resources.map((resource) => {
    const steps = planned.get(resource.name);
    planned.delete(resource.name);
    if (steps === undefined) return leave(resource, byOther, isBroken);
    const kept = resource.steps.filter(({ id, progress }) => {
      return progress.is === 'done' && !steps.some((step) => step.id === id);
    });
    return {
      ...resource,
      verbs: resource.verbs ?? verbsOf(plan, resource.name),
      steps: [...kept, ...steps.map(toWaiting)],
    };
  });
  const added = [...planned].map(([name, steps]): ResourceState => {
    return { ...newResource(name), verbs: verbsOf(plan, name), steps: steps.map(toWaiting) };
  });
  const resources = [...known, ...added].filter(({ steps }) => steps.length > 0);
  return { ...cluster, resources };
}

function verbsOf({ changes }: Plan, name: string): string | undefined {
  return changes.find(({ resource }) => resource === name)?.actions.join('+');
}

// What was not tried is to be seen as long as what keeps it from being tried is.
function leave(resource: ResourceState, byOther: boolean, isBroken: boolean): ResourceState {
  const steps = resource.steps.flatMap((step): readonly StepState[] => {
    const { progress } = step;
    if (progress.is === 'done' || isFailedForGood(step)) return [step];
    if (progress.is === 'skipped') return isBroken ? [step] : [];
    return byOther ? [{ ...step, progress: { is: 'done' } }] : [];
  });
  return { ...resource, steps, error: steps.some(isFailedForGood) ? resource.error : undefined };
}

function isFailedForGood({ progress }: StepState): boolean {
  return progress.is === 'failed' && progress.isFinal;
}

function startStep(cluster: ClusterState, step: Step, now: number): ClusterState {
  return changeResource(cluster, step, (resource) => ({
    ...setStep(resource, step, { is: 'running', since: now }),
    startedAt: resource.startedAt ?? now,
  }));
}

function endStep(cluster: ClusterState, outcome: Outcome, now: number): ClusterState {
  const { step } = outcome;
  const progress = toProgress(outcome);
  return changeResource(cluster, step, (resource) => {
    const changed = setStep(resource, step, progress);
    const isOver = changed.steps.every((each) => each.progress.is === 'done');
    const error = progress.is === 'failed' ? progress.error : isOver ? undefined : changed.error;
    return { ...changed, error, endedAt: progress.is === 'skipped' ? changed.endedAt : now };
  });
}

function toProgress(outcome: Outcome): StepProgress {
  if (outcome.result !== 'failed') return { is: outcome.result };
  const { error } = outcome;
  return { is: 'failed', error: messageOf(error), isFinal: !(error instanceof PgherdError && error.retry) };
}

function changeResource(
  cluster: ClusterState,
  { resource: name }: Step,
  change: (resource: ResourceState) => ResourceState,
): ClusterState {
  const isKnown = cluster.resources.some((each) => each.name === name);
  const resources = isKnown ? cluster.resources : [...cluster.resources, newResource(name)];
  return { ...cluster, resources: resources.map((each) => (each.name === name ? change(each) : each)) };
}

// Checks at the end are in no plan.
function setStep(resource: ResourceState, step: Step, progress: StepProgress): ResourceState {
  const isKnown = resource.steps.some(({ id }) => id === step.id);
  const steps = isKnown ? resource.steps : [...resource.steps, toWaiting(step)];
  return { ...resource, steps: steps.map((each) => (each.id === step.id ? { ...each, progress } : each)) };
}

function newResource(name: string): ResourceState {
  return { name, verbs: undefined, steps: [], startedAt: undefined, endedAt: undefined, error: undefined };
}

function toWaiting({ id, after, action }: Step): StepState {
  return { id, after, action: action.do, progress: { is: 'waiting' } };
}

/** Steps under way, the longest first. */
export function runningSteps(cluster: ClusterState): readonly (StepState & { readonly since: number })[] {
  return cluster.resources
    .flatMap(({ steps }) =>
      steps.flatMap((step) => (step.progress.is === 'running' ? [{ ...step, since: step.progress.since }] : [])),
    )
    .toSorted((one, other) => one.since - other.since);
}
