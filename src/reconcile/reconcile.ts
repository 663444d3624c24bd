import { InterruptedError, PgherdError, hasCode } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { Topology } from '../topology/model.ts';
import type { ActionContext } from './actions.ts';
import { execute, type Outcome } from './execute.ts';
import { takeLock, type Lock } from './lock.ts';
import { look } from './look.ts';
import type { Passwords } from './passwords.ts';
import type { Blocked, Plan, Step } from './plan.ts';

/** What happens while a cluster is brought to what its file says. */
export type Progress =
  | { readonly type: 'planned'; readonly plan: Plan; readonly round: number }
  | { readonly type: 'waiting-for-lock'; readonly holder: string }
  | { readonly type: 'step-started'; readonly step: Step }
  | { readonly type: 'step-ended'; readonly outcome: Outcome }
  | { readonly type: 'retrying'; readonly milliseconds: number; readonly error: PgherdError };

export type Failure = { readonly resource: string; readonly error: PgherdError };

export type Result = {
  readonly cluster: string;
  readonly converged: boolean;
  /** Steps done. */
  readonly done: number;
  readonly blocked: readonly Blocked[];
  readonly failures: readonly Failure[];
  /** Why it stopped before the end, where it did. */
  readonly stopped: 'timed-out' | 'interrupted' | undefined;
};

/** The world outside the engine. */
export type World = {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly randomBytes: (size: number) => Buffer;
  readonly readFile: (path: string) => Promise<Buffer>;
};

export type ReconcileOptions = {
  /** Milliseconds. */
  readonly timeout: number;
  /** Calls off what has not begun. */
  readonly signal: AbortSignal;
  readonly concurrency: number;
  readonly onProgress: (progress: Progress) => void;
};

const firstBackoff = 500;
const longestBackoff = 10_000;

/** After these, a server that answered before must be asked again. */
const interrupting: ReadonlySet<Step['action']['do']> = new Set([
  'start',
  'restart',
  'unpause',
  'connect',
  'disconnect',
  'create-container',
  'remove-container',
]);

/** Rounds of the same steps, all done, after which something undoes them. */
const mostRepeats = 5;

/** Brings one cluster to what its file says: looks, plans, acts, until there is nothing to do or nothing helps. */
export async function reconcile(
  engine: Engine,
  topology: Topology,
  passwords: Passwords,
  world: World,
  options: ReconcileOptions,
): Promise<Result> {
  const run = new Run(engine, topology, passwords, world, options);
  try {
    return await run.converge();
  } finally {
    await run.release();
  }
}

class Run {
  readonly #engine: Engine;
  readonly #topology: Topology;
  readonly #passwords: Passwords;
  readonly #world: World;
  readonly #options: ReconcileOptions;
  readonly #signal: AbortSignal;
  readonly #deadline: number;
  readonly #context: ActionContext;
  /** By resource: what no retry helps. */
  readonly #failures = new Map<string, PgherdError>();
  /** Resources that have answered in this run. */
  readonly #answered = new Set<string>();
  #lock: Lock | undefined;
  #done = 0;
  /** Of the round before, for who asks why it took too long. */
  #last: readonly Outcome[] = [];
  #backoff = firstBackoff;
  #repeated = { steps: '', times: 0 };

