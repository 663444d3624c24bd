import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, mount, type Leader } from './failover-herd.ts';
import type { PlanJson } from './support/edits.ts';
import { docker, dockerResult } from './support/engine.ts';
import { until } from './support/until.ts';

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({
    failover: { delay: '0s' },
    postgres: { password: { env: 'HERD_PASSWORD' }, parameters: { max_connections: 30 } },
  });
  await group.bringUp('once');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

/** Has a replica take writes, past pgherd, and a row that nobody else has. */
async function promoteByHand(name: string, row: number): Promise<void> {
  await group.sql(name, 'SELECT pg_promote()');
  await group.sql(name, `INSERT INTO kept VALUES (${String(row)})`);
}

describe('a replica that takes writes while its leader serves', () => {
  let volume: string;

  const reasonOf = ({ changes }: PlanJson): PlanJson['changes'][number]['reason'] | undefined =>
    changes.find(({ resource }) => resource === 'node/lb1-replica1')?.reason;

  it('is seen by plan, status and its health check, without a daemon', async () => {
    await group.becomeWhole('lb1-primary');
    expect(await group.healthOf('lb1-replica1')).toBe('0 streaming');
    volume = await group.volumeOf('lb1-replica1');
    await promoteByHand('lb1-replica1', 1000);
    const plan = await until(
      'the plan has a second writer, and blocks nothing',
      () => group.herd.planJson(),
      (found) => reasonOf(found)?.code === 'second-writer' && found.blocked.length === 0,
    );
    expect(reasonOf(plan)).toEqual({
      code: 'second-writer',
      detail: `it takes writes, and does not lead; it is killed, and its volume ${volume} is kept with what it wrote`,
    });
    await until(
      'the status says so',
      () => group.pgherd(['status']),
      ({ stdout }) => ['takes writes, and does not lead', 'OutOfSync'].every((words) => stdout.includes(words)),
    );
    expect(await group.healthOf('lb1-replica1')).toBe('1 takes writes, and does not lead');
  });

  it('is killed and replaced by reconcile --once, and what it wrote stays in its volume', async () => {
    const { stdout } = await group.reconcile();
    expect(stdout).toContain('takes writes, and does not lead');
    await group.becomeWhole('lb1-primary');
    expect(await group.volumeOf('lb1-replica1')).not.toBe(volume);
    const found = await group.inVolume(
      volume,
      `echo 'SELECT count(*) FROM kept WHERE n = 1000' | postgres --single -D ${mount}/pgdata postgres`,
    );
    expect(found).toContain('count = "1"');
  });

  it('a leader is healthy while clients hold all connections', async () => {
    const container = group.container('lb1-primary');
    const sleeper = [
      'psql',
      '-h',
      '/var/run/postgresql',
      '-U',
      'pgherd_monitor',
      '-c',
      'SELECT pg_sleep(600)',
      'postgres',
    ];
    const asker = ['psql', '-h', '127.0.0.1', '-U', 'pgherd_monitor', 'postgres'];
    const thirty = `for i in $(seq 30); do "$0" "$@" & done; wait`;
    await docker('exec', '--detach', container, 'sh', '-c', thirty, ...sleeper);
    const environment = ['--env', `PGPASSFILE=${mount}/pgherd/secrets/pgpass`];
    await until(
      'no connection is left',
      async () => {
        const asked = await dockerResult(['exec', ...environment, container, ...asker]);
        // Whoever had it a moment ago may have let one go that no sleeper got.
        if (asked.code === 0) await docker('exec', '--detach', container, ...sleeper);
        return asked;
      },
      ({ stderr }) => /connection slots|too many clients/.test(stderr),
      120_000,
    );
    expect(await group.healthOf('lb1-primary')).toBe('0 leader');
    const sleeping =
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
    await group.sql('lb1-primary', sleeping);
  });
});

