import { expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { findFaults, leastFile as file, planOf, run } from './simulation.ts';

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
