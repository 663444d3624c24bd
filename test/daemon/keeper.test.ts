import { afterEach, describe, expect, it, vi } from 'vitest';
import { realClock } from '../../src/base/clock.ts';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import type { Turn } from '../../src/daemon/cluster-queue.ts';
import type { Condition } from '../../src/daemon/conditions.ts';
import type { NewEntry } from '../../src/daemon/journal.ts';
import { ClusterKeeper } from '../../src/daemon/keeper.ts';
import type { Log } from '../../src/daemon/log.ts';
import type { ClusterSource } from '../../src/daemon/topology-state.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { takeLock } from '../../src/reconcile/lock.ts';
import { setPaused } from '../../src/reconcile/requests.ts';
import { createStepQueue } from '../../src/reconcile/step-queue.ts';
import { FakeWorld, type FakeCall, type FakeHooks } from '../bench/fake-engine.ts';
import { until } from '../e2e/support/until.ts';
import { findFaults, isMutating, leastFile as file, worldOf } from '../reconcile/simulation.ts';
import { topologyOf } from '../reconcile/support.ts';

const lock = 'pgherd-lock-shop';
const primary = 'shop-lb1-primary';
const replica = 'shop-lb1-replica1';
const balancer = 'shop-lb1';

function sourceOf(generation = 1, more = ''): ClusterSource {
  const topology = topologyOf(`cluster_name: shop\nbalancers: [{ name: lb1, replicas: 1 }]\n${more}`);
  return { cluster: 'shop', file: 'shop.yaml', topology, generation, valid: true, diagnostics: [] };
}

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const toEnd: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0)) await end();
});

/**
 * A daemon in small: a keeper that is told of what happens on the engine, and has its turns one after the other. After
 * `retry` it has another one half a second of the engine's time later; what it wants later is left to the test.
 */
