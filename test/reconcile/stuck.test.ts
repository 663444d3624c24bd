import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { ExecCommand } from '../../src/docker/engine.ts';
import { calledOff } from '../../src/reconcile/wake.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { findFaults, leastFile as file, planOf, run, type File } from './simulation.ts';

it('a container that the engine cannot start any more is made anew on its volume', async () => {
  const engine = new FakeWorld(1);
  await run(engine, file);
  const stuck = engine.find('shop-lb1-replica1')?.id ?? '';
  await engine.connect().engine.stopContainer(stuck, 0);
  const { result } = await run(engine, file, () => ({
    before: ({ method, args }) => {
      if (method !== 'startContainer' || args[0] !== stuck) return;
      throw new PgherdError('task-stuck', `task ${stuck}: already exists`, { retry: true });
    },
  }));
  expect(result.converged).toBe(true);
  expect(engine.find('shop-lb1-replica1')?.id).not.toBe(stuck);
  expect(findFaults(engine, file)).toEqual([]);
  expect((await planOf(engine, file)).steps).toEqual([]);
});

const threeNodes: File = {
  ...file,
  failover: { delay: '0s' },
  groups: file.groups.map((group) => ({ ...group, slots: [1, 2] })),
};

/** A script that ends only when nobody waits for it any more. */
async function hang({ signal }: ExecCommand): Promise<never> {
  await calledOff(signal ?? AbortSignal.abort());
  throw new PgherdError('interrupted', 'called off');
}

it('what failed is tried again while another server is waited for in vain', async () => {
  const engine = new FakeWorld(1);
  await run(engine, threeNodes);
  await engine.connect().engine.stopContainer('shop-lb1-replica1', 0);
  const [waiting, reloading] = ['shop-lb1-replica1', 'shop-lb1-replica2'].map((name) => engine.find(name)?.id);
  const edited = { ...threeNodes, groups: threeNodes.groups.map((group) => ({ ...group, workMem: '8MB' })) };
  let reloads = 0;
  const { result } = await run(engine, edited, undefined, ({ exec }) => ({
    exec: async (container, command) => {
      const script = command.command.find((word) => word.startsWith('/')) ?? '';
      const isReload = container === reloading && script.endsWith('/apply');
      if (isReload) reloads += 1;
      if (isReload && reloads === 1) throw new PgherdError('engine-error', 'it was not to be', { retry: true });
      if (container === waiting && script.endsWith('/await') && reloads === 1) {
        return hang(command);
      }
      return exec(container, command);
    },
  }));
  expect(reloads).toBeGreaterThan(1);
  expect(result.converged).toBe(true);
});

it('a clone that has ended is looked at while another is waited for in vain', async () => {
  const engine = new FakeWorld(1);
  const withSlots = (slots: readonly number[]): File => ({
    ...file,
    groups: file.groups.map((group) => ({ ...group, slots })),
  });
  await run(engine, withSlots([]));
  const awaited: string[] = [];
  const { result } = await run(engine, withSlots([1, 2]), undefined, ({ exec }) => ({
    exec: async (container, command) => {
      if (!command.command.some((word) => word.endsWith('/await'))) return exec(container, command);
      const isLast = container === engine.find('shop-lb1-replica2')?.id;
      awaited.push(isLast ? 'replica2' : 'another');
      if (!isLast || awaited.filter((name) => name === 'replica2').length > 1) return exec(container, command);
      return hang(command);
    },
  }));
  expect(awaited).toContain('another');
  expect(awaited.filter((name) => name === 'replica2').length).toBeGreaterThan(1);
  expect(result.converged).toBe(true);
});

