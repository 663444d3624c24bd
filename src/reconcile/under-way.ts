import type { Topology } from '../topology/model.ts';
import type { Executed, Outcome } from './execute.ts';
import { nodeResource } from './names.ts';
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

  /** Resources whose images are being pulled. */
  get pulling(): readonly string[] {
    return this.#find('pull-image').map(({ resource }) => resource);
  }

  /** Groups whose bootstrap is under way: what is seen of one means nothing before that has ended. */
  findBeginning({ groups }: Topology): ReadonlySet<string> {
    const resources = new Set(this.#find('finish-bootstrap').map(({ resource }) => resource));
    return new Set(
      groups
        .filter(({ nodes }) => nodes.some((node) => resources.has(nodeResource(node.name))))
        .map(({ name }) => name),
    );
  }

  /** Waits for their end; `pulls`: for that of pulls as well, which whoever needs the image next joins. */
  async end(pulls: boolean): Promise<void> {
    const awaited = [...this.#ends].filter(([{ action }]) => pulls || action.do !== 'pull-image');
    await Promise.all(awaited.map(([, end]) => end));
  }

  #find(what: Step['action']['do']): readonly Step[] {
    return [...this.#ends.keys()].filter(({ action }) => action.do === what);
  }
}
