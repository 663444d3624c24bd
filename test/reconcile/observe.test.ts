import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { observe, observeAgain } from '../../src/reconcile/observe.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { leastFile, run, toTopology } from './simulation.ts';

const replica = 'shop-lb1-replica1';

/** A cluster on an engine of which some answers are other ones. */
async function lookWith(change: (engine: Engine, id: string) => Partial<Engine>): Promise<Snapshot> {
  const world = new FakeWorld();
  await run(world, leastFile);
  const { engine } = world.connect();
  const id = (await engine.inspectContainer(replica))?.id ?? '';
  return observe({ ...engine, ...change(engine, id) }, 'shop', undefined);
}

const names = ({ nodes }: Snapshot): readonly string[] => nodes.map(({ container }) => container.name).toSorted();

const torn = new PgherdError('engine-error', '(HTTP code 500) server error -', { retry: true });

/** It is being removed when it is asked for, so many times, and then it is gone. */
const goes =
  (engine: Engine, id: string, times: number): Engine['inspectContainer'] =>
  async (ref) => {
    const container = await engine.inspectContainer(ref);
    if (ref !== id || container === undefined) return container;
    times -= 1;
    return times < 0 ? undefined : { ...container, state: 'removing' };
  };

describe('a container that is being removed', () => {
  it('is not there, though it was in the list', async () => {
    const seen = await lookWith((engine, id) => ({
      listContainers: async (labels) =>
        (await engine.listContainers(labels)).map((each) => (each.id === id ? { ...each, state: 'removing' } : each)),
      inspectContainer: goes(engine, id, 2),
    }));
    expect(names(seen)).toEqual(['shop-lb1-primary']);
  });

  it('is not there, though its files were gone before', async () => {
    const seen = await lookWith((engine, id) => ({
      readLink: (ref, path) => (ref === id ? Promise.reject(torn) : engine.readLink(ref, path)),
      inspectContainer: goes(engine, id, 1),
    }));
    expect(names(seen)).toEqual(['shop-lb1-primary']);
  });

  it.each(['removing', 'dead'] as const)(
    'and stays %s is apart from the others: nothing can be read of it',
    async (state) => {
      const seen = await lookWith((engine, id) => ({
        readLink: (ref, path) => (ref === id ? Promise.reject(torn) : engine.readLink(ref, path)),
        inspectContainer: async (ref) => {
          const container = await engine.inspectContainer(ref);
          return container === undefined || ref !== id ? container : { ...container, state };
        },
      }));
      expect(names(seen)).toEqual(['shop-lb1-primary']);
      expect(seen.halfRemoved.map(({ name }) => name)).toEqual([replica]);
    },
  );

  it('and one of which the engine tells nothing in time is apart too', async () => {
    const late = new PgherdError('engine-timeout', 'the engine did not answer in time', { retry: true });
    const seen = await lookWith((engine, id) => ({
      readLink: (ref, path) => (ref === id ? Promise.reject(late) : engine.readLink(ref, path)),
    }));
    expect(names(seen)).toEqual(['shop-lb1-primary']);
    expect(seen.busy.map(({ name }) => name)).toEqual([replica]);
  });

  it('and one that is not, and cannot be read, is an error', async () => {
    const looking = lookWith((engine, id) => ({
      readLink: (ref, path) => (ref === id ? Promise.reject(torn) : engine.readLink(ref, path)),
    }));
    await expect(looking).rejects.toBe(torn);
  });
});

describe('a record whose link was set last by a controller whose time is over', () => {
  it('is the newest that the volume holds, and the link is set again', async () => {
    const world = new FakeWorld();
    await run(world, leastFile);
    const { engine } = world.connect();
    const nodes = [...world.containers.values()].filter(({ name }) => name === 'shop-lb1-primary' || name === replica);
    const link = `${nodes[0]?.volumes[0]?.target ?? ''}/pgherd/record`;
    const before = await observe(engine, 'shop', undefined);
    for (const { name, view } of nodes)
      if (name === 'shop-lb1-primary') view.put(link, { type: 'link', target: 'records/record.1.1.1.0-1.json' });
    const seen = await observe(engine, 'shop', undefined);
    expect(seen.nodes.map(({ facts }) => facts.record)).toEqual(before.nodes.map(({ facts }) => facts.record));
    await run(world, leastFile);
    const [one = '', other] = nodes.map(({ view }) => view.link(link));
    expect(other).toBe(one);
    expect(one).toMatch(/^records\/record\.\d{13}\.2\.0\.0-1\.json$/);
  });
});

