import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Listeners } from '../../src/reconcile/listeners.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { observe } from '../../src/reconcile/observe.ts';
import type { ObservedNode } from '../../src/reconcile/snapshot.ts';
import { databaseOf } from '../bench/fake-engine-programs.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { run, type File } from './simulation.ts';

vi.mock('node:timers/promises', () => import('../daemon/sleep.ts'));

beforeEach(() =>
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] }),
);
afterEach(() => vi.useRealTimers());

const file: File = {
  network: {},
  onRemove: 'retain',
  password: undefined,
  groups: [
    {
      slots: [1, 2],
      port: false,
      memory: undefined,
      cpus: undefined,
      restart: 'unless-stopped',
      maxConnections: undefined,
      workMem: undefined,
      children: undefined,
      primaryName: undefined,
    },
  ],
};

/** A cluster that is well, and listeners to it. */
async function start() {
  const world = new FakeWorld();
  await run(world, file);
  vi.clearAllTimers();
  const client = world.connect();
  const heard: string[] = [];
  const listeners = new Listeners({
    now: () => performance.now(),
    onHeard: (container) => heard.push(world.find(container)?.name ?? container),
  });
  const idOf = (name: string): string => world.find(name)?.id ?? '';
  const follow = async (engine: Engine = client.engine): Promise<void> => {
    listeners.follow(engine, await observe(client.engine, 'shop', undefined));
    await vi.advanceTimersByTimeAsync(0);
  };
  const hand = world.connect().engine;
  const names = (): readonly string[] => [...listeners.reports.keys()].map((id) => world.find(id)?.name ?? id).sort();
  const execs = (): number => client.calls.filter(({ method }) => method === 'execStream').length;
  /** Commands that still run in containers. */
  const running = (): number => [...world.containers.values()].reduce((sum, each) => sum + each.heartbeats.size, 0);
  return { world, client, hand, heard, listeners, idOf, follow, names, execs, running };
}

const primary = 'shop-lb1-primary';
const replica = 'shop-lb1-replica1';
const all = [primary, replica, 'shop-lb1-replica2'];

function fail(name: string): never {
  throw new Error(`there is no ${name}`);
}

