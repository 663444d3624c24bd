import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Checker } from '../chaos/checker.ts';
import { LedHerd } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { until } from './support/until.ts';

let group: LedHerd;
let checker: Checker | undefined;
let port: number;

const first = 20;
const slots = [0, 1, 2];

beforeAll(async () => {
  group = await LedHerd.prepare({});
  const { cluster } = group.herd;
  [port = 0] = await cluster.ports(1);
  const node = (slot: number): Readonly<Record<string, unknown>> => ({ ip_address: cluster.address(first + slot) });
  await group.herd.editBalancer({
    port,
    config: { num_init_children: 16, max_pool: 1 },
    primary: node(0),
    replicas: [1, 2].map((slot) => ({ node_id: slot, ...node(slot) })),
  });
  await group.bringUp('once');
});

afterEach(async () => {
  await checker?.stop();
  checker = undefined;
});

afterAll(async () => {
  await group.end();
});

/** Writes in many ways at once while something is done, and finds that nothing is lost and nobody else took writes. */
async function whileWriting(act: () => Promise<void>): Promise<void> {
  const leader = (await group.leaders())[0]?.name ?? '';
  await group.sql(leader, 'DROP TABLE IF EXISTS checked, probed');
  const nodes = slots.map((slot) => {
    const name = slot === 0 ? 'lb1-primary' : `lb1-replica${String(slot)}`;
    return { name, container: group.container(name), address: group.herd.cluster.address(first + slot) };
  });
  checker = await Checker.start({ nodes, port, password: 'only-a-test', writers: 4, directWriters: 1 });
  await act();
  await checker.nextAcknowledged(performance.now(), 30_000, 'a new session');
  const verdict = await checker.verdict();
  expect(verdict).toMatchObject({ lost: [], risen: [], doubles: [] });
  expect(verdict.acknowledged).toBeGreaterThan(10);
}

describe('switchover', () => {
  it('hands over without a loss, and the old leader follows without being rewound', async () => {
    const before = await group.becomeWhole('lb1-primary');
    await whileWriting(async () => {
      const { stdout } = await group.run('switchover', 'lb1', '--to', 'lb1-replica1');
      expect(stdout).toContain('lb1-replica1 leads lb1, which lb1-primary led before.');
    });
    expect(await group.becomeWhole()).toEqual({ name: 'lb1-replica1', timeline: before.timeline + 1 });
    const log = await group.logOf('lb1-primary');
    expect(log).toContain('database system is shut down');
    expect(log).toContain('nothing to rewind');
    expect(log).not.toContain('need to copy');
  });

  it('has nothing to do where that node leads already', async () => {
    const before = await group.becomeWhole();
    const { stdout } = await group.run('switchover', 'lb1', '--to', before.name);
    expect(stdout).toBe(`${before.name} leads lb1 already.\n`);
    expect(await group.becomeWhole()).toEqual(before);
  });

  it.each([
    [['switchover', 'lb2'], 'there is no group "lb2" in these files', 'known here: lb1'],
    [
      ['switchover', 'lb1', '--to', 'lb1-replica9'],
      'there is no node "lb1-replica9" in the group lb1',
      'known here: lb1-primary, lb1-replica1, lb1-replica2',
    ],
  ])('says of %j what is wrong, and changes nothing', async (args, message, remedy) => {
    const before = await group.leaders();
    const { code, stdout, stderr } = await group.pgherd(args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain(remedy);
    expect(await group.leaders()).toEqual(before);
  });

  it('is refused where the node that is to lead does not follow, and is forgotten then', async () => {
    const before = await group.becomeWhole();
    await group.break('lb1-replica2');
    // It runs, again and again, and does not answer.
    await docker('start', group.container('lb1-replica2'));
    await until(
      'it waits to be started anew',
      () => group.herd.inspect('lb1-replica2', '{{.State.Restarting}}'),
      (is) => is === 'true',
    );
    const startedAt = await group.herd.inspect(before.name, '{{.State.StartedAt}}');
    const { code, stdout, stderr } = await group.pgherd([
      ...['switchover', 'lb1', '--to', 'lb1-replica2'],
      ...['--timeout', '10'],
    ]);
    const [record, leaders] = [await group.recordOf('lb1-primary'), await group.leaders()];
    await group.mend('lb1-replica2');
    await group.reconcile();
    expect(code, `${stdout}${stderr}`).toBe(3);
    expect(await group.herd.inspect(before.name, '{{.State.StartedAt}}'), 'the leader was left alone').toBe(startedAt);
    expect(record).not.toContain('switchover');
    expect(leaders).toEqual([before]);
    expect(await group.becomeWhole()).toEqual(before);
  });

  it('is done to one that has just been cloned, and has no WAL from before that', async () => {
    const before = await group.becomeWhole();
    const [name = ''] = (await group.followers(before.name)).split(',');
    await group.removeWithVolume(name);
    await group.reconcile();
    await group.run('switchover', 'lb1', '--to', name);
    expect(await group.becomeWhole()).toEqual({ name, timeline: before.timeline + 1 });
  });

  it('is done by a daemon that keeps the cluster, without a loss', async () => {
    const before = await group.becomeWhole();
    await group.startDaemon();
    await group.becomeWhole();
    await whileWriting(async () => {
      await group.run('switchover', 'lb1', '--to', 'lb1-replica2');
    });
    expect(await group.becomeWhole()).toEqual({ name: 'lb1-replica2', timeline: before.timeline + 1 });
    expect(group.daemon.steps()).toContain('node/lb1-replica2: promote');
  });
});

it('a leader that is taken out of the file hands over first, without a loss', async () => {
  const old = await group.becomeWhole('lb1-replica2');
  const volume = await group.volumeOf(old.name);
  const { replicas = [] } = group.herd.file.balancers[0] ?? {};
  await whileWriting(async () => {
    await group.herd.editBalancer({ replicas: (replicas as readonly unknown[]).slice(0, 1) });
    await group.awaitSuccessor(old);
  });
  await until(
    'it is gone',
    () => group.herd.containers('node'),
    (found) => found.join() === 'lb1-primary,lb1-replica1',
    60_000,
  );
  const leader = await group.becomeWhole();
  expect(leader.timeline).toBe(old.timeline + 1);
  expect(await group.herd.cluster.volumes()).toContain(volume);
});
