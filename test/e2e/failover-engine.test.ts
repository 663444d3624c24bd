import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { engineHost } from './support/engine.ts';
import { PrivateEngine } from './support/private-engine.ts';

describe('the engine ends with nobody there after a failover, and comes back before the daemon does', () => {
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
      await group.end();
    } finally {
      await engine.cleanup();
    }
  });

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