function keep(world: FakeWorld, hooks: FakeHooks = {}, around = (engine: Engine): Engine => engine) {
  const client = world.connect(hooks);
  const aborter = new AbortController();
  const entries: NewEntry[] = [];
  const logged: string[] = [];
  const turns: Turn['next'][] = [];
  let conditions: readonly Condition[] = [];
  let isAsked = false;
  let isRunning = false;
  const note =
    (level: string) =>
    (_: object, message: string): number =>
      logged.push(`${level}: ${message}`);
  const log: Log = { info: note('info'), warn: note('warn'), error: note('error'), child: () => log };
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    while (isAsked && !aborter.signal.aborted) {
      isAsked = false;
      const { next } = await keeper.turn();
      turns.push(next);
      if (next !== 'retry' && typeof next !== 'object') continue;
      world.advance(500);
      isAsked = true;
    }
    isRunning = false;
  };
  const ask = (): void => {
    isAsked = true;
    // Not within the call that asks for it.
    setImmediate(() => void run());
  };
  const keeper = new ClusterKeeper(sourceOf(), {
    world: worldOf(world),
    now: () => world.now(),
    after: realClock.after,
    queue: createStepQueue(16),
    journal: {
      append: async (entry) => {
        entries.push(entry);
      },
      close: () => Promise.resolve(),
    },
    log,
    env: {},
    readText: () => Promise.reject(new Error('no files here')),
    signal: aborter.signal,
    ask,
    onConditions: (now) => {
      conditions = now;
    },
  });
  const listen = async (filter: Parameters<Engine['watchEvents']>[0]): Promise<void> => {
    const events = await world.connect().engine.watchEvents(filter, aborter.signal);
    void (async () => {
      for await (const event of events) {
        if (event.attributes['pgherd.cluster'] === 'shop' || keeper.isAbout(event)) keeper.take(event);
      }
    })();
  };
  const begin = async (): Promise<void> => {
    const actions = ['create', 'start', 'die', 'stop', 'pause', 'unpause', 'destroy', 'update', 'extract-to-dir'];
    await listen({ types: ['container'], label: 'pgherd.cluster', actions: [...actions, 'health_status'] });
    await listen({ types: ['network', 'volume'], actions: ['connect', 'disconnect', 'destroy'] });
    keeper.setEngine(around(client.engine), undefined);
    ask();
  };
  const end = async (): Promise<void> => {
    aborter.abort();
    await until(
      'no turn is under way',
      () => isRunning,
      (is) => !is,
    );
    await keeper.stop().catch(() => undefined);
  };
  toEnd.push(end);
  const show = (): readonly string[] =>
    conditions.map(({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`);
  return { client, keeper, entries, logged, turns, ask, begin, end, show, isIdle: () => !isRunning && !isAsked };
}

type Kept = ReturnType<typeof keep>;

/** The condition that begins so. */
async function untilCondition({ show }: Kept, wanted: string): Promise<string> {
  const found = await until(wanted, show, (lines) => lines.some((line) => line.startsWith(wanted)));
  return found.find((line) => line.startsWith(wanted)) ?? '';
}

/** What is not as the file says; the lock is as it should be. */
function faultsOf(world: FakeWorld): readonly string[] {
  return findFaults(world, file)
    .map((fault) => fault.replace(`${lock},`, ''))
    .filter((fault) => !/^containers: (.*), wanted \1$/.test(fault));
}

async function untilWell(world: FakeWorld, kept: Kept): Promise<void> {
  await until(
    'the cluster is well and left alone',
    () => ({
      faults: faultsOf(world),
      conditions: kept.show(),
      isIdle: kept.isIdle(),
      logged: kept.logged.slice(-5),
    }),
    ({ faults, conditions, isIdle }) =>
      faults.length === 0 && isIdle && conditions.includes('Ready True AsTheFileSays: '),
    10_000,
  );
}

async function untilTurn({ turns }: Kept, before: number): Promise<void> {
  await until(
    'another turn',
    () => turns.length,
    (now) => now > before,
  );
}

/** A keeper whose cluster is well. */
async function start(hooks: FakeHooks = {}): Promise<Kept & { readonly world: FakeWorld; readonly hand: Engine }> {
  const world = new FakeWorld();
  const kept = keep(world, hooks);
  await kept.begin();
  await untilWell(world, kept);
  return { ...kept, world, hand: world.connect().engine };
}

const messagesOf = (entries: readonly NewEntry[], type: NewEntry['type']): readonly string[] =>
  entries.filter((entry) => entry.type === type).map(({ message }) => message);

/** What changes something; servers are listened to at any time. */
const isChange = (call: FakeCall): boolean => isMutating(call) && call.method !== 'execStream';

const isStart = ({ method }: FakeCall): boolean => method === 'startContainer';

describe('a keeper', () => {
  it('brings a cluster up, holds its lock, and writes down what it did', async () => {
    const { world, entries, turns, client } = await start();
    expect(world.find(lock)).toMatchObject({ state: 'running' });
    expect(messagesOf(entries, 'lock')).toEqual(['taken: this daemon keeps the cluster']);
    expect(messagesOf(entries, 'planned').length).toBeGreaterThan(0);
    expect(entries.filter(({ type }) => type === 'step').map(({ resource }) => resource)).toContain(
      'node/lb1-replica1',
    );
    expect(messagesOf(entries, 'condition')).toContain('Ready is True');
    expect(turns.at(-1)).toBe('done');
    expect(client.calls.filter(({ method }) => method === 'execStream')).toHaveLength(2);
  });

  it('does nothing to a cluster that is well', async () => {
    const kept = await start();
    const before = kept.client.calls.length;
    const { length } = kept.turns;
    kept.ask();
    await untilTurn(kept, length);
    expect(kept.client.calls.slice(before).filter(isChange)).toEqual([]);
  });

  it('restarts one server after the other for a change, though the end of each calls its waits off', async () => {
    const world = new FakeWorld();
    const stopped: string[] = [];
    const ready = new Set<string>();
    let waits = 0;
    const kept = keep(world, {}, (engine) => ({
      ...engine,
      stopContainer: async (ref, seconds) => {
        stopped.push(world.find(ref)?.name ?? ref);
        await engine.stopContainer(ref, seconds);
      },
      exec: async (ref, command) => {
        const name = world.find(ref)?.name ?? ref;
        const isWait = command.command.some((word) => word.endsWith('/await')) && stopped.includes(name);
        if (isWait) waits += 1;
        if (isWait && !ready.has(name)) {
          const isCalledOff = (): boolean => command.signal?.aborted === true;
          await until(`${name} is ready`, () => ready.has(name) || isCalledOff(), Boolean);
          if (isCalledOff()) throw new InterruptedError('called off');
        }
        return engine.exec(ref, command);
      },
    }));
    await kept.begin();
    await untilWell(world, kept);
    kept.keeper.setSource(sourceOf(2, 'postgres: { parameters: { shared_buffers: 64MB } }'));
    kept.ask();
    await until(
      'it is waited for again',
      () => waits,
      (times) => times > 1,
    );
    expect(stopped).toEqual([primary]);
    ready.add(primary);
    await until(
      'the replica is restarted',
      () => stopped.length,
      (length) => length > 1,
    );
    expect(stopped).toEqual([primary, replica]);
    ready.add(replica);
  });

  /** A keeper whose cluster gets a second group, the image of which is pulled until that is let go. */
  async function startPull(): Promise<Kept & { readonly world: FakeWorld; readonly letGo: () => void }> {
    const world = new FakeWorld();
    let [isHeld, isLetGo] = [false, false];
    const known = world.images.get('postgres:17');
    if (known === undefined) throw new Error('no image');
    world.pullable.set('postgres:18', { ...known, id: 'sha256:18' });
    const kept = keep(world, {}, (engine) => ({
      ...engine,
      pullImage: async (image) => {
        isHeld = true;
        await until('it is let go', () => isLetGo, Boolean);
        return engine.pullImage(image);
      },
    }));
    await kept.begin();
    await untilWell(world, kept);
    const second = '{ name: lb2, replicas: 1, postgres: { image: "postgres:18" } }';
    const text = `cluster_name: shop\nbalancers: [{ name: lb1, replicas: 1 }, ${second}]\n`;
    kept.keeper.setSource({ ...sourceOf(2), topology: topologyOf(text) });
    kept.ask();
    await until('it is under way', () => isHeld, Boolean);
    const letGo = (): void => {
      isLetGo = true;
    };
    return { ...kept, world, letGo };
  }

  const isWhole = (lines: readonly string[]): boolean => lines.includes('Ready True AsTheFileSays: ');

  it('goes on with the others while a group waits for a pull of its image', async () => {
    const kept = await startPull();
    const { world, letGo, show } = kept;
    const before = world.find(primary)?.startedAt;
    await world.connect().engine.killContainer(primary, 'SIGKILL');
    await until(
      'the leader of the other group is started',
      () => world.find(primary),
      (found) => found?.state === 'running' && found.startedAt !== before,
    );
    await untilCondition(kept, 'LeaderAvailable False NoLeader: lb2 has none');
    letGo();
    await until('both groups are well', show, isWhole);
  });

  it('takes a lost lock again while an image is pulled', async () => {
    const { world, entries, letGo, show } = await startPull();
    world.crash(lock);
    await until(
      'the lock is taken again',
      () => messagesOf(entries, 'lock').filter((message) => message.startsWith('taken')),
      ({ length }) => length === 2,
    );
    letGo();
    await until('both groups are well', show, isWhole);
  });

  it('lets go of the cluster when it ends', async () => {
    const { world, end } = await start();
    await end();
    expect(world.find(lock)).toBeUndefined();
    expect([...world.containers.values()].reduce((sum, each) => sum + each.heartbeats.size, 0)).toBe(0);
    expect(world.find(primary)).toMatchObject({ state: 'running' });
  });

  it('is told by events of what is to be repaired', async () => {
    const kept = await start();
    const { world, hand } = kept;
    const drifts: readonly (readonly [string, () => Promise<void> | void])[] = [
      ['a replica is killed', () => hand.killContainer(replica, 'SIGKILL')],
      ['a replica is removed', () => hand.removeContainer(replica)],
      [
        'a replica is paused',
        () => {
          world.pause(replica);
        },
      ],
      ['a replica is disconnected', () => hand.disconnectNetwork('shop', replica)],
      ['the leader is killed', () => hand.killContainer(primary, 'SIGKILL')],
      ['the leader is removed', () => hand.removeContainer(primary)],
      ['the leader is disconnected', () => hand.disconnectNetwork('shop_rw', primary)],
      ['the balancer is killed', () => hand.killContainer(balancer, 'SIGKILL')],
      ['the balancer is removed', () => hand.removeContainer(balancer)],
    ];
    for (const [what, change] of drifts) {
      const before = kept.turns.length;
      await change();
      await untilTurn(kept, before);
      await untilWell(world, kept).catch((error: unknown) => {
        throw new Error(what, { cause: error });
      });
    }
  });

  it('follows its file', async () => {
    const kept = await start();
    const { world, keeper, ask, entries } = kept;
    keeper.setSource(sourceOf(2, 'postgres: { memory: 256MB }'));
    ask();
    await until(
      'the limit',
      () => world.find(replica)?.memory,
      (memory) => memory === 256 * 2 ** 20,
    );
    expect(messagesOf(entries, 'topology')).toEqual(['shop.yaml has changed (generation 2)']);
  });
});

describe('a keeper whose cluster another keeps', () => {
  it('stands by, changes nothing, and takes over when the other dies', async () => {
    const first = await start();
    const { world } = first;
    const second = keep(world);
    await second.begin();
    await untilCondition(second, 'Reconciling False Standby: it is kept by');
    expect(second.turns).toEqual(['done']);
    const changes = second.client.calls.filter(isChange);
    expect(changes.map(({ args: [spec] }) => spec)).toMatchObject([{ name: lock }]);
    expect(second.client.calls.filter(({ method }) => method === 'execStream')).toEqual([]);
    first.keeper.setEngine(undefined, 'dead');
    first.client.die();
    await untilWell(world, second);
    const before = second.turns.length;
    await first.hand.killContainer(replica, 'SIGKILL');
    await untilTurn(second, before);
    await untilWell(world, second);
    expect(messagesOf(second.entries, 'lock').map((message) => message.split(':')[0])).toEqual([
      'standing by',
      'taken',
    ]);
  });

  it('takes over also where the other dies while it is looked at', async () => {
    const first = await start();
    const { world } = first;
    const second = keep(world, {
      after: ({ method, args }) => {
        // The answer that it runs is on its way.
        if (method !== 'inspectContainer' || args[0] !== lock) return;
        first.keeper.setEngine(undefined, 'dead');
        first.client.die();
      },
    });
    await second.begin();
    await untilWell(world, second);
  });

  it('knows nothing of it any more', async () => {
    const kept = await start();
    const { world, hand } = kept;
    await setPaused(hand, 'shop', 'ann');
    await until(
      'the lock is free',
      () => world.find(lock),
      (found) => found === undefined,
    );
    await takeLock(hand, {
      cluster: 'shop',
      image: 'postgres:17',
      now: () => world.now(),
      signal: new AbortController().signal,
      onWait: () => undefined,
      sleep: () => Promise.reject(new Error('it is free')),
    });
    await setPaused(hand, 'shop', undefined);
    await untilCondition(kept, 'Reconciling False Standby');
    await untilCondition(kept, 'LeaderAvailable Unknown');
  });
});

describe('a keeper that waits for long', () => {
  it('sees what a command requests meanwhile', async () => {
    const world = new FakeWorld();
    let hangs = false;
    let waits = 0;
    const kept = keep(world, {}, (engine) => ({
      ...engine,
      exec: (container, command) => {
        const { signal, command: words } = command;
        if (!hangs || signal === undefined || !words.some((word) => word.endsWith('/await'))) {
          return engine.exec(container, command);
        }
        waits += 1;
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new PgherdError('interrupted', 'called off')));
        });
      },
    }));
    await kept.begin();
    await untilWell(world, kept);
    hangs = true;
    const { engine: hand } = world.connect();
    await hand.killContainer(replica, 'SIGKILL');
    await until(
      'it waits for the replica',
      () => waits,
      (count) => count > 0,
    );
    await setPaused(hand, 'shop', 'ann');
    await untilCondition(kept, 'Stalled True paused');
  });

  it('listens to a replica that was cloned meanwhile', async () => {
    const world = new FakeWorld();
    let isCloning = false;
    const kept = keep(world, {}, (engine) => ({
      ...engine,
      readLink: async (container, path) => {
        const target = await engine.readLink(container, path);
        return isCloning && path.endsWith('/state') && world.find(container)?.name === replica ? 'cloning' : target;
      },
      exec: async (container, command) => {
        const answer = await engine.exec(container, command);
        if (command.command.some((word) => word.endsWith('/await'))) isCloning = false;
        return answer;
      },
    }));
    await kept.begin();
    await untilWell(world, kept);
    isCloning = true;
    const before = kept.turns.length;
    kept.ask();
    await untilTurn(kept, before);
    expect(isCloning).toBe(false);
    await untilCondition(kept, 'ReplicasReady True');
  });
});

describe('a keeper whose cluster is paused', () => {
  it('looks only, lets go of the lock, and goes on when that ends', async () => {
    const kept = await start();
    const { world, hand, client, turns } = kept;
    await setPaused(hand, 'shop', 'ann');
    await untilCondition(kept, 'Stalled True paused: cluster/shop: it is paused');
    await until(
      'the lock is free',
      () => world.find(lock),
      (found) => found === undefined,
    );
    const calls = client.calls.length;
    const before = turns.length;
    await hand.killContainer(replica, 'SIGKILL');
    await untilTurn(kept, before);
    expect(turns.at(-1)).toBe('human');
    expect(client.calls.slice(calls).filter(isChange)).toEqual([]);
    await untilCondition(kept, 'ReplicasReady False NotStreaming: lb1-replica1 is exited');
    await setPaused(hand, 'shop', undefined);
    await untilWell(world, kept);
    expect(world.find(lock)).toMatchObject({ state: 'running' });
    expect(messagesOf(kept.entries, 'paused')).toHaveLength(1);
    expect(messagesOf(kept.entries, 'resumed')).toHaveLength(1);
  });

  it('tells how a server is that was started meanwhile', async () => {
    const { world, hand, end } = await start();
    await end();
    await hand.killContainer(replica, 'SIGKILL');
    await setPaused(hand, 'shop', 'ann');
    const kept = keep(world);
    await kept.begin();
    await untilCondition(kept, 'Stalled True paused');
    await untilCondition(kept, 'ReplicasReady False');
    await hand.startContainer(replica);
    await untilCondition(kept, 'ReplicasReady True');
  });

  it('and without a container goes on when the file changes', async () => {
    const kept = await start();
    const { world, hand, keeper, ask } = kept;
    await setPaused(hand, 'shop', 'ann');
    await untilCondition(kept, 'Stalled True paused');
    for (const name of [primary, replica, balancer]) await hand.removeContainer(name);
    await untilCondition(kept, 'ReplicasReady False NotStreaming: lb1-primary is missing');
    keeper.setSource(sourceOf(2, 'postgres: { memory: 256MB }'));
    ask();
    // The volumes say that it is paused, as soon as they can be read again.
    await until(
      'the containers are back',
      () => [primary, replica].map((name) => world.find(name)?.state),
      (states) => states.every((state) => state === 'created'),
    );
    await setPaused(hand, 'shop', undefined);
    await untilWell(world, kept);
  });
});

describe('a keeper that fails', () => {
  it('by a bug says so, and tries again', async () => {
    const world = new FakeWorld();
    let isBroken = true;
    const kept = keep(world, {
      before: ({ method }) => {
        if (method !== 'listVolumes' || !isBroken) return;
        isBroken = false;
        throw new TypeError('undefined is not a function');
      },
    });
    await kept.begin();
    await untilWell(world, kept);
    expect(kept.turns[0]).toBe('retry');
    expect(kept.logged).toContain('error: this is a bug in pgherd, please report it');
  });

  it('by a bug in a step does too', async () => {
    const world = new FakeWorld();
    let isBroken = true;
    const kept = keep(world, {
      before: (call) => {
        if (!isStart(call) || world.find(String(call.args[0]))?.name !== replica || !isBroken) return;
        isBroken = false;
        throw new TypeError('undefined is not a function');
      },
    });
    await kept.begin();
    await untilWell(world, kept);
    expect(kept.turns).toContain('retry');
    expect(kept.logged.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });

  it('since a port of the host is taken looks again by itself until it is free', async () => {
    const times = 5;
    let left = 0;
    const kept = await start({
      before: (call) => {
        if (!isStart(call) || left === 0) return;
        // No event tells when it is free.
        left -= 1;
        throw new PgherdError('port-taken', 'start container shop-lb1-replica1: port is already allocated');
      },
    });
    const { world, hand, entries } = kept;
    left = times;
    await hand.killContainer(replica, 'SIGKILL');
    await untilWell(world, kept);
    expect(left).toBe(0);
    expect(entries.filter(({ reason }) => reason === 'port-taken').map(({ type }) => type)).toContain('condition');
  });

  it('waits for that ever longer, though there is a time that counts: that of a leader that is down', async () => {
    let left = 0;
    const kept = await start({
      before: (call) => {
        if (!isStart(call) || left === 0) return;
        left -= 1;
        throw new PgherdError('port-taken', 'start container shop-lb1-primary: port is already allocated');
      },
    });
    left = 5;
    kept.turns.length = 0;
    await kept.hand.killContainer('shop-lb1-primary', 'SIGKILL');
    await untilWell(kept.world, kept);
    expect(left).toBe(0);
    expect(kept.turns).toContainEqual({ retryWithin: expect.any(Number) as number });
  });

  it('whose lock is lost stops before the next step that destroys, takes it again, and goes on', async () => {
    const lost: { at: number; isDue: boolean } = { at: -1, isDue: false };
    const kept = await start({
      after: ({ index, method }) => {
        if (method !== 'listVolumes' || !lost.isDue) return;
        lost.isDue = false;
        lost.at = index;
        // Somebody removes it.
        kept.world.crash(lock);
      },
    });
    const { world, keeper, client, ask } = kept;
    const before = world.find(replica)?.id;
    lost.isDue = true;
    keeper.setSource(sourceOf(2, 'postgres: { shm_size: 256MB }'));
    ask();
    await until(
      'the container was made anew',
      () => world.find(replica)?.id,
      (id) => id !== undefined && id !== before,
    );
    await untilWell(world, kept);
    const after = client.calls.slice(lost.at + 1).filter(isChange);
    expect(after[0]?.args[0]).toMatchObject({ name: lock });
    const told = messagesOf(kept.entries, 'lock').map((message) => message.split(':')[0]);
    expect(told).toEqual(['taken', 'lost', 'taken']);
  });

  it('whose lock is lost between two turns takes it again', async () => {
    const kept = await start();
    kept.world.crash(lock);
    await until(
      'the lock',
      () => messagesOf(kept.entries, 'lock'),
      (told) => told.length === 3,
    );
    expect(messagesOf(kept.entries, 'lock').slice(1)).toEqual(['lost', 'taken: this daemon keeps the cluster']);
    expect(kept.world.find(lock)).toMatchObject({ state: 'running' });
  });
});

describe('a server that ends again and again', () => {
  it('is left to the engine while that restarts it', async () => {
    const kept = await start();
    const { world, client } = kept;
    const starts = client.calls.filter(isStart).length;
    world.crash(replica);
    await untilCondition(
      kept,
      'Stalled True restart-held: node/lb1-replica1: it ended with exit code 2, and the engine',
    );
    world.advance(1000);
    await untilWell(world, kept);
    expect(client.calls.filter(isStart)).toHaveLength(starts);
  });

  it('is started ever more slowly, and what it said last is told', async () => {
    const kept = await start();
    const { world, hand, turns, ask } = kept;
    const aborter = new AbortController();
    const events = await hand.watchEvents({ types: ['container'], actions: ['start'] }, aborter.signal);
    void (async () => {
      for await (const { id } of events) {
        const container = world.find(id);
        if (container?.name !== replica) continue;
        container.say('FATAL:  no space left on device');
        await hand.killContainer(id, 'SIGKILL').catch(() => undefined);
      }
    })();
    await hand.killContainer(replica, 'SIGKILL');
    const untilHeld = async (): Promise<number> => {
      const next = await until(
        'the next start is later',
        () => (kept.isIdle() ? turns.at(-1) : undefined),
        (last) => typeof last === 'number',
      );
      return Number(next);
    };
    const pauses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const pause = await untilHeld();
      pauses.push(pause);
      turns.length = 0;
      world.advance(pause);
      ask();
    }
    await untilHeld();
    const said = await untilCondition(kept, 'Stalled True restart-held');
    expect(said).toMatch(
      /node\/lb1-replica1: it ended with exit code 137 soon after each of \d+ starts; the next start is in \d+ s; it said: .*FATAL: {2}no space left on device/,
    );
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeLessThanOrEqual(2000 * 2 ** index);
      expect(pause).toBeGreaterThan(2000 * 2 ** index - 1000);
    }
    const ends = (): readonly string[] =>
      messagesOf(kept.entries, 'condition').filter((message) => message.startsWith('Stalled is False'));
    expect(ends(), 'while it is tried again, it is in the way as before').toEqual([]);
    aborter.abort();
    world.advance(60_000);
    ask();
    await untilWell(world, kept);
    expect(kept.show()).toContain('Stalled False Nothing: ');
    expect(ends()).toHaveLength(1);
  });

  it.each([replica, balancer])('since somebody kills %s every minute is started at once each time', async (name) => {
    const kept = await start();
    const { world, hand, turns } = kept;
    world.healthAfter = 5000;
    for (let minute = 0; minute < 12; minute += 1) {
      await hand.killContainer(name, 'SIGKILL');
      await untilWell(world, kept);
      const before = turns.length;
      world.advance(5000);
      // Its health check passes now, and it is looked at.
      if (name === balancer) await untilTurn(kept, before);
      await untilWell(world, kept);
      world.advance(55_000);
      await untilWell(world, kept);
    }
    expect(turns.filter((next) => typeof next === 'number')).toEqual([]);
  });
});