  constructor(engine: Engine, topology: Topology, passwords: Passwords, world: World, options: ReconcileOptions) {
    this.#engine = engine;
    this.#topology = topology;
    this.#passwords = passwords;
    this.#world = world;
    this.#options = options;
    this.#deadline = world.now() + options.timeout;
    this.#signal = AbortSignal.any([options.signal, timeoutSignal(options.timeout)]);
    this.#context = {
      engine,
      cluster: topology.cluster,
      verifyLock: async () => {
        await this.#lock?.verify();
      },
      records: new Map(),
      owners: new Map(),
      passwordOf: passwords.of,
      readFile: world.readFile,
      randomBytes: world.randomBytes,
      signal: this.#signal,
    };
  }

  async release(): Promise<void> {
    await this.#lock?.release();
  }

  async converge(): Promise<Result> {
    for (let round = 1; ; round += 1) {
      const { plan } = await look(
        this.#engine,
        this.#topology,
        this.#passwords.fingerprints,
        new Set(this.#failures.keys()),
      );
      const steps = withoutFailed(plan.steps, this.#failures);
      if (round === 1 || steps.length > 0)
        this.#options.onProgress({ type: 'planned', plan: { ...plan, steps }, round });
      const isSettled = steps.length === 0;
      if (isSettled && (plan.blocked.length > 0 || this.#failures.size > 0)) return this.#result(plan, false);
      const checks = plan.checks
        .filter(({ resource }) => !this.#answered.has(resource))
        .map(({ resource, action }): Step => ({ id: `${resource}: ${action.do}`, resource, action, after: [] }));
      if (isSettled && checks.length === 0) return this.#result(plan, true);
      if (this.#isCalledOff()) return this.#result(plan, false, this.#last);
      if (!isSettled && this.#lock === undefined) {
        // What was seen before the lock was held may have changed.
        if (await this.#takeLock()) continue;
        return this.#result(plan, false);
      }
      const outcomes = await this.#execute(isSettled ? checks : steps);
      this.#last = outcomes;
      if (isSettled && outcomes.every(({ result }) => result === 'done')) return this.#result(plan, true);
      if (this.#isCalledOff()) return this.#result(plan, false, outcomes);
      if (!isSettled) this.#refuseToSpin(steps, outcomes);
      await this.#backOff(outcomes);
    }
  }

  /** Takes the lock, and says whether it did: the wait may be called off, and some hindrances only a human can remove. */
  async #takeLock(): Promise<boolean> {
    try {
      const image = await this.#lockImage();
      this.#lock = await takeLock(this.#engine, {
        cluster: this.#topology.cluster,
        image,
        signal: this.#signal,
        onWait: (holder) => {
          this.#options.onProgress({ type: 'waiting-for-lock', holder });
        },
        now: this.#world.now,
        sleep: this.#world.sleep,
      });
      return true;
    } catch (error) {
      if (error instanceof PgherdError && hasCode(error, 'image-missing', 'name-taken')) {
        this.#failures.set(`lock/${this.#topology.cluster}`, error);
      } else if (error instanceof PgherdError || !this.#signal.aborted) throw error;
      return false;
    }
  }

  /** An image of the cluster that the engine has; the first is pulled where it has none. */
  async #lockImage(): Promise<string> {
    const images = this.#topology.groups.flatMap(({ nodes, balancer }) => [
      ...nodes.map(({ image }) => image),
      balancer.image,
    ]);
    for (const image of images) {
      if ((await this.#engine.inspectImage(image)) !== undefined) return image;
    }
    const [first] = images;
    if (first === undefined) throw new Error('a topology without nodes');
    await this.#engine.pullImage(first);
    return first;
  }

  async #execute(steps: readonly Step[]): Promise<readonly Outcome[]> {
    const outcomes = await execute(steps, this.#context, {
      concurrency: this.#options.concurrency,
      signal: this.#signal,
      onStart: (step) => {
        this.#options.onProgress({ type: 'step-started', step });
      },
      onEnd: (outcome) => {
        this.#options.onProgress({ type: 'step-ended', outcome });
      },
    });
    for (const outcome of outcomes) {
      if (outcome.result === 'done') this.#noteDone(outcome.step);
      if (outcome.result !== 'failed' || !(outcome.error instanceof PgherdError)) continue;
      if (hasCode(outcome.error, 'engine-unreachable', 'engine-permission', 'lock-lost')) throw outcome.error;
      if (!outcome.error.retry && outcome.error.code !== 'interrupted') {
        this.#failures.set(outcome.step.resource, outcome.error);
      }
    }
    return outcomes;
  }

  #isCalledOff(): boolean {
    return this.#signal.aborted;
  }

  #noteDone({ resource, action }: Step): void {
    const isWait = action.do === 'await-node' || action.do === 'await-balancer';
    if (!isWait) this.#done += 1;
    if (isWait || action.do === 'finish-bootstrap' || action.do === 'resume-streaming') this.#answered.add(resource);
    else if (interrupting.has(action.do)) this.#answered.delete(resource);
  }

  async #backOff(outcomes: readonly Outcome[]): Promise<void> {
    const error = outcomes
      .map((outcome) => (outcome.result === 'failed' ? outcome.error : undefined))
      .find(isRetryable);
    if (error === undefined) {
      this.#backoff = firstBackoff;
      return;
    }
    this.#options.onProgress({ type: 'retrying', milliseconds: this.#backoff, error });
    await this.#world.sleep(this.#backoff, this.#signal).catch(() => undefined);
    this.#backoff = Math.min(this.#backoff * 2, longestBackoff);
  }

  #refuseToSpin(steps: readonly Step[], outcomes: readonly Outcome[]): void {
    const names = steps.map(({ id }) => id).join('\n');
    const isRepeated = outcomes.every(({ result }) => result === 'done') && names === this.#repeated.steps;
    this.#repeated = { steps: names, times: isRepeated ? this.#repeated.times + 1 : 0 };
    if (this.#repeated.times < mostRepeats) return;
    for (const { resource } of steps) {
      const message = `what was done ${String(mostRepeats)} times does not last: ${names.replaceAll('\n', ', ')}`;
      this.#failures.set(
        resource,
        new PgherdError('node-failed', message, { remedy: 'find what else changes these containers' }),
      );
    }
  }

  #result(plan: Plan, converged: boolean, outcomes: readonly Outcome[] = []): Result {
    const retried = outcomes.flatMap((outcome) =>
      outcome.result === 'failed' && isRetryable(outcome.error)
        ? [{ resource: outcome.step.resource, error: outcome.error }]
        : [],
    );
    const isTimedOut = this.#world.now() >= this.#deadline;
    return {
      cluster: this.#topology.cluster,
      converged,
      done: this.#done,
      blocked: plan.blocked,
      failures: [...[...this.#failures].map(([resource, error]) => ({ resource, error })), ...retried],
      stopped: converged || !this.#isCalledOff() ? undefined : isTimedOut ? 'timed-out' : 'interrupted',
    };
  }
}

// A timer that keeps no process alive, and tells a wait that it was called off rather than that the engine is slow.
function timeoutSignal(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(new InterruptedError('the time for this run has passed'));
  }, milliseconds).unref();
  return controller.signal;
}

function isRetryable(error: unknown): error is PgherdError {
  return error instanceof PgherdError && error.retry;
}

/** Steps without those of resources that failed for good, and without what waits for them. */
function withoutFailed(steps: readonly Step[], failures: ReadonlyMap<string, PgherdError>): readonly Step[] {
  const dropped = new Set(steps.filter(({ resource }) => failures.has(resource)).map(({ id }) => id));
  for (let size = -1; size !== dropped.size;) {
    size = dropped.size;
    for (const step of steps) if (step.after.some((id) => dropped.has(id))) dropped.add(step.id);
  }
  return steps.filter(({ id }) => !dropped.has(id));
}
