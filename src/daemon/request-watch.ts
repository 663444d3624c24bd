import type { Clock } from '../base/clock.ts';
import type { Engine } from '../docker/engine.ts';
import { observe } from '../reconcile/observe.ts';
import { listRequests } from '../reconcile/requests.ts';
import type { ObservedNode } from '../reconcile/snapshot.ts';

export type RequestWatchOptions = {
  readonly cluster: string;
  readonly after: Clock['after'];
  /** The turn under way, with what it has seen last. */
  readonly turn: () => { readonly engine: Engine; readonly seen: readonly ObservedNode[] } | undefined;
  /** There is a request that the turn has not seen. */
  readonly onFound: () => void;
  readonly onError: (error: unknown) => void;
};

/** Milliseconds after a write into a volume in which most turns have ended, or looked again. */
const patience = 1000;

/**
 * Looks for what commands request while a turn is under way that waits for long, for a clone say. What was written into a
 * volume no event tells, and most of it the turn writes itself.
 */
export class RequestWatch {
  readonly #options: RequestWatchOptions;
  #callOff: (() => void) | undefined;

  constructor(options: RequestWatchOptions) {
    this.#options = options;
  }

  /** Something was written into a volume. */
  noteWrite(): void {
    if (this.#options.turn() === undefined) return;
    this.#callOff ??= this.#options.after(patience, () => {
      this.#callOff = undefined;
      this.#look().catch(this.#options.onError);
    });
  }

  stop(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  async #look(): Promise<void> {
    const { turn, cluster, onFound } = this.#options;
    const before = turn();
    if (before === undefined) return;
    const { nodes } = await observe(before.engine, cluster, undefined);
    const now = turn();
    if (now !== undefined && listRequests(nodes) !== listRequests(now.seen)) onFound();
  }
}
