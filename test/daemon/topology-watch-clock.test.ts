import { describe, expect, it } from 'vitest';
import { watchTopologies, type WatchOptions } from '../../src/daemon/topology-watch.ts';
import type { WatchHandlers } from '../../src/daemon/topology-watchers.ts';
import type { LoadResult } from '../../src/topology/load.ts';
import { parseSound } from '../topology/support.ts';
import { createClock } from './clock.ts';

/** Waits until nothing goes on: directories and files are looked up on the real file system. */
async function settleDown(): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (process.getActiveResourcesInfo().includes('FSReqPromise')) quiet = 0;
  }
}

function write(replicas: number): LoadResult {
  const text = `cluster_name: shop\nbalancers: [{ name: lb1, replicas: ${replicas} }]`;
  return { topologies: [parseSound(text, {}, '/nowhere/shop.yaml')], diagnostics: [] };
}

const gone: LoadResult = { topologies: [], diagnostics: [] };

/** A watch on a world that is set by hand; what is told is written down with its time. */
function start(options: Partial<WatchOptions> = {}) {
  const clock = createClock(settleDown);
  const told: string[] = [];
  let handlers: WatchHandlers | undefined;
  const world = { loaded: write(1), loads: 0 };
  const watch = watchTopologies(['/'], {
    load: async () => {
      world.loads += 1;
      return world.loaded;
    },
    onChange: ({ sources }) => {
      const shop = sources.get('shop');
      const nodes = shop?.topology.groups[0].nodes.length ?? 0;
      told.push(`${clock.now()}: ${nodes - 1}${shop?.valid === false ? ' invalid' : ''}`);
    },
    onError: (error) => told.push(`${clock.now()}: ${String(error)}`),
    clock,
    watchDirectory: (_, given) => {
      handlers = given;
      return { close: () => Promise.resolve() };
    },
    ...options,
  });
  const change = (loaded: LoadResult): void => {
    world.loaded = loaded;
    handlers?.onEvent();
  };
  return { clock, told, world, watch, change, handlers: () => handlers };
}

/** A watch that has begun. */
async function begin(options: Partial<WatchOptions> = {}) {
  const started = start(options);
  await started.clock.pass(0);
  await started.watch.ready;
  expect(started.told.splice(0)).toEqual(['0: 1']);
  return started;
}

describe('by default', () => {
  it('a change is taken in 200 ms after the first look, which is 50 ms after the event', async () => {
    const { clock, told, change } = await begin();
    change(write(2));
    await clock.pass(10_000);
    expect(told).toEqual(['250: 2']);
  });
  it('a smaller cluster after 2 s', async () => {
    const { clock, told, change } = await begin();
    change(write(0));
    await clock.pass(10_000);
    expect(told).toEqual(['2050: 0']);
  });
  it('a file that is gone after 200 ms, and whatever comes after it after 2 s', async () => {
    const { clock, told, change } = await begin();
    change(gone);
    await clock.pass(1000);
    change(write(5));
    await clock.pass(10_000);
    expect(told).toEqual(['250: 1 invalid', '3050: 5']);
  });
  it('a file that was gone for a moment after 2 s, without a word of that moment', async () => {
    const { clock, told, change } = await begin();
    change(gone);
    await clock.pass(100);
    change(write(5));
    await clock.pass(10_000);
    expect(told).toEqual(['2150: 5']);
  });
  it('a file that is written again and again when that has ended', async () => {
    const { clock, told, change } = await begin();
    for (let replicas = 2; replicas < 12; replicas += 1) {
      change(write(replicas));
      await clock.pass(100);
    }
    await clock.pass(10_000);
    expect(told).toEqual(['1150: 11']);
  });
  it('what is there again before anybody was told is no change', async () => {
    const { clock, told, change } = await begin();
    change(write(0));
    await clock.pass(1900);
    change(write(1));
    await clock.pass(10_000);
    expect(told).toEqual([]);
  });
  it('a change that no event tells of at the next rescan', async () => {
    const { clock, told, world } = await begin();
    world.loaded = write(2);
    await clock.pass(60_000);
    expect(told).toEqual(['30200: 2']);
  });
});

describe('when things go wrong', () => {
  it('no event ever comes: errors are told once, and the rescan goes on', async () => {
    const { clock, told, world, handlers } = await begin();
    for (let times = 0; times < 3; times += 1) {
      handlers()?.onError('ENOSPC');
      await clock.pass(31_000);
    }
    world.loaded = write(2);
    await clock.pass(60_000);
    expect(told).toEqual(['0: ENOSPC', expect.stringMatching(/: 2$/)]);
  });
  it('loading fails: told once, and tried again', async () => {
    const failing = { load: () => Promise.reject(new Error('no memory')) };
    const { clock, told, watch } = start(failing);
    await clock.pass(100_000);
    expect(told).toEqual(['0: Error: no memory']);
    expect(watch.sources().size).toBe(0);
    await watch.close();
    await watch.ready;
  });
  it('who is told throws: the change is taken in all the same', async () => {
    const onChange = () => {
      throw new Error('not now');
    };
    const { clock, told, watch } = start({ onChange });
    await clock.pass(0);
    await watch.ready;
    expect([told, [...watch.sources().keys()]]).toEqual([['0: Error: not now'], ['shop']]);
  });
});

describe('reload', () => {
  it('looks at once, and ends when what it found was taken in', async () => {
    const { clock, told, world, watch } = await begin();
    world.loaded = write(2);
    let isOver = false;
    void watch.reload().then(() => (isOver = true));
    await clock.pass(199);
    expect([told, isOver]).toEqual([[], false]);
    await clock.pass(1);
    await clock.pass(0);
    expect([told, isOver]).toEqual([['200: 2'], true]);
  });
  it('ends soon where nothing is new', async () => {
    const { clock, told, world, watch } = await begin();
    const before = world.loads;
    const reloaded = watch.reload();
    await clock.pass(0);
    await reloaded;
    expect([told, world.loads]).toEqual([[], before + 1]);
  });
  it('does not make do with a look that has begun', async () => {
    let answer: ((loaded: LoadResult) => void) | undefined;
    const load = () => new Promise<LoadResult>((resolve) => (answer = resolve));
    const { clock, watch } = start({ load });
    await clock.pass(0);
    let isOver = false;
    void watch.reload().then(() => (isOver = true));
    answer?.(write(1));
    await watch.ready;
    await clock.pass(0);
    expect(isOver).toBe(false);
    await clock.pass(100);
    answer?.(write(1));
    await clock.pass(0);
    expect(isOver).toBe(true);
  });
});

describe('close', () => {
  it('leaves no timer, and nothing more is loaded or told', async () => {
    const { clock, told, world, watch, change } = await begin();
    change(write(2));
    await clock.pass(100);
    const reloaded = watch.reload();
    await watch.close();
    await reloaded;
    expect(clock.waiting()).toBe(0);
    const before = world.loads;
    change(write(3));
    await watch.reload();
    await clock.pass(100_000);
    expect([told, world.loads, clock.waiting()]).toEqual([[], before, 0]);
  });
  it('in the middle of a look does not wait for it, and hears no more of it', async () => {
    let answer: ((loaded: LoadResult) => void) | undefined;
    const { clock, told, watch } = start({ load: () => new Promise((resolve) => (answer = resolve)) });
    await clock.pass(0);
    await watch.close();
    await watch.ready;
    answer?.(write(1));
    await clock.pass(100_000);
    expect([told, clock.waiting()]).toEqual([[], 0]);
  });
});