describe('a leader that cannot be started', () => {
  it('is taken out of service by a run of its own, which has another one lead and says what it failed at', async () => {
    const engine = new FakeWorld(1);
    await run(engine, threeNodes);
    const leader = engine.find('shop-lb1-primary')?.id ?? '';
    await engine.connect().engine.stopContainer(leader, 0);
    const { result } = await run(engine, threeNodes, () => ({
      before: ({ method, args }) => {
        if (method === 'startContainer' && args[0] === leader)
          throw new PgherdError('engine-error', 'it cannot be started');
      },
    }));
    expect(result.failures.map(({ resource, error }) => `${resource}: ${error.message}`)).toEqual([
      'node/lb1-primary: it cannot be started',
    ]);
    expect(engine.find('shop-lb1-primary')?.state).toBe('exited');
    expect(engine.find('shop-lb1-replica1')?.process).toMatchObject({ serves: 'leader' });
    expect(engine.find('shop-lb1-replica2')?.process).toMatchObject({ serves: 'follower' });
  });

  it('is replaced without a pause, whatever goes on failing meanwhile in another group', async () => {
    const twoGroups = { ...threeNodes, groups: [...threeNodes.groups, ...threeNodes.groups] };
    const engine = new FakeWorld(1);
    await run(engine, twoGroups);
    const isReplaced = (): boolean => engine.find('shop-lb1-replica1')?.process?.serves === 'leader';
    const hand = engine.connect().engine;
    await Promise.all([hand.stopContainer('shop-lb1-primary', 0), hand.removeContainer('shop-lb2-replica1')]);
    const { result, progress } = await run(engine, twoGroups, () => ({
      before: ({ method, args }) => {
        const isOther = method === 'createContainer' && JSON.stringify(args).includes('"name":"shop-lb2-replica1"');
        if (isOther && !isReplaced()) throw new PgherdError('engine-error', 'it cannot be made', { retry: true });
      },
    }));
    expect(result.converged).toBe(true);
    const told = progress.flatMap((each) =>
      each.type === 'retrying' ? ['pause'] : each.type === 'step-ended' ? [each.outcome.step.action.do] : [],
    );
    const [detached, promoted] = [told.indexOf('detach'), told.indexOf('promote')];
    expect(promoted).toBeGreaterThan(detached);
    expect(told.slice(detached, promoted)).not.toContain('pause');
  });

  it('is given up after four starts', async () => {
    const engine = new FakeWorld(1);
    await run(engine, threeNodes);
    const leader = engine.find('shop-lb1-primary')?.id ?? '';
    const hand = engine.connect().engine;
    await hand.stopContainer(leader, 0);
    let starts = 0;
    const { result } = await run(engine, { ...threeNodes, failover: { mode: 'manual' } }, () => ({
      after: ({ method, args }) => {
        if (method !== 'startContainer' || args[0] !== leader) return;
        starts += 1;
        void hand.killContainer(leader, 'SIGKILL').catch(() => undefined);
      },
    }));
    expect(starts).toBe(4);
    expect(result.failures.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^it ended soon after each of 4 starts; /),
    ]);
  });
});

it('commits wait for one that its leader lists a moment after it streams', async () => {
  const engine = new FakeWorld(1);
  const quorum: File = { ...threeNodes, replication: { mode: 'quorum', sync_replicas: 1 } };
  await run(engine, quorum);
  await engine.connect().engine.stopContainer('shop-lb1-replica1', 0);
  let listedAt = Infinity;
  async function* listIt(lines: AsyncIterable<string>): AsyncIterable<string> {
    for await (const line of lines) {
      yield line;
      const { lsn, senders } = JSON.parse(line) as { readonly lsn: number; readonly senders: object | null };
      if (senders === null) continue;
      while (engine.now() < listedAt) await setImmediate();
      const listed = { ...senders, 'lb1-replica1': { state: 'streaming', lsn } };
      yield JSON.stringify({ ...(JSON.parse(line) as object), senders: listed });
    }
  }
  const { result } = await run(engine, quorum, undefined, ({ exec, execStream, listContainers }) => ({
    exec: async (container, command) => {
      const done = await exec(container, command);
      if (command.command.some((word) => word.endsWith('/await'))) listedAt = engine.now() + 3000;
      return done;
    },
    execStream: async (...args) => {
      const stream = await execStream(...args);
      return { ...stream, lines: listIt(stream.lines) };
    },
    // The clock is quicker than what it waits for.
    listContainers: async (...args) => {
      await setImmediate();
      return listContainers(...args);
    },
  }));
  expect(result.converged).toBe(true);
  expect((await planOf(engine, quorum)).steps).toEqual([]);
});
