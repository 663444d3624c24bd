import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { patient } from './support/edits.ts';
import { docker } from './support/engine.ts';

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({});
  await group.bringUp('once');
});

afterEach(async () => {
  await group.stopDaemon();
});

afterAll(async () => {
  await group.end();
});

/** Everything ends at once, as when the host loses its power, and some of it is started again by hand. */
async function reboot(started: readonly string[]): Promise<void> {
  const all = await group.herd.containers();
  await docker('kill', ...all.map((name) => group.container(name)));
  for (const name of started) await docker('start', group.container(name));
}

describe('everything ends at once with nobody there, is started in any order, and a daemon comes last', () => {
  it('the replicas first: the leader leads on', async () => {
    const before = await group.becomeWhole('lb1-primary');
    await group.addRow(before.name);
    await reboot(['lb1-replica2', 'lb1-replica1', 'lb1', 'lb1-primary']);
    await group.startDaemon();
    expect(await group.becomeWhole()).toEqual(before);
  });

  it('after a failover, the one that led before it first: the new leader leads on', async () => {
    const old = await group.becomeWhole('lb1-primary');
    await group.addRow(old.name);
    await group.kill(old.name);
    await group.run('failover', 'lb1');
    const before = await group.becomeWhole();
    expect(before.timeline).toBe(old.timeline + 1);
    await group.addRow(before.name);
    const others = (await group.followers(before.name)).split(',');
    await reboot([...others, 'lb1', before.name]);
    await group.startDaemon();
    expect(await group.becomeWhole()).toEqual(before);
  });

  it('all but the leader: it is started where it was, and leads on', async () => {
    const before = await group.becomeWhole();
    expect(before.name).not.toBe('lb1-primary');
    await group.addRow(before.name);
    await group.herd.edit(patient);
    await reboot((await group.followers(before.name)).split(','));
    await group.startDaemon();
    expect(await group.becomeWhole()).toEqual(before);
  });
});
