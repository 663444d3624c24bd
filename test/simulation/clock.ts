import { createRequire, syncBuiltinESMExports } from 'node:module';

/** What happens at a time; `cancel` takes it back. */
/** Something that happens at a time, unless `call` is taken away before. */
export type Entry = { at: number; readonly order: number; call: (() => void) | undefined };

const realSetImmediate = globalThis.setImmediate;

/** The time every run begins at. Epoch milliseconds. */
export const beginning = Date.parse('2026-01-01T00:00:00Z');

/**
 * Time that passes only when nothing is left to do at the moment: what is waited for for minutes comes at once, and the
 * same calls come in the same order every time.
 */
export class VirtualClock {
  /** Milliseconds since the beginning. */
  now = 0;
  #order = 0;
  /** A heap by time, then by order. */
  #heap: Entry[] = [];

  after(milliseconds: number, call: () => void): Entry {
    const delay = Number.isFinite(milliseconds) && milliseconds > 0 ? milliseconds : 0;
    const entry = { at: this.now + delay, order: this.#order++, call };
    this.#push(entry);
    return entry;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** Lets time pass until `end`, or until `isOver`. */
  async run(end: number, isOver: () => boolean = () => false): Promise<void> {
    for (;;) {
      await settle();
      if (isOver()) return;
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      this.#pop();
      if (next.call === undefined) continue;
      this.now = Math.max(this.now, next.at);
      next.call();
    }
    this.now = end;
  }

  reset(): void {
    this.now = 0;
    this.#order = 0;
    this.#heap = [];
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, entry)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[at * 2 + 1];
      if (left === undefined) break;
      const right = heap[at * 2 + 2];
      const [next, index] = right !== undefined && isBefore(right, left) ? [right, at * 2 + 2] : [left, at * 2 + 1];
      if (isBefore(last, next)) break;
      heap[at] = next;
      at = index;
    }
    heap[at] = last;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

// Everything that waits for no time is done when this settles: what has been resolved comes before what is immediate.
function settle(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** As much of a timer as code makes use of. */
class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly #milliseconds: number;
  readonly #call: () => void;
  readonly #repeats: boolean;
  #entry: Entry;

  constructor(clock: VirtualClock, milliseconds: number, call: () => void, repeats: boolean) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
    this.#call = call;
    this.#repeats = repeats;
    this.#entry = this.#arm();
  }

  refresh(): this {
    this.cancel();
    this.#entry = this.#arm();
    return this;
  }

  cancel(): void {
    this.#entry.call = undefined;
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  #arm(): Entry {
    return this.#clock.after(this.#milliseconds, () => {
      if (this.#repeats) this.#entry = this.#arm();
      this.#call();
    });
  }
}

type Arguments = readonly unknown[];
type Call = (...args: Arguments) => void;

/** Has everything in this process go by the clock, and gives what undoes that. */
export function goBy(clock: VirtualClock): () => void {
  const promises = createRequire(import.meta.url)('node:timers/promises') as Record<string, unknown>;
  const before = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    Date: globalThis.Date,
    sleep: promises['setTimeout'],
    performanceNow: performance.now.bind(performance),
  };
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.cancel();
  };
  class VirtualDate extends before.Date {
    constructor(...args: ConstructorParameters<DateConstructor> | []) {
      if (args.length === 0) super(beginning + clock.now);
      else super(...args);
    }
    static override now(): number {
      return Math.floor(beginning + clock.now);
    }
  }
  Object.assign(globalThis, {
    setTimeout: (call: Call, milliseconds = 0, ...args: Arguments) =>
      new VirtualTimer(clock, milliseconds, () => call(...args), false),
    setInterval: (call: Call, milliseconds = 0, ...args: Arguments) =>
      new VirtualTimer(clock, milliseconds, () => call(...args), true),
    clearTimeout: clear,
    clearInterval: clear,
    Date: VirtualDate,
  });
  performance.now = () => clock.now;
  promises['setTimeout'] = (milliseconds = 0, value?: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    sleepUntil(clock, milliseconds, value, signal);
  syncBuiltinESMExports();
  return () => {
    const { sleep, performanceNow, ...globals } = before;
    Object.assign(globalThis, globals);
    performance.now = performanceNow;
    promises['setTimeout'] = sleep;
    syncBuiltinESMExports();
  };
}

/** Settles after a while, or fails as soon as the signal aborts. */
function sleepUntil(clock: VirtualClock, milliseconds: number, value: unknown, signal?: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callOff = (): void => {
      entry.call = undefined;
      reject(signal?.reason instanceof Error ? signal.reason : new Error('called off'));
    };
    const entry = clock.after(milliseconds, () => {
      signal?.removeEventListener('abort', callOff);
      resolve(value);
    });
    if (signal?.aborted === true) callOff();
    else signal?.addEventListener('abort', callOff, { once: true });
  });
}
