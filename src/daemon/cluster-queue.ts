import type { Clock } from '../base/clock.ts';

/** What came of one turn of a cluster. */
export type Turn = {
  /**
   * `retry`: the same again may help, after a pause that grows; `human`: nothing helps until the file or the world
   * changes; `wait`: what goes on asks for a turn when it ends, and what failed before may fail then again; a number: look
   * again after so many milliseconds at the latest; `retryWithin`: `retry`, and no later than that.
   */
  readonly next: 'done' | 'retry' | 'human' | 'wait' | number | { readonly retryWithin: number };
  /** By the queue's clock: when its last look began. What was added before has been seen. */
  readonly seenUpTo: number;
};

export type QueueOptions = {
  readonly turn: (cluster: string) => Promise<Turn>;
  /** A turn failed with something other than a result, which only a bug does: it is tried again as after `retry`. */
  readonly onError: (cluster: string, error: unknown) => void;
  readonly clock: Clock;
  /** Milliseconds after the first failure; doubled with each more. */
  readonly firstPause: number;
  readonly longestPause: number;
  /** The longest that something new waits for the end of a pause. */
  readonly longestPauseForNews: number;
};

type Entry = {
  isRunning: boolean;
  isQueued: boolean;
  /** When something was added last while it ran; undefined: nothing was. */
  addedAt: number | undefined;
  /** What was added since its last turn began waits no longer for the end of a pause. */
  longest: number;
  /** When its next turn is due, whatever pause is left. */
  dueAt: number;
  failures: number;
  endedAt: number;
  callOff: (() => void) | undefined;
};

/**
 * Gives clusters their turns: never two at once for one cluster, once more where something was added meanwhile, after a
 * growing pause where a turn failed. Only names go in; what is to be done is found by looking.
 */
export class ClusterQueue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  #isStopped = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /**
   * Something happened: the cluster gets a turn, at once unless it has just failed. What is urgent waits for no more than the
   * first pause, however often something else has failed.
   */
  add(cluster: string, isUrgent = false): void {
    const entry = this.#entry(cluster);
    if (isUrgent) entry.longest = this.#options.firstPause;
    if (entry.isRunning) entry.addedAt = this.#options.clock.now();
    else this.#schedule(cluster, entry, this.#pause(entry, entry.longest));
  }

  /** What failed before does not count any more: the cluster gets a turn at once. */
  renew(cluster: string): void {
    this.#entry(cluster).failures = 0;
    this.add(cluster);
  }

  /** Whether a turn of the cluster is under way. */
  isRunning(cluster: string): boolean {
    return this.#entries.get(cluster)?.isRunning === true;
  }

  /** No turn begins from now on; settles when those under way have ended. */
  async stop(): Promise<void> {
    this.hold();
    if (![...this.#entries.values()].some(({ isRunning }) => isRunning)) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  /** No turn begins until `release`; what is added meanwhile is forgotten. */
  hold(): void {
    this.#isStopped = true;
    for (const entry of this.#entries.values()) this.#callOff(entry);
  }

  release(): void {
    this.#isStopped = false;
  }

  #entry(cluster: string): Entry {
    const known = this.#entries.get(cluster);
    if (known !== undefined) return known;
    const entry: Entry = {
      isRunning: false,
      isQueued: false,
      addedAt: undefined,
      longest: this.#options.longestPauseForNews,
      dueAt: Infinity,
      failures: 0,
      endedAt: -Infinity,
      callOff: undefined,
    };
    this.#entries.set(cluster, entry);
    return entry;
  }

  /** Milliseconds left of the pause after a failure. */
  #pause({ failures, endedAt, dueAt }: Entry, longest: number): number {
    if (failures === 0) return 0;
    const pause = Math.min(this.#options.firstPause * 2 ** (failures - 1), longest, this.#options.longestPause);
    return Math.max(0, Math.min(endedAt + pause, dueAt) - this.#options.clock.now());
  }

  #schedule(cluster: string, entry: Entry, milliseconds: number): void {
    if (this.#isStopped || (entry.isQueued && milliseconds > 0)) return;
    this.#callOff(entry);
    entry.isQueued = milliseconds === 0;
    entry.callOff = this.#options.clock.after(milliseconds, () => {
      void this.#run(cluster, entry);
    });
  }

  #callOff(entry: Entry): void {
    entry.callOff?.();
    entry.callOff = undefined;
    entry.isQueued = false;
  }

  async #run(cluster: string, entry: Entry): Promise<void> {
    entry.callOff = undefined;
    entry.isQueued = false;
    entry.isRunning = true;
    entry.addedAt = undefined;
    entry.longest = this.#options.longestPauseForNews;
    const { next, seenUpTo } = await this.#take(cluster);
    entry.isRunning = false;
    entry.endedAt = this.#options.clock.now();
    entry.dueAt = typeof next === 'object' ? entry.endedAt + next.retryWithin : Infinity;
    const isAgain = next === 'retry' || typeof next === 'object';
    if (next !== 'wait') entry.failures = isAgain || next === 'human' ? entry.failures + 1 : 0;
    if (this.#isStopped) {
      this.#tellIdle();
      return;
    }
    if (hasNews(entry, seenUpTo)) this.#schedule(cluster, entry, this.#pause(entry, entry.longest));
    else if (isAgain) this.#schedule(cluster, entry, this.#pause(entry, this.#options.longestPause));
    else if (typeof next === 'number') this.#schedule(cluster, entry, next);
  }

  async #take(cluster: string): Promise<Turn> {
    try {
      return await this.#options.turn(cluster);
    } catch (error) {
      this.#options.onError(cluster, error);
      return { next: 'retry', seenUpTo: -Infinity };
    }
  }

  #tellIdle(): void {
    if ([...this.#entries.values()].some(({ isRunning }) => isRunning)) return;
    for (const tell of this.#whenIdle.splice(0)) tell();
  }
}

function hasNews({ addedAt }: Entry, seenUpTo: number): boolean {
  return addedAt !== undefined && addedAt >= seenUpTo;
}
