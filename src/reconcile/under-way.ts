import type { Executed, Outcome } from './execute.ts';
import type { Step } from './plan.ts';

/** What has begun and nothing calls off. Each ends beside the rounds, and is taken by the one that comes next. */
export class UnderWay {
  readonly #ends = new Map<Step, Promise<void>>();
  readonly #onEnd: () => void;
  #ended: Outcome[] = [];
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
    return this.#ended.splice(0);
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
    for (const step of this.#ends.keys()) if (step.action.do === 'pull-image') this.#ends.delete(step);
  }

  /** Waits for their end. */
  async end(): Promise<void> {
    await Promise.all(this.#ends.values());
  }
}
