import { PgherdError } from '../base/error.ts';
import { act, type ActionContext } from './actions.ts';
import type { Step } from './plan.ts';
import type { StepQueue } from './step-queue.ts';

export type Outcome =
  | { readonly step: Step; readonly result: 'done'; readonly milliseconds: number }
  | { readonly step: Step; readonly result: 'failed'; readonly error: unknown }
  /** Not tried, since a step before it was not done, or called off. */
  | { readonly step: Step; readonly result: 'skipped' };

export type ExecuteOptions = {
  readonly queue: StepQueue;
  /** Calls off what has not begun; what has is finished. */
  readonly signal: AbortSignal;
  readonly onStart: (step: Step) => void;
  readonly onEnd: (outcome: Outcome) => void;
};

/** Steps that wait for something for long, and cost the engine nothing meanwhile: they keep nobody from a turn. */
const waits: ReadonlySet<Step['action']['do']> = new Set([
  'await-node',
  'await-balancer',
  'await-caught-up',
  'detach',
  'promote',
  'resume-streaming',
  'free-replay',
  'finish-bootstrap',
  'pull-image',
]);

/** Steps that cannot be called off, and may take longer than anybody can wait: no step is planned after one. */
const endless: ReadonlySet<Step['action']['do']> = new Set(['finish-bootstrap', 'pull-image']);

/** What came of the steps of a plan. */
export type Executed = {
  /** Of those that have ended or were not tried. */
  readonly outcomes: readonly Outcome[];
  /** Those that go on. */
  readonly underWay: readonly { readonly step: Step; readonly outcome: Promise<Outcome> }[];
};

/**
 * Does the steps of a plan, each after those it waits for, and as many at once as allowed. A failure keeps what depends
 * on it from being tried, and nothing else. It ends without those that nothing calls off.
 */
export async function execute(
  steps: readonly Step[],
  context: ActionContext,
  options: ExecuteOptions,
): Promise<Executed> {
  const running = new Map<string, Promise<Outcome>>();
  const ended = new Set<string>();
  const planned = new Map(steps.map((step) => [step.id, step]));
  if (planned.size !== steps.length) throw new Error('two steps of a plan have one id');
  const isEndless = (id: string): boolean => endless.has(planned.get(id)?.action.do ?? 'start');
  if (steps.some(({ after }) => after.some(isEndless))) throw new Error('a step waits for what nothing calls off');

  const isReady = async (step: Step): Promise<boolean> => {
    const before = await Promise.all(step.after.flatMap((id) => running.get(id) ?? []));
    return before.every((outcome) => outcome.result === 'done');
  };
  const run = async (step: Step, ready: Promise<boolean>): Promise<Outcome> => {
    const outcome: Outcome = (await ready) ? await inTurn(step, context, options) : { step, result: 'skipped' };
    options.onEnd(outcome);
    ended.add(step.id);
    return outcome;
  };
  const awaited: Promise<unknown>[] = [];
  // Promises are made in an order in which each finds those it waits for.
  for (const step of topologicalOrder(steps)) {
    const ready = isReady(step);
    const outcome = run(step, ready);
    running.set(step.id, outcome);
    awaited.push(isEndless(step.id) ? ready.then((begins) => (begins ? undefined : outcome)) : outcome);
    // Who is given it below hears of it; where a bug of another one ends all, that one is told.
    outcome.catch(() => undefined);
  }
  // Where one throws, it is a bug, and told when nothing is under way any more.
  await Promise.allSettled(awaited);
  const goesOn = ({ id }: Step): boolean => isEndless(id) && !ended.has(id);
  const outcomeOf = (step: Step): Promise<Outcome> =>
    running.get(step.id) ?? Promise.resolve({ step, result: 'skipped' });
  const underWay = steps.filter(goesOn).map((step) => ({ step, outcome: outcomeOf(step) }));
  const left = new Set(underWay.map(({ step }) => step));
  return { outcomes: await Promise.all(steps.filter((step) => !left.has(step)).map(outcomeOf)), underWay };
}

function inTurn(step: Step, context: ActionContext, options: ExecuteOptions): Promise<Outcome> {
  const task = (): Promise<Outcome> => attempt(step, context, options);
  return waits.has(step.action.do) ? task() : options.queue.add(context.cluster, task);
}

async function attempt(step: Step, context: ActionContext, options: ExecuteOptions): Promise<Outcome> {
  if (options.signal.aborted) return { step, result: 'skipped' };
  options.onStart(step);
  const start = performance.now();
  try {
    await act(step.action, context);
    return { step, result: 'done', milliseconds: performance.now() - start };
  } catch (error) {
    // A bug is not an outcome.
    if (!(error instanceof PgherdError)) throw error;
    // A wait that was called off says nothing about what was waited for.
    return error.code === 'interrupted' ? { step, result: 'skipped' } : { step, result: 'failed', error };
  }
}

/** The steps so that each comes after those it waits for; throws where they wait for each other in a circle. */
function topologicalOrder(steps: readonly Step[]): readonly Step[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const placed = new Set<string>();
  const open = new Set<string>();
  const order: Step[] = [];
  const place = (step: Step): void => {
    if (placed.has(step.id)) return;
    if (open.has(step.id)) throw new Error(`steps wait for each other in a circle: ${[...open].join(' -> ')}`);
    open.add(step.id);
    for (const id of step.after) {
      const earlier = byId.get(id);
      if (earlier !== undefined) place(earlier);
    }
    open.delete(step.id);
    placed.add(step.id);
    order.push(step);
  };
  for (const step of steps) place(step);
  return order;
}
