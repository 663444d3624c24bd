import { afterAll, beforeAll, expect, test } from 'vitest';
import { isOfServer, listProcesses, signal } from '../chaos/processes.ts';
import { openSession } from '../chaos/session.ts';
import { LedHerd, mount, startupProcess, type Leader } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
import { until } from './support/until.ts';

/**
 * What keeps a standby from replaying, or from answering, does not keep the others from taking over, and leaves nobody cut
 * off. The tests go on from one another.
 */
let group: LedHerd;

/** Milliseconds until the next write that no replica may cost; without the mend it is 29,000 and more. */
const bound = 25_000;

const replicas = ['lb1-replica1', 'lb1-replica2'];
const lifted = 'primary_conninfo|max_standby_streaming_delay|max_standby_archive_delay|recovery_min_apply_delay';

beforeAll(async () => {
  group = await LedHerd.prepare({ failover: { delay: '0s' } });
  await group.herd.editPostgres({ parameters: { archive_mode: 'on', archive_command: 'true' } });
  await group.bringUp('daemon');
});

afterAll(async () => {
  await group.end();
});

/** Runs a script in a node's container, as the user of its server. */
function inside(name: string, script: string): Promise<string> {
  return docker('exec', group.container(name), 'sh', '-c', script);
}

/** Kills the leader, and gives the milliseconds until another node takes a write; one that hangs is not asked. */
async function failOver(leader: Leader, hangs?: string): Promise<number> {
  const { next, outage } = await group.failOver(leader, hangs);
  const began = performance.now();
  const write =
    'SET synchronous_commit = local; CREATE TABLE IF NOT EXISTS written (n int); INSERT INTO written VALUES (1)';
  await group.sql(next.name, write);
  return outage + performance.now() - began;
}

async function expectNothingLeft(): Promise<void> {
  for (const name of ['lb1-primary', ...replicas]) {
    const found = await inside(
      name,
      `cd ${mount}; grep -E '${lifted}' pgdata/postgresql.auto.conf; ls pgherd | grep detached || true`,
    );
    expect(found, `left in ${name}`).toBe('');
  }
}

