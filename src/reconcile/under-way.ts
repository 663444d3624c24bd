import { PgherdError } from '../base/error.ts';
import type { Executed, Outcome } from './execute.ts';
import type { Step } from './plan.ts';

/** What has begun and nothing calls off. Each ends beside the rounds, and is taken by the one that comes next. */
export class UnderWay {
  readonly #ends = new Map<Step, Promise<void>>();
  readonly #onEnd: () => void;
  #ended: Outcome[] = [];
  /** By resource: what no retry helped the last time. */
  readonly #failures = new Map<string, PgherdError>();
  #bug: Error | undefined;

  /** `onEnd`: something can be taken. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** Whether nothing is under way, and nothing that has ended is to be taken. */
  get isNothing(): boolean {
    return this.#ends.size === 0 && this.#ended.length === 0;
  }

  add({ step, outcome }: Executed['underWay'][number]): void {
    const end = outcome
      .catch((bug: unknown): Outcome => {
        this.#bug = bug instanceof Error ? bug : new Error(String(bug));
        return { step, result: 'skipped' };
      })
      .then((ended) => {
        // One that was left is nobody's any more.
        if (!this.#ends.delete(step)) return;
        this.#ended.push(ended);
        this.#onEnd();
      });
    this.#ends.set(step, end);
  }

  /** What has ended since; throws what one of them has ended with that is no outcome. */
  takeEnded(): readonly Outcome[] {
    const bug = this.#bug;
    this.#bug = undefined;
    if (bug !== undefined) throw bug;
    const ended = this.#ended.splice(0);
    for (const outcome of ended) this.#note(outcome);
    return ended;
  }

  #note(outcome: Outcome): void {
    const { resource } = outcome.step;
    if (outcome.result === 'done') this.#failures.delete(resource);
    if (outcome.result !== 'failed' || !(outcome.error instanceof PgherdError) || outcome.error.retry) return;
    this.#failures.set(resource, outcome.error);
  }

  /** What those that are tried again failed with before: it holds until one of them has ended otherwise. */
  get failures(): ReadonlyMap<string, PgherdError> {
    return new Map([...this.#failures].filter(([resource]) => this.resources.includes(resource)));
  }

  /** The file has changed: what failed before says nothing of the next time. */
  forgetFailures(): void {
    this.#failures.clear();
  }

  /** The lock was held by nobody, or another one, meanwhile: what has ended may have been replaced since. */
  forgetEnded(): void {
    this.#ended = [];
    this.#failures.clear();
  }

  get resources(): readonly string[] {
    return [...this.#ends.keys()].map(({ resource }) => resource);
  }

  /** Nodes that are bootstrapped. */
  get bootstraps(): ReadonlySet<string> {
    const steps = [...this.#ends.keys()].filter(({ action }) => action.do === 'finish-bootstrap');
    return new Set(steps.map(({ resource }) => resource));
  }

  /** Whether there is nothing but bootstraps: what they end with, a later run can take as well. */
  get canBeLeft(): boolean {
    return this.#ended.length === 0 && this.#ends.size === this.bootstraps.size;
  }

  /** Leaves pulls to themselves: anybody can begin one again, and loses nothing. */
  leavePulls(): void {
    const isPull = ({ action }: Step): boolean => action.do === 'pull-image';
    for (const step of this.#ends.keys()) if (isPull(step)) this.#ends.delete(step);
    this.#ended = this.#ended.filter(({ step }) => !isPull(step));
  }

  /** Waits for their end. */
  async end(): Promise<void> {
    await Promise.all(this.#ends.values());
  }
}
