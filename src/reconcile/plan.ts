import type { Action } from './actions.ts';
import type { BlockCode } from './block-codes.ts';

/** What a change of a field costs. */
export type Effect = 'live' | 'restart' | 'recreate' | 'blocked';

/** `before` and `after` as a person would write them; undefined: absent. */
export type FieldChange = {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly effect: Effect;
};

export type Verb = 'create' | 'update' | 'restart' | 'start' | 'delete' | 'promote';

export type Reason = { readonly code: string; readonly detail: string };

export type BlockReason = { readonly code: BlockCode; readonly detail: string };

/** One resource that is not as the file says, for people and programs to read. */
export type Change = {
  /** e.g. `node/lb1-replica1`. */
  readonly resource: string;
  readonly kind: string;
  readonly actions: readonly Verb[];
  readonly reason: Reason;
  readonly fields: readonly FieldChange[];
};

/** One thing to do. A step may be done twice: it looks before it acts. */
export type Step = {
  /** Unique in a plan, e.g. `node/lb1-replica1: start`. */
  readonly id: string;
  readonly resource: string;
  readonly action: Action;
  /** Ids of the steps that must be done first. */
  readonly after: readonly string[];
};

/** What only a human can decide; everything else goes on. */
export type Blocked = {
  readonly resource: string;
  readonly reason: BlockReason;
  readonly remedy: string;
};

/** Whether what is blocked is so by a pause: somebody's wish, and no hindrance. */
export function isByPause({ reason }: Blocked): boolean {
  return reason.code === 'paused';
}

/** A resource of which only a part of what is to be done can be planned, and why. */
export type Open = { readonly resource: string; readonly why: string };

/**
 * What must answer, or take what it could not be told, before the cluster counts as converged: tried when nothing else is
 * left to do.
 */
export type Check = { readonly resource: string; readonly action: Action };

/**
 * What is to be done next. Steps go as far as what is known allows: what depends on the outcome (a system identifier, a
 * subnet the engine chooses) is planned after another look.
 */
export type Plan = {
  readonly cluster: string;
  readonly changes: readonly Change[];
  readonly steps: readonly Step[];
  readonly blocked: readonly Blocked[];
  readonly checks: readonly Check[];
  /** Of which more is to be done, maybe, than is known yet. */
  readonly open?: readonly Open[] | undefined;
  /** How many resources the file wants. */
  readonly wanted: number;
  /** Milliseconds after which it is to be looked at again, whatever is waited for; undefined: no time counts. */
  readonly recheck?: number | undefined;
};

/** A part of a plan, as one resource kind gives it. */
export type Part = {
  readonly changes?: readonly Change[];
  readonly steps?: readonly Step[];
  readonly blocked?: readonly Blocked[];
  readonly checks?: readonly Check[];
  readonly recheck?: number | undefined;
};

export function mergeParts(parts: readonly Part[]): Required<Omit<Part, 'recheck'>> & Pick<Part, 'recheck'> {
  return {
    recheck: earliest(parts.map(({ recheck }) => recheck)),
    changes: parts.flatMap(({ changes }) => changes ?? []),
    steps: parts.flatMap(({ steps }) => steps ?? []),
    blocked: parts.flatMap(({ blocked }) => blocked ?? []),
    checks: parts.flatMap(({ checks }) => checks ?? []),
  };
}

/** The least of these; undefined where no time counts. */
export function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

export function step(resource: string, action: Action, after: readonly string[] = []): Step {
  return { id: `${resource}: ${action.do}`, resource, action, after };
}

/** Steps one after the other, the first after what the first says. */
export function inOrder(steps: readonly Step[]): readonly Step[] {
  return steps.map((each, index) => {
    const previous = steps[index - 1];
    return previous === undefined ? each : { ...each, after: [...each.after, previous.id] };
  });
}

/** Steps without those of these resources, and without what waits for them. */
export function without(
  steps: readonly Step[],
  resources: ReadonlySet<string>,
  isSpared: (step: Step) => boolean = () => false,
): readonly Step[] {
  const isLeft = (each: Step): boolean => resources.has(each.resource) && !isSpared(each);
  const dropped = new Set(steps.filter(isLeft).map(({ id }) => id));
  for (let size = -1; size !== dropped.size;) {
    size = dropped.size;
    for (const step of steps) if (step.after.some((id) => dropped.has(id))) dropped.add(step.id);
  }
  const left = steps.filter(({ id }) => !dropped.has(id));
  const awaited = new Set(left.flatMap(({ after }) => after));
  return left.filter((each) => !isForOthers(each) || awaited.has(each.id));
}

// A configuration that nobody is told of would be written again in the next round, and again.
function isForOthers({ action }: Step): boolean {
  return action.do === 'write-config' && !action.atStart && action.unfence === undefined && action.record === undefined;
}

/** What is done to a container before it would be restarted, and all where it is not. */
export function withoutRestart(steps: readonly Step[]): readonly Step[] {
  const restart = steps.findIndex(({ action }) => action.do === 'restart');
  return restart < 0 ? steps : steps.slice(0, restart);
}

/** A plan's steps as text, one a line with what it waits for: what planner tests compare. */
export function formatSteps(plan: Pick<Plan, 'steps'>): string {
  return plan.steps.map(({ id, after }) => (after.length === 0 ? id : `${id} <- ${after.join(', ')}`)).join('\n');
}