describe('while the engine keeps one container to itself, the others', () => {
  /** Looks with a list that ends when `during` has; gives what was read of containers until then, and after. */
  async function readsOf(during: () => Promise<void>) {
    const world = new FakeWorld();
    await run(world, leastFile);
    const { engine, calls } = world.connect();
    const reads = (): number => calls.filter(({ method }) => method === 'readLink').length;
    let before = 0;
    await observe(
      {
        ...engine,
        listContainers: async (...args) => {
          const listed = await engine.listContainers(...args);
          await during();
          before = reads();
          return listed;
        },
      },
      'shop',
      undefined,
    );
    return { before, after: reads() - before };
  }

  it('are read', async () => {
    const { before, after } = await readsOf(setImmediate);
    expect(before).toBeGreaterThan(0);
    expect(after).toBe(0);
  });

  it('are read again where that takes long', async () => {
    const now = performance.now();
    const { before, after } = await readsOf(async () => {
      await setImmediate();
      vi.spyOn(performance, 'now').mockReturnValue(now + 10_000);
    });
    vi.restoreAllMocks();
    expect(after).toBe(before);
  });
});

describe('a second look, after a replica was told to follow nobody', () => {
  /** What the first look saw, then what somebody did besides, then the second look and its calls. */
  async function lookTwice(besides: (world: FakeWorld, engine: Engine) => Promise<void> = async () => undefined) {
    const world = new FakeWorld();
    await run(world, leastFile);
    const { engine, calls } = world.connect();
    const seen = await observe(engine, 'shop', toTopology(leastFile));
    const node = world.find(replica);
    node?.view.put(`${node.volumes[0]?.target ?? ''}/pgherd/detached`, { type: 'link', target: '1.4096.open' });
    await besides(world, engine);
    const done = calls.length;
    const again = await observeAgain(engine, toTopology(leastFile), seen, new Set([node?.id ?? '']));
    return { again, calls: calls.slice(done).map(({ method }) => method) };
  }

  const detached = ({ nodes }: Snapshot): unknown =>
    nodes.find(({ container }) => container.name === replica)?.facts.detached;

  it('reads what a change of leaders goes by, and no lists but that of containers', async () => {
    const { again, calls } = await lookTwice();
    expect(detached(again)).toEqual({ timeline: 1, lsn: 4096, shut: false });
    expect(new Set(calls)).toEqual(new Set(['listContainers', 'pathExists', 'readLink']));
  });

  it('sees what was asked for meanwhile, whomever that was written to', async () => {
    const { again } = await lookTwice(async (world) => {
      const node = world.find('shop-lb1-primary');
      node?.view.put(`${node.volumes[0]?.target ?? ''}/pgherd/pause`, { type: 'link', target: 'on.1796000000000.me' });
    });
    expect(again.nodes.flatMap(({ facts }) => facts.pause ?? [])).toMatchObject([{ isPaused: true, by: 'me' }]);
  });

  it.each<[string, (world: FakeWorld, engine: Engine) => Promise<void>]>([
    ['has ended', (_, engine) => engine.stopContainer('shop-lb1-primary', 0)],
    [
      'was started again',
      async (_, engine) => {
        await engine.stopContainer('shop-lb1-primary', 0);
        await engine.startContainer('shop-lb1-primary');
      },
    ],
    ['is gone', (_, engine) => engine.removeContainer('shop-lb1-primary')],
  ])('is a whole one where another container %s', async (_, besides) => {
    const { again, calls } = await lookTwice(besides);
    expect(calls).toContain('listVolumes');
    expect(detached(again)).toEqual({ timeline: 1, lsn: 4096, shut: false });
  });
});
