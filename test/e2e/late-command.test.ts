import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { LedHerd, slotOf, type Leader } from './failover-herd.ts';
import type { Result } from './support/cluster.ts';
import { engineHost } from './support/engine.ts';
import { until } from './support/until.ts';

/** A command that is held up between its read and its write, while its leader is lost and another node is promoted. */

const names = ['lb1-primary', 'lb1-replica1', 'lb1-replica2'];
let group: LedHerd;
let proxy: Proxy | undefined;

beforeAll(async () => {
  group = await LedHerd.prepare({ replication: { mode: 'quorum', sync_replicas: 1 }, failover: { delay: '0s' } });
  await group.bringUp('daemon');
  await group.addRow('lb1-primary');
});

afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

afterAll(async () => {
  await group.end();
});

type Held = {
  /** Has it go on, and gives what came of it. */
  readonly release: () => Promise<Result>;
};

/** Starts a command, and holds it at the first call that changes anything: what it has read gets old. */
async function hold(...args: readonly string[]): Promise<Held> {
  const used = await startProxy({ upstream: await engineHost() });
  proxy = used;
  let open = (): void => undefined;
  const released = new Promise<void>((resolve) => (open = resolve));
  const isAtItsWrite = new Promise<boolean>((resolve) => {
    const onHit = (): Promise<void> => {
      resolve(true);
      return released;
    };
    used.inject({ when: ({ mutating }) => mutating, act: 'delay', ms: 0, times: Infinity, onHit });
  });
  const { done } = await group.spawnPgherd(args, { host: used.host });
  const isHeld = await Promise.race([isAtItsWrite, done]);
  expect(isHeld, 'it writes').toBe(true);
  const release = (): Promise<Result> => {
    open();
    return done;
  };
  return { release };
}

type Scene = {
  readonly before: Leader;
  /** Who takes over, since all have the same and its slot is the lowest, and who does not. */
  readonly heir: string;
  readonly third: string;
};

async function setScene(): Promise<Scene> {
  const before = await group.becomeWhole();
  await group.coolDown(before.name);
  const [heir = '', third = ''] = names.filter((name) => name !== before.name);
  await group.untilListed(before.name, [heir, third].map(slotOf).join('-'));
  await group.addRow(before.name);
  return { before, heir, third };
}

/** Kills the leader, and waits until its heir leads, and all that are up have it written down. */
async function replace({ before, heir, third }: Scene): Promise<Leader> {
  const { next } = await group.failOver(before);
  const leader = { name: heir, timeline: before.timeline + 1 };
  expect(next).toEqual(leader);
  for (const name of [heir, third]) {
    await until(
      `${name} has it written down that ${heir} leads`,
      () => recordedLeader(name),
      (slot) => slot === slotOf(heir),
    );
  }
  return leader;
}

/** Slot of the leader by the record that a node holds. */
async function recordedLeader(name: string): Promise<string | undefined> {
  return /record\.\d+\.\d+\.(\d+)\./.exec(await group.recordOf(name))?.[1];
}

/** How often a server has come up to take writes, or was promoted. */
async function countReigns(name: string): Promise<number> {
  const log = await group.logOf(name);
  return log.match(/ready to accept connections|selected new timeline ID/g)?.length ?? 0;
}

/** Does something, and finds that the leader has led all the time, that nobody else took writes, and that no row is lost. */
async function whileLed(leader: Leader, act: () => Promise<void>): Promise<void> {
  const others = names.filter((name) => name !== leader.name);
  const countAll = async (): Promise<readonly number[]> => await Promise.all(others.map(countReigns));
  const look = async (): Promise<unknown> => (await group.herd.look()).get(leader.name);
  const [container, reigns] = [await look(), await countAll()];
  await act();
  expect(await group.becomeWhole(leader.name)).toEqual(leader);
  expect(await look(), 'it was not started again').toEqual(container);
  // One that was replaced begins a new log.
  for (const [index, count] of (await countAll()).entries()) {
    expect(count, `reigns of ${String(others[index])}`).toBeLessThanOrEqual(reigns[index] ?? 0);
  }
  expect(await Promise.all(names.map(recordedLeader))).toEqual(names.map(() => slotOf(leader.name)));
}

it('a pause pauses, and brings nobody back to lead', async () => {
  const scene = await setScene();
  const late = await hold('pause', group.herd.cluster.name);
  const leader = await replace(scene);
  await whileLed(leader, async () => {
    const { code, stdout, stderr } = await late.release();
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(': paused');
    expect(await recordedLeader(scene.heir)).toBe(slotOf(scene.heir));
    expect(await recordedLeader(scene.third)).toBe(slotOf(scene.heir));
    expect((await group.run('status')).stdout).toContain('paused');
    await group.addRow(leader.name);
    await group.run('resume', group.herd.cluster.name);
  });
});

it('a switchover ends the reign that it saw and no other, and says so', async () => {
  const scene = await setScene();
  const late = await hold('switchover', 'lb1', '--to', scene.third, '--timeout', '20');
  const leader = await replace(scene);
  await whileLed(leader, async () => {
    const { code, stdout, stderr } = await late.release();
    expect(code, stdout + stderr).toBe(3);
    expect(stdout).toContain(
      `${scene.heir} leads lb1 now: the leader changed while this command ran, and its request was not carried out.`,
    );
  });
});
