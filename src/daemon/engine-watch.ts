import { setTimeout as sleep } from 'node:timers/promises';
import { PgherdError } from '../base/error.ts';
import type { Engine, EngineEvent } from '../docker/engine.ts';
import { labelNames } from '../reconcile/names.ts';

export type EngineWatchOptions = {
  /** Connects anew; fails where the engine is away. */
  readonly connect: () => Promise<Engine>;
  /** Events come from now on: everything is to be looked at once. */
  readonly onUp: (engine: Engine) => void;
  /** Events may have been missed; told once until it is up again. */
  readonly onDown: (error: PgherdError | undefined) => void;
  readonly onEvent: (event: EngineEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds after which everything is subscribed and looked at anew, for what no event told. */
  readonly resync: number;
};

const firstPause = 200;
const longestPause = 5000;

/** Milliseconds a subscription must last to count as one that works. */
const shortest = 1000;

/** What changes a container, and not what only looks into it: execs and health checks come all the time. */
const containerActions = [
  'create',
  'start',
  'die',
  'oom',
  'stop',
  'pause',
  'unpause',
  'destroy',
  'rename',
  'update',
  'extract-to-dir',
  'health_status',
] as const;

/**
 * Watches an engine until the signal: subscribes, then has everything looked at, then tells each event. Whatever ends
 * the streams is a gap, and after a gap everything is looked at again.
 */
export async function watchEngine(options: EngineWatchOptions): Promise<void> {
  let engine: Engine | undefined;
  let pause = firstPause;
  let isTold = false;
  const isOver = (): boolean => options.signal.aborted;
  while (!isOver()) {
    try {
      engine ??= await options.connect();
      const start = performance.now();
      await watchOnce(engine, options);
      isTold = false;
      if (performance.now() - start > shortest) {
        pause = firstPause;
        continue;
      }
    } catch (error) {
      if (!(error instanceof PgherdError)) throw error;
      if (!isTold && !isOver()) options.onDown(error);
      isTold = true;
    }
    await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined);
    pause = Math.min(pause * 2, longestPause);
  }
}

// Returns when a stream ends, for whatever reason but that the engine could not be asked.
async function watchOnce(engine: Engine, options: EngineWatchOptions): Promise<void> {
  const round = new AbortController();
  const timer = setTimeout(() => {
    round.abort();
  }, options.resync);
  const signal = AbortSignal.any([options.signal, round.signal]);
  try {
    // Events of networks and volumes carry no labels.
    const streams = await Promise.all([
      engine.watchEvents({ types: ['container'], label: labelNames.cluster, actions: containerActions }, signal),
      engine.watchEvents({ types: ['network', 'volume'], actions: ['connect', 'disconnect', 'destroy'] }, signal),
    ]);
    options.onUp(engine);
    await Promise.race(streams.map((stream) => tellEvents(stream, options.onEvent)));
  } finally {
    clearTimeout(timer);
    round.abort();
  }
}

// An error in the middle of a stream is a gap like its end; whether the engine is away the next subscription tells.
async function tellEvents(stream: AsyncIterable<EngineEvent>, onEvent: (event: EngineEvent) => void): Promise<void> {
  try {
    for await (const event of stream) onEvent(event);
  } catch (error) {
    if (!(error instanceof PgherdError)) throw error;
  }
}
