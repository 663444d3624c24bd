import { realClock, type Clock } from '../base/clock.ts';
import { loadTopologies, type LoadResult } from '../topology/load.ts';
import { findDirectories } from './topology-directories.ts';
import { Follower } from './topology-follow.ts';
import type { Reading, SettleTimes } from './topology-settle.ts';
import type { Absorbed, Sources } from './topology-state.ts';
import { watchByEvents, Watchers, type WatchDirectory } from './topology-watchers.ts';

export type WatchOptions = {
  readonly load?: () => Promise<LoadResult>;
  /** After the first load, and whenever something is different. */
  readonly onChange: (absorbed: Absorbed) => void;
  /** What goes wrong with watching; the watch goes on. */
  readonly onError: (error: unknown) => void;
  /** For file systems that give no events. */
  readonly polling?: boolean;
  readonly settle?: SettleTimes;
  /** Milliseconds after which everything is loaded again, events or none. */
  readonly rescan?: number;
  readonly clock?: Clock;
  readonly watchDirectory?: WatchDirectory;
};

export type TopologyWatch = {
  /** The first load is taken in. */
  readonly ready: Promise<void>;
  readonly sources: () => Sources;
  /** Looks at once; what is there by now is taken in, as soon as it has stood still, before this resolves. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

const defaultSettle: SettleTimes = { short: 200, long: 2000 };

/** Follows topology files: what is good and stands still is taken in, and nothing else changes anything. */
export function watchTopologies(paths: readonly string[], options: WatchOptions): TopologyWatch {
  const settle = options.settle ?? defaultSettle;
  const polling = options.polling === true ? { interval: settle.short } : undefined;
  const watch = new Watch(paths, {
    load: () => loadTopologies(paths),
    polling: polling !== undefined,
    settle,
    rescan: 30_000,
    clock: realClock,
    watchDirectory: watchByEvents(polling),
    ...options,
  });
  return {
    ready: watch.reload(),
    sources: () => watch.sources,
    reload: () => watch.reload(),
    close: () => watch.close(),
  };
}

class Watch {
  readonly #paths: readonly string[];
  readonly #options: Required<WatchOptions>;
  readonly #watchers: Watchers;
  readonly #follower: Follower;
  /** How often something that matters was touched. */
  #events = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #isLooking = false;
  #isClosed = false;
  #hasThrown = false;
  /** Those who wait for what a look finds that is yet to begin. */
  #waiters: (() => void)[] = [];
  /** Those who wait for this look, or for what it has found to stand still. */
  #attending: (() => void)[] = [];

  get sources(): Sources {
    return this.#follower.sources;
  }

  constructor(paths: readonly string[], options: Required<WatchOptions>) {
    this.#paths = paths;
    this.#options = options;
    this.#follower = new Follower(options.settle);
    this.#watchers = new Watchers(options.watchDirectory, {
      onEvent: () => {
        this.#events += 1;
        this.#lookSoon();
      },
      onPlace: () => this.#lookSoon(),
      onReady: () => this.#lookSoon(),
      onError: options.onError,
    });
  }

  reload(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#schedule(0);
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#watchers.close();
    for (const resolve of [...this.#attending.splice(0), ...this.#waiters.splice(0)]) resolve();
  }

  // Events come in bursts; the sooner the first look, the more is seen of what a file goes through.
  #lookSoon(): void {
    this.#schedule(this.#options.settle.short / 4);
  }

  /** Looks after so long, unless that is to happen sooner anyway. */
  #schedule(milliseconds: number): void {
    const { now, after } = this.#options.clock;
    const at = now() + milliseconds;
    if (this.#isClosed || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const run = () => {
      this.#timer = undefined;
      if (this.#isLooking) this.#lookSoon();
      else void this.#look();
    };
    this.#timer = { at, cancel: after(milliseconds, run) };
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#attending.push(...this.#waiters.splice(0));
    const wait = await this.#lookOnce().catch((error: unknown) => this.#survive(error));
    this.#isLooking = false;
    if (wait === undefined) for (const resolve of this.#attending.splice(0)) resolve();
    this.#schedule(wait ?? this.#options.rescan);
  }

  /** Reads everything, takes in what stands still, and watches what has to be; gives when to come back for more. */
  async #lookOnce(): Promise<number | undefined> {
    const reading = await this.#read();
    const found = await this.#follower.consider(reading);
    if (this.#isClosed) return undefined;
    if (found.absorbed !== undefined) this.#tell(found.absorbed);
    await this.#watchers.update(await findDirectories(this.#paths));
    this.#hasThrown = false;
    return found.wait;
  }

  async #read(): Promise<Reading> {
    const { clock, load } = this.#options;
    const [began, eventsBefore] = [clock.now(), this.#events];
    const loaded = await load();
    return { loaded, began, ended: clock.now(), eventsBefore, eventsAfter: this.#events };
  }

  #tell(absorbed: Absorbed): void {
    try {
      this.#options.onChange(absorbed);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** Says once that looking fails, and looks again at the next rescan. */
  #survive(error: unknown): number {
    if (!this.#hasThrown && !this.#isClosed) this.#options.onError(error);
    this.#hasThrown = true;
    return this.#options.rescan;
  }
}
