import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { docker, dockerResult, engineHost } from './support/engine.ts';
import { PrivateEngine } from './support/private-engine.ts';
import { output } from './support/run.ts';
import { until } from './support/until.ts';

let engine: PrivateEngine;
let group: LedHerd;

beforeAll(async () => {
  const shared = process.env['DOCKER_HOST'] ?? '';
  engine = await PrivateEngine.create();
  await engine.start();
  await engine.load(['postgres:17', 'pgbalancer:latest'], shared);
  // No helper of this file has asked for the engine yet: from here on, all of them use this one.
  process.env['DOCKER_HOST'] = engine.host;
  expect(await engineHost()).toBe(engine.host);
  group = await LedHerd.prepare({});
  await group.bringUp('once');
  await group.addRow('lb1-primary');
  await group.kill('lb1-primary');
  await group.run('failover', 'lb1');
  await group.becomeWhole();
});

afterEach(async () => {
  if (!engine.isRunning) await engine.start();
  await group.stopDaemon();
});

afterAll(async () => {
  try {
    await group.herd.cluster.leave();
  } finally {
    await engine.cleanup();
  }
});

describe('the engine ends with nobody there after a failover, and comes back before the daemon does', () => {
  it.each(['kill', 'stop'] as const)('%s: the new leader leads on, and every row is there', async (end) => {
    const before = await group.becomeWhole();
    expect(before.name).not.toBe('lb1-primary');
    await group.addRow(before.name);
    await engine[end]();
    await engine.start();
    await group.startDaemon();
    expect(await group.becomeWhole()).toEqual(before);
  });
});

describe('a container that the engine cannot remove whole, of which nothing can be read any more', () => {
  /** A file of the engine that it cannot remove with a container: as one in use by somebody else. */
  async function holdOn(name: string): Promise<{ readonly letGo: () => Promise<unknown> }> {
    const layer = await docker('inspect', '--format', '{{.GraphDriver.Data.UpperDir}}', group.container(name));
    const file = layer.replace(/\/diff$/, '/link');
    await output('chattr', ['+i', file]);
    return { letGo: () => output('chattr', ['-i', file]) };
  }

  /** Removes a container as far as the engine can. */
  async function removeHalf(name: string): Promise<void> {
    expect((await dockerResult(['rm', '--force', group.container(name)])).stderr).toContain('failed to remove');
    // While somebody tries again it is being removed.
    await until(
      `${name} is dead`,
      () => group.herd.inspect(name, '{{.State.Status}}'),
      (status) => status === 'dead',
    );
  }

  it('has another node lead where it led, and follows as soon as it can be removed', async () => {
    await group.startDaemon();
    const before = await group.becomeWhole();
    await group.addRow(before.name);
    const held = await holdOn(before.name);
    try {
      await removeHalf(before.name);
      await group.awaitSuccessor(before);
    } finally {
      await held.letGo();
    }
    expect(await group.becomeWhole()).toMatchObject({ timeline: before.timeline + 1 });
  });

  it('is removed, and made anew on its volume, by a run of its own, also where it is a balancer', async () => {
    const before = await group.becomeWhole();
    const follower = before.name === 'lb1-primary' ? 'lb1-replica1' : 'lb1-primary';
    for (const name of [follower, 'lb1']) {
      const held = await holdOn(name);
      await removeHalf(name).finally(held.letGo);
    }
    expect(await group.herd.plan([])).toEqual([
      `delete+create node/${follower}: half-removed`,
      'delete+create balancer/lb1: half-removed',
    ]);
    await group.reconcile();
    expect(await group.becomeWhole()).toEqual(before);
  });

  it('goes with the cluster', async () => {
    const { name } = await group.becomeWhole();
    const held = await holdOn(name);
    await removeHalf(name).finally(held.letGo);
    await group.run('destroy', '--yes');
    expect(await group.herd.containers()).toEqual([]);
  });
});
