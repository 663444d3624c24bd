import { describe, expect, it } from 'vitest';
import { takeLock, type Lock } from '../../src/reconcile/lock.ts';
import { FakeWorld, type FakeClient } from '../bench/fake-engine.ts';

const name = 'pgherd-lock-shop';

/** `meanwhile`: what happens while it waits, once for each time. */
function take(
  world: FakeWorld,
  client: FakeClient,
  meanwhile: (() => Promise<void> | void)[] = [],
  signal = new AbortController().signal,
): Promise<Lock> & { readonly waits: string[] } {
  const waits: string[] = [];
  const lock = takeLock(client.engine, {
    cluster: 'shop',
    image: 'postgres:17',
    signal,
    onWait: (holder) => waits.push(holder),
    now: () => world.now(),
    sleep: async (milliseconds, called) => {
      world.advance(milliseconds);
      await meanwhile.shift()?.();
      called.throwIfAborted();
    },
  });
  return Object.assign(lock, { waits });
}

describe('the lock', () => {
  it('is a container that runs while it is held, and leaves nothing behind', async () => {
    const world = new FakeWorld();
    const lock = await take(world, world.connect());
    expect(world.find(name)).toMatchObject({ state: 'running' });
    await lock.verify();
    await lock.release();
    expect(world.containers.size).toBe(0);
    expect(world.volumes.size).toBe(0);
  });

  it('is waited for while another holds it, who is told once', async () => {
    const world = new FakeWorld();
    const first = await take(world, world.connect());
    const second = take(world, world.connect(), [() => undefined, () => undefined, () => first.release()]);
    await (await second).verify();
    expect(second.waits).toHaveLength(1);
    expect(second.waits[0]).toMatch(/@.* \(process \d+\), since 2026-01-01T/);
    await expect(first.verify()).rejects.toMatchObject({ code: 'lock-lost' });
  });

  it('is free when its holder dies', async () => {
    const world = new FakeWorld();
    const holder = world.connect();
    await take(world, holder);
    const second = take(world, world.connect(), [
      () => {
        holder.die();
      },
    ]);
    await (await second).verify();
  });

  it.each(['createContainer', 'attachInput'] as const)('is taken over from one who died after %s', async (method) => {
    const world = new FakeWorld();
    const dead: FakeClient = world.connect({
      after: (call) => {
        if (call.method === method) dead.die();
      },
    });
    await expect(take(world, dead)).rejects.toThrow('dead');
    expect(world.find(name)?.state).toBe('created');
    const start = world.now();
    await (await take(world, world.connect())).verify();
    expect(world.now() - start).toBeGreaterThan(3000);
    expect(world.now() - start).toBeLessThan(5000);
  });

  it('is lost when its container goes, and verify says so', async () => {
    const world = new FakeWorld();
    const lock = await take(world, world.connect());
    await world.connect().engine.removeContainer(name);
    await expect(lock.verify()).rejects.toMatchObject({ code: 'lock-lost', retry: true });
    await lock.release();
  });

  it('is not waited for any longer when that is called off', async () => {
    const world = new FakeWorld();
    await take(world, world.connect());
    const controller = new AbortController();
    const second = take(world, world.connect(), [() => undefined, () => controller.abort()], controller.signal);
    await expect(second).rejects.toThrow('aborted');
  });

  it('is refused where a container of somebody else has its name', async () => {
    const world = new FakeWorld();
    const { engine } = world.connect();
    await engine.createContainer({ name, image: 'postgres:17', labels: {}, network: 'none' });
    await expect(take(world, world.connect())).rejects.toMatchObject({ code: 'name-taken' });
    expect(world.find(name)).toBeDefined();
  });
});
