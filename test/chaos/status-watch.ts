import { setTimeout as delay } from 'node:timers/promises';
import type { Condition } from '../../src/daemon/conditions.ts';
import type { Interval } from './verdict.ts';

const paceMs = 50;

/** Notes when the daemon says that commits are acknowledged without a replica. */
export class StatusWatch {
  readonly #read: () => Promise<readonly Condition[]>;
  readonly #over = new AbortController();
  readonly #log = new DegradedLog();

  constructor(read: () => Promise<readonly Condition[]>) {
    this.#read = read;
  }

  start(): void {
    void this.#watch();
  }

  stop(): void {
    this.#over.abort();
  }

  /** When it said so, by the monotonic clock. */
  get degraded(): readonly Interval[] {
    return this.#log.intervals;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const conditions = await this.#read().catch(() => undefined);
      if (conditions !== undefined) this.#log.note(isDegraded(conditions), performance.now());
      await delay(paceMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

export function isDegraded(conditions: readonly Pick<Condition, 'type' | 'reason'>[]): boolean {
  return conditions.some(({ type, reason }) => type === 'CommitsDurable' && reason === 'Degraded');
}

/** Makes intervals of what was seen at one moment after the other. */
export class DegradedLog {
  readonly #intervals: Interval[] = [];
  #was = false;

  get intervals(): readonly Interval[] {
    return this.#intervals;
  }

  note(is: boolean, at: number): void {
    const last = this.#intervals.at(-1);
    // It held until it was seen to hold no more, at most.
    if (this.#was && last !== undefined) this.#intervals.splice(-1, 1, { begin: last.begin, end: at });
    else if (is) this.#intervals.push({ begin: at, end: at });
    this.#was = is;
  }
}
