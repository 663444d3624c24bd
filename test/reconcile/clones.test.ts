import { describe, expect, it } from 'vitest';
import { FakeWorld, type FakeHooks } from '../bench/fake-engine.ts';
import { findFaults, leastFile as file, planOf, run } from './simulation.ts';

const replica = 'shop-lb1-replica1';

/** Cuts each clone of the replica short as soon as it is started, so many times. */
function cutShort(engine: FakeWorld, times: number): { readonly hooks: FakeHooks; readonly cut: () => number } {
  let cut = 0;
  const after: FakeHooks['after'] = ({ method, args }) => {
    const container = engine.find(replica);
    if (container === undefined || method !== 'startContainer' || args[0] !== container.id || cut === times) return;
    cut += 1;
    container.volumes[0]?.volume.tree.put('/pgherd/state', { type: 'link', target: 'half' });
    if (container.volumes[0] !== undefined) container.volumes[0].volume.database = undefined;
    container.say('pgherd start: the clone failed: no space');
    engine.crash(replica, 78);
  };
  return { hooks: { after }, cut: () => cut };
}

/** A cluster whose replica is to be cloned. */
async function build(): Promise<FakeWorld> {
  const engine = new FakeWorld(1);
  await run(engine, file);
  const { engine: hand } = engine.connect();
  const id = engine.find(replica)?.id ?? '';
  await hand.stopContainer(id, 0);
  await hand.removeContainer(id);
  await hand.removeVolume('shop_lb1_1_1');
  return engine;
}

const volumes = (engine: FakeWorld): readonly string[] =>
  [...engine.volumes.keys()].filter((name) => name.startsWith('shop_lb1_1'));

describe('a clone that is cut short', () => {
  it('begins again in a clean volume, and leaves none behind', async () => {
    const engine = await build();
    const { hooks, cut } = cutShort(engine, 3);
    const { result } = await run(engine, file, () => hooks);
    expect(result.converged).toBe(true);
    expect(cut()).toBe(3);
    expect(volumes(engine)).toHaveLength(1);
    expect(findFaults(engine, file)).toEqual([]);
    expect((await planOf(engine, file)).steps).toEqual([]);
  });

  it('again and again is given up by a run that nobody follows up, which says why', async () => {
    const engine = await build();
    const { hooks, cut } = cutShort(engine, 100);
    const { result } = await run(engine, file, () => hooks);
    expect(result.converged).toBe(false);
    expect(cut()).toBe(5);
    expect(result.failures.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^its clone was cut short 5 times; .*pgherd start: the clone failed: no space/),
    ]);
    expect(volumes(engine)).toHaveLength(1);
  });

  it('is kept where it has become whole by the time that it is to be removed', async () => {
    const engine = await build();
    const { hooks } = cutShort(engine, 1);
    let isWhole = false;
    const { result } = await run(engine, file, () => ({
      ...hooks,
      // What is found when it is removed is another state than the one that was looked at.
      before: ({ method, args }) => {
        const container = engine.find(replica);
        if (isWhole || method !== 'stopContainer' || args[0] !== container?.id) return;
        isWhole = true;
        container?.volumes[0]?.volume.tree.put('/pgherd/state', { type: 'link', target: 'diverged' });
      },
    }));
    expect(isWhole).toBe(true);
    expect(result.converged).toBe(true);
    expect(volumes(engine)).toEqual(['shop_lb1_1_1', 'shop_lb1_1_2']);
  });
});