test('a report in conflict, and a delay, on every replica: another one leads at once, and everybody streams', async () => {
  const before = await group.becomeWhole('lb1-primary');
  await group.addRow('lb1-primary');
  await group.sql('lb1-primary', 'CREATE TABLE report AS SELECT generate_series(1, 1000) n');
  await group.addRow('lb1-primary');
  // Not to be cancelled by the server itself, and one that holds its lock without running anything.
  await group.sql('lb1-replica1', 'ALTER SYSTEM SET max_standby_streaming_delay = -1; SELECT pg_reload_conf()');
  await group.sql('lb1-replica2', "ALTER SYSTEM SET recovery_min_apply_delay = '1h'; SELECT pg_reload_conf()");
  await group.startReport('lb1-replica1', 'BEGIN');
  await group.startReport('lb1-replica2', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
  await group.sql('lb1-primary', 'DROP TABLE report; INSERT INTO kept VALUES (1000)');
  await until(
    'the conflict has begun, and both have received everything',
    async () => [
      await group.sql('lb1-replica1', "SELECT wait_event_type FROM pg_stat_activity WHERE backend_type = 'startup'"),
      await group.sql(
        'lb1-primary',
        'SELECT count(*) FROM pg_stat_replication WHERE flush_lsn = pg_current_wal_lsn() AND replay_lsn < flush_lsn',
      ),
    ],
    ([event, count]) => event === 'Lock' && count === '2',
  );
  const took = await failOver(before);
  process.stdout.write(`reports on every replica: ${took.toFixed(0)} ms until the next write\n`);
  expect(took).toBeLessThan(bound);
  const leader = await group.becomeWhole();
  expect(await group.sql(leader.name, 'SELECT count(*) FROM kept WHERE n = 1000')).toBe('1');
  await expectNothingLeft();
});

test('a replica that hangs is not waited for, and follows when it goes on', async () => {
  const leader = await group.becomeWhole();
  await group.coolDown(leader.name);
  const hangs = ['lb1-primary', ...replicas].find((each) => each !== leader.name) ?? '';
  await inside(hangs, 'kill -STOP -1');
  // The word of the daemon comes long before it restarts the one that hangs.
  await until(
    () => `${hangs} does not answer; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.daemon.condition('ReplicasReady'),
    (found) => found?.message.includes(`${hangs} does not answer`) === true,
  );
  await group.sql(leader.name, 'INSERT INTO kept VALUES (1001)');
  // It may have been restarted by then.
  const goOn = ['exec', group.container(hangs), 'sh', '-c', 'kill -CONT -1'];
  const took = await failOver(leader, hangs).finally(() => dockerResult(goOn));
  process.stdout.write(`a replica that hangs: ${took.toFixed(0)} ms until the next write\n`);
  expect(took).toBeLessThan(bound);
  const next = await group.becomeWhole();
  expect(next.name).not.toBe(hangs);
  expect(await group.sql(next.name, 'SELECT count(*) FROM kept WHERE n = 1001')).toBe('1');
  await expectNothingLeft();
});

test('one that goes on hanging is restarted, and whoever waits for it in an open session of the balancer is let go', async () => {
  const leader = await group.becomeWhole();
  const hangs = ['lb1-primary', ...replicas].find((each) => each !== leader.name) ?? '';
  await group.sql(leader.name, 'CREATE TABLE IF NOT EXISTS through (n int)');
  const format = `{{(index .NetworkSettings.Networks "${group.herd.cluster.name}").IPAddress}}`;
  const host = await group.herd.inspect('lb1', format);
  const sessions = await Promise.all(
    [1, 2, 3].map(() => openSession({ host, port: 9999, password: 'only-a-test' }, 30_000)),
  );
  const insert = (): Promise<readonly string[]> =>
    Promise.all(
      sessions.map(async (session, n) => (await session.query('INSERT INTO through VALUES ($1)', [n], 90_000)).is),
    );
  expect(await insert()).toEqual(['done', 'done', 'done']);
  const started = (): Promise<string> => group.herd.inspect(hangs, '{{.State.StartedAt}}');
  const before = await started();
  const container = await docker('inspect', '--format', '{{.Id}}', group.container(hangs));
  for (const { pid } of listProcesses([container]).filter(isOfServer)) signal(pid, 'SIGSTOP');
  expect(await insert()).not.toContain('late');
  for (const session of sessions) session.close();
  await until('it is restarted', started, (at) => at !== before, 60_000);
  expect(await group.becomeWhole()).toEqual(leader);
});

test('one that was cut off half-way is attached again by the next run', async () => {
  const leader = await group.becomeWhole();
  await group.stopDaemon();
  const [half = '', killed = ''] = ['lb1-primary', ...replicas].filter((each) => each !== leader.name);
  const detach = `sh ${mount}/pgherd/config/detach`;
  // It does not come to its end within a second, whatever its server does.
  const began = performance.now();
  const { code } = await dockerResult([
    ...['exec', group.container(half), 'sh', '-c'],
    `stopped=${startupProcess}; kill -STOP $stopped; ${detach} 1; is=$?; kill -CONT $stopped; exit $is`,
  ]);
  expect(code).toBe(1);
  expect(performance.now() - began).toBeLessThan(bound);
  await inside(killed, `${detach} 30 & until [ -L ${mount}/pgherd/detached ]; do :; done; kill -KILL $!`);
  await inside(killed, `psql -U postgres -c "ALTER SYSTEM SET primary_conninfo = ''" -c 'SELECT pg_reload_conf()'`);
  await until(
    'neither follows',
    () => group.followers(leader.name),
    (found) => found === '',
  );
  expect(await inside(half, `readlink ${mount}/pgherd/detached`)).toMatch(/^pending/);
  expect(await group.herd.plan()).toContain(`update node/${half}: detached`);
  await group.reconcile();
  await until(
    'both follow',
    () => group.followers(leader.name),
    (found) => found === [half, killed].toSorted().join(','),
  );
  await expectNothingLeft();
});

test('a switchover does not wait for an archive_command that hangs', async () => {
  const leader = await group.becomeWhole();
  await group.herd.editPostgres({ parameters: { archive_mode: 'on', archive_command: 'sleep 600' } });
  await group.reconcile();
  await group.addRow(leader.name);
  await group.sql(leader.name, 'SELECT pg_switch_wal()');
  await until(
    'it archives',
    () => inside(leader.name, "grep -l '^postgres: .*archiver archiving' /proc/[0-9]*/cmdline | wc -l"),
    (count) => count === '1',
  );
  const began = performance.now();
  await group.run('switchover', 'lb1', '--timeout', '120');
  const took = performance.now() - began;
  process.stdout.write(`an archive_command that hangs: a switchover in ${took.toFixed(0)} ms\n`);
  expect(took).toBeLessThan(60_000);
  const next = await group.becomeWhole();
  expect(next).toMatchObject({ timeline: leader.timeline + 1 });
  expect(next.name).not.toBe(leader.name);
  expect(await group.logOf(leader.name)).toContain('is shut down, and does not end: archiver');
});