it.each(['once', 'daemon'] as const)('is replaced by %s also while another one is waited for', async (how) => {
  const { name: leader } = await group.becomeWhole('lb1-primary');
  // No clone begins while nobody may connect to replicate.
  await group.sql(leader, 'ALTER ROLE pgherd_replication NOLOGIN');
  await group.removeWithVolume('lb1-replica2');
  const volume = await group.volumeOf('lb1-replica1');
  const once = how === 'once' ? await group.spawnPgherd(['reconcile', '--once', '--timeout', '300']) : undefined;
  if (once === undefined) await group.startDaemon();
  await until(
    'the clone waits',
    () => group.logOf('lb1-replica2'),
    (log) => log.includes('does not answer yet'),
  );
  await group.sql('lb1-replica1', 'SELECT pg_promote(false)');
  await until(
    'it is in another volume',
    () => group.volumeOf('lb1-replica1'),
    (now) => now !== volume,
  );
  expect(await group.logOf('lb1-replica2')).not.toContain('cloned');
  await group.sql(leader, 'ALTER ROLE pgherd_replication LOGIN');
  if (once === undefined) await group.stopDaemon();
  else expect((await once.done).code).toBe(0);
  await group.reconcile();
  await group.becomeWhole(leader);
});

it('reconcile --once that waits for a clone sees a leader end, and replaces it', async () => {
  const before = await group.becomeWhole('lb1-primary');
  // No clone begins while nobody may connect to replicate.
  await group.sql(before.name, 'ALTER ROLE pgherd_replication NOLOGIN');
  await group.removeWithVolume('lb1-replica2');
  const once = await group.spawnPgherd(['reconcile', '--once', '--timeout', '300']);
  await until(
    'the clone waits',
    () => group.logOf('lb1-replica2'),
    (log) => log.includes('does not answer yet'),
  );
  await group.break(before.name);
  const next = await group.awaitSuccessor(before);
  expect(next.name).toBe('lb1-replica1');
  expect(await group.logOf('lb1-replica2')).not.toContain('cloned');
  await group.sql(next.name, 'ALTER ROLE pgherd_replication LOGIN');
  once.child.kill('SIGKILL');
  await once.done;
  // The broken one is replaced as well.
  await docker('rm', '--force', group.container('lb1-replica2'));
  await group.reconcile();
  await group.becomeWhole(next.name);
});

describe('a replica that takes writes while its leader is broken', () => {
  let before: Leader;
  let second: string;

  it('is left alone by a daemon, which says what to do, and is not read from', async () => {
    await group.herd.edit((file) => ({ ...file, failover: { mode: 'manual' } }));
    const looked = await group.herd.look();
    await group.startDaemon();
    before = await group.becomeWhole();
    second = (await group.followers(before.name)).split(',')[0] ?? '';
    await group.break(before.name);
    await promoteByHand(second, 2000);
    const stalled = await until(
      'the daemon says that it cannot go on',
      () => group.daemon.condition('Stalled'),
      (found) => found?.reason === 'second-writer',
      60_000,
    );
    expect(stalled?.message).toContain(
      `${second} takes writes, and ${before.name}, which leads by the record, does not`,
    );
    expect(stalled?.message).toContain(`pgherd failover lb1 --to ${second}`);
    const address = await group.herd.inspect(
      second,
      `{{(index .NetworkSettings.Networks "${group.herd.cluster.name}").IPAddress}}`,
    );
    await until(
      'no reader means it',
      () => docker('exec', group.container('lb1'), 'cat', '/etc/hosts'),
      (hosts) => hosts.includes('reader1') && !hosts.includes(`${address} `),
    );
    expect(await group.blocked()).toEqual(['group/lb1: second-writer']);
    await group.stopDaemon();
    const { code, stderr } = await group.pgherd(['reconcile', '--once', '--timeout', '60']);
    expect(code, stderr).toBe(3);
    expect(stderr).toContain(`pgherd failover lb1 --to ${second}`);
    const { [second]: kept } = Object.fromEntries(await group.herd.look());
    expect(kept).toEqual(looked.get(second));
  });

  it('leads with all it acknowledged when somebody says so; the broken one is replaced, and its volume kept', async () => {
    const volume = await group.volumeOf(before.name);
    const { stdout } = await group.run('failover', 'lb1', '--to', second);
    expect(stdout).toContain(`${second} leads lb1, which ${before.name} led before.`);
    const leader = await group.becomeWhole(second);
    expect(leader.timeline).toBe(before.timeline + 1);
    for (const name of await group.herd.containers('node')) {
      expect(await group.sql(name, 'SELECT count(*) FROM kept WHERE n = 2000'), name).toBe('1');
    }
    expect(await group.volumeOf(before.name)).not.toBe(volume);
    expect(await group.herd.cluster.volumes()).toContain(volume);
  });
});
