import type { Executed, Outcome } from './execute.ts';
import type { Step } from './plan.ts';

/** What earlier rounds of a run have begun and nothing calls off. */
export class UnderWay {
  readonly #ends = new Map<Step, Promise<void>>();
  readonly #onEnd: (outcome: Outcome) => void;
  #bug: Error | undefined;

  constructor(onEnd: (outcome: Outcome) => void) {
    this.#onEnd = onEnd;
  }

  get isNothing(): boolean {
    return this.#ends.size === 0;
  }

  add({ step, outcome }: Executed['underWay'][number]): void {
    const end = outcome
      .catch((bug: unknown): Outcome => {
        this.#bug = bug instanceof Error ? bug : new Error(String(bug));
        return { step, result: 'skipped' };
      })
      .then((ended) => {
        this.#ends.delete(step);
        this.#onEnd(ended);
      });
    this.#ends.set(step, end);
  }

  /** Throws what one of them has ended with that is no outcome. */
  check(): void {
    if (this.#bug !== undefined) throw this.#bug;
  }

  get resources(): readonly string[] {
    return [...this.#ends.keys()].map(({ resource }) => resource);
  }

  /** Waits for their end. */
  async end(): Promise<void> {
    await Promise.all(this.#ends.values());
  }
}