describe('listeners', () => {
  it('know what every server says', async () => {
    const { listeners, idOf, follow, names } = await start();
    await follow();
    expect(names()).toEqual(all);
    expect(listeners.reports.get(idOf(primary))).toMatchObject({
      recovery: false,
      slots: { pgherd_1: 'reserved', pgherd_2: 'reserved' },
    });
    expect(listeners.reports.get(idOf(replica))).toMatchObject({ recovery: true, receiver: 'streaming' });
  });

  it('ask each server once, however often they are told to', async () => {
    const { follow, execs } = await start();
    await follow();
    await follow();
    await follow();
    expect(execs()).toBe(3);
  });

  it('tell of each server once while nothing changes, and of a silence', async () => {
    const { world, heard, follow } = await start();
    await follow();
    expect([...new Set(heard)].sort()).toEqual(all);
    heard.length = 0;
    await vi.advanceTimersByTimeAsync(2000);
    expect(heard).toEqual([]);
    await world.connect().engine.stopContainer(replica, 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(heard).toContain(replica);
  });

  it('tell when a leader lists another set of followers as streaming, and remember when each was last among them', async () => {
    const { hand, heard, listeners, idOf, follow } = await start();
    await follow();
    const streamed = (): ReadonlyMap<string, number> | undefined => listeners.reports.get(idOf(primary))?.streamed?.at;
    await vi.advanceTimersByTimeAsync(1000);
    const before = streamed()?.get('lb1-replica1') ?? NaN;
    heard.length = 0;
    await hand.stopContainer(replica, 1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(heard).toContain(primary);
    expect(streamed()?.get('lb1-replica1')).toBe(before);
    expect(streamed()?.get('lb1-replica2')).toBeGreaterThan(before);
  });

  it('forget what a server said that ended', async () => {
    const { hand, follow, names } = await start();
    await follow();
    await hand.killContainer(replica, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(0);
    expect(names()).toEqual([primary, 'shop-lb1-replica2']);
  });

  it('forget what a server said that hangs', async () => {
    const { world, follow, names } = await start();
    await follow();
    world.pause(replica);
    await vi.advanceTimersByTimeAsync(2000);
    expect(names()).toEqual(all);
    await vi.advanceTimersByTimeAsync(1500);
    expect(names()).toEqual([primary, 'shop-lb1-replica2']);
  });

  it('know for how long one does not follow the leader that is heard', async () => {
    const { world, hand, listeners, idOf, follow } = await start();
    await follow();
    const slots = databaseOf(world.containers.get(idOf(primary)) ?? fail(primary))?.slots;
    const drift = (): number | undefined => listeners.reports.get(idOf(replica))?.driftsFor;
    expect(drift()).toBeUndefined();
    slots?.delete('pgherd_1');
    await vi.advanceTimersByTimeAsync(12_000);
    expect(drift()).toBeGreaterThanOrEqual(10_000);
    expect(listeners.reports.get(idOf('shop-lb1-replica2'))?.driftsFor).toBeUndefined();
    // Without a leader there is nobody to follow.
    await hand.killContainer(primary, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(600);
    expect(drift()).toBeUndefined();
  });

  it('hear one again that was started again, without being told', async () => {
    const { hand, follow, names } = await start();
    await follow();
    await hand.killContainer(replica, 'SIGKILL');
    await hand.startContainer(replica);
    await vi.advanceTimersByTimeAsync(200);
    expect(names()).toEqual(all);
  });

  it('follow containers that come and go', async () => {
    const { hand, listeners, idOf, follow, names, execs, running } = await start();
    await follow();
    const before = idOf(replica);
    await hand.removeContainer(replica);
    await follow();
    expect(names()).toEqual([primary, 'shop-lb1-replica2']);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(execs()).toBe(3);
    expect(running()).toBe(2);
    expect(listeners.reports.has(before)).toBe(false);
  });

  it('hear one that was made anew', async () => {
    const { world, hand, listeners, idOf, follow, names } = await start();
    await follow();
    const before = idOf(replica);
    await hand.removeContainer(replica);
    await run(world, file);
    await follow();
    expect(idOf(replica)).not.toBe(before);
    expect(names()).toEqual(all);
    expect([...listeners.reports.keys()]).not.toContain(before);
  });

  it.each<readonly [string, (world: FakeWorld, hand: Engine) => Promise<void> | void]>([
    ['is stopped', (_, hand) => hand.stopContainer(replica, 1)],
    [
      'is paused',
      (world) => {
        world.pause(replica);
      },
    ],
    [
      'has no data yet',
      (_, hand) =>
        hand.writeArchive(
          replica,
          '/var/lib/postgresql/data',
          [{ type: 'link', path: 'pgherd/state', target: 'bootstrapping' }],
          999,
        ),
    ],
  ])('do not ask one that %s', async (_, change) => {
    const { world, hand, follow, names, execs } = await start();
    await change(world, hand);
    await follow();
    expect(names()).toEqual([primary, 'shop-lb1-replica2']);
    expect(execs()).toBe(2);
  });

  // Its server comes up without a word of the engine, while everybody may be waiting for somebody else.
  it.each(['cloning', 'rewinding'])('hear one whose volume is %s as soon as its server serves', async (target) => {
    const { hand, listeners, idOf, follow } = await start();
    const link = { type: 'link', path: 'pgherd/state', target } as const;
    await hand.writeArchive(replica, '/var/lib/postgresql/data', [link], 999);
    await follow();
    expect([...listeners.reports.keys()]).toContain(idOf(replica));
  });

  it('are none any more when they were stopped', async () => {
    const { listeners, heard, follow, execs, running } = await start();
    await follow();
    expect(running()).toBe(3);
    listeners.stop();
    heard.length = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(running()).toBe(0);
    expect(execs()).toBe(3);
    expect(listeners.reports.size).toBe(0);
    expect(heard).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('may be stopped while they cannot reach a server', async () => {
    const { hand, listeners, follow } = await start();
    await follow();
    await hand.killContainer(replica, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(1000);
    listeners.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('may listen again after they were stopped, whatever the last ones still say', async () => {
    const { client, listeners, follow, names } = await start();
    // The end of a stream comes late, as over a slow connection.
    const late: Engine = {
      ...client.engine,
      execStream: async (...args) => {
        const stream = await client.engine.execStream(...args);
        return { ...stream, lines: endingLate(stream.lines) };
      },
    };
    await follow(late);
    listeners.stop();
    await follow();
    expect(names()).toEqual(all);
    await vi.advanceTimersByTimeAsync(400);
    expect(names()).toEqual(all);
  });
});

describe('those who run and do not speak are told apart', () => {
  const silent = (listeners: Listeners, world: FakeWorld): readonly string[] =>
    [...listeners.voices.silent].map((id) => world.find(id)?.name ?? id).sort();

  it('none of them is silent while all speak', async () => {
    const { world, listeners, follow } = await start();
    await follow();
    expect(silent(listeners, world)).toEqual([]);
    expect([...listeners.voices.reports.keys()].sort()).toEqual(all.map((name) => world.find(name)?.id ?? '').sort());
  });

  it('one that hangs is silent, and is not any more when it speaks again', async () => {
    const { world, hand, listeners, idOf, follow } = await start();
    await follow();
    world.pause(replica);
    await vi.advanceTimersByTimeAsync(3500);
    expect(silent(listeners, world)).toEqual([replica]);
    expect(listeners.voices.reports.has(idOf(replica))).toBe(false);
    await hand.unpauseContainer(replica);
    await vi.advanceTimersByTimeAsync(6000);
    expect(silent(listeners, world)).toEqual([]);
  });

  it('one that has ended is silent at once, and is nobody when its container is known to be down', async () => {
    const { world, hand, listeners, follow } = await start();
    await follow();
    await hand.killContainer(primary, 'SIGKILL');
    await vi.advanceTimersByTimeAsync(0);
    expect(silent(listeners, world)).toEqual([primary]);
    await follow();
    expect(silent(listeners, world)).toEqual([]);
  });

  it('one that was just joined may take some seconds to say something, after which it is silent and is told of', async () => {
    const { world, client, listeners, heard, idOf } = await start();
    // Its server hangs from the beginning.
    const snapshot = await observe(client.engine, 'shop', undefined);
    world.pause(replica);
    listeners.follow(client.engine, snapshot);
    await vi.advanceTimersByTimeAsync(2900);
    expect(silent(listeners, world)).toEqual([]);
    expect(listeners.isAwaited(idOf(replica))).toBe(true);
    heard.length = 0;
    await vi.advanceTimersByTimeAsync(200);
    expect(silent(listeners, world)).toEqual([replica]);
    expect(listeners.isAwaited(idOf(replica))).toBe(false);
    expect(heard).toContain(replica);
  });

  it('the last words of one are kept by its place in the group, whatever becomes of it and its container', async () => {
    const { world, hand, listeners, idOf, follow } = await start();
    await follow();
    const leader = world.find(primary);
    if (leader !== undefined) databaseOf(leader)?.rows.push('a row');
    world.advance(0);
    await vi.advanceTimersByTimeAsync(0);
    const last = listeners.voices.reports.get(idOf(primary));
    expect(last?.recovery).toBe(false);
    await hand.removeContainer(primary);
    await follow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(listeners.voices.past.get('lb1/0')).toEqual(last);
    expect([...listeners.voices.past.keys()].sort()).toEqual(['lb1/0', 'lb1/1', 'lb1/2']);
  });

  it('what they said is not changed by what they say later', async () => {
    const { world, listeners, idOf, follow } = await start();
    await follow();
    const before = listeners.voices;
    const { lsn } = before.reports.get(idOf(primary)) ?? {};
    const leader = world.find(primary);
    if (leader !== undefined) databaseOf(leader)?.rows.push('a row');
    world.advance(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(before.reports.get(idOf(primary))?.lsn).toBe(lsn);
    expect(before.past.get('lb1/0')?.lsn).toBe(lsn);
    expect(listeners.voices.past.get('lb1/0')?.lsn).toBe((lsn ?? 0) + 1);
  });
});

async function* endingLate(lines: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  yield* lines;
  await new Promise((resolve) => setTimeout(resolve, 300));
}

describe('a server', () => {
  const node = (nodes: readonly ObservedNode[]): ObservedNode => {
    const [first] = nodes;
    if (first === undefined) throw new Error('no node');
    return first;
  };

  it('stands still when it has not moved for a second', async () => {
    const { world, listeners, idOf, follow } = await start();
    const isStill = (): boolean | undefined => listeners.reports.get(idOf(primary))?.isStill;
    await follow();
    await vi.advanceTimersByTimeAsync(500);
    expect(isStill()).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    expect(isStill()).toBe(true);
    const leader = world.find(primary);
    if (leader !== undefined) databaseOf(leader)?.rows.push('a row');
    world.advance(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(isStill()).toBe(false);
  });

  it('has not stood still while nobody listened', async () => {
    const { client, listeners, idOf, follow } = await start();
    await follow();
    await vi.advanceTimersByTimeAsync(2000);
    listeners.stop();
    const { nodes } = await observe(client.engine, 'shop', undefined);
    listeners.follow(client.engine, { nodes: [node(nodes)], busy: [] });
    await vi.advanceTimersByTimeAsync(0);
    expect(listeners.reports.get(idOf(primary))?.isStill).toBe(false);
  });
});
