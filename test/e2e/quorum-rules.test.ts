import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

let group: LedHerd;

const maxConnections = 30;

const replication = { mode: 'quorum', sync_replicas: 1 };

beforeAll(async () => {
  group = await LedHerd.prepare({ replication, failover: { mode: 'manual' } }, (file) => ({
    ...file,
    postgres: { ...file.postgres, parameters: { max_connections: maxConnections } },
  }));
  await group.bringUp('daemon');
  await group.untilListed('lb1-primary', '1-2');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

/** Commits once, which must not take longer than a moment; a session that is refused is tried again. */
async function commit(): Promise<void> {
  await until(
    'a commit is acknowledged',
    () => psql(group.container('lb1-primary'), 'UPDATE kept SET n = n'),
    () => true,
    60_000,
  );
}

/** Waits until commits are said to be so. */
async function untilCommits(reason: string): Promise<string> {
  const found = await until(
    () => `commits are ${reason}; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.daemon.condition('CommitsDurable'),
    (condition) => condition?.reason === reason,
    60_000,
  );
  return found?.message ?? '';
}

/** Waits until `status`, which has asked the servers, says it. */
async function untilStatus(words: string): Promise<void> {
  await until(
    `the status says: ${words}`,
    () => group.pgherd(['status']),
    ({ stdout }) => stdout.includes(words),
  );
}

describe('in a group whose commits wait for a quorum', () => {
  it('settings inside the server that have commits not wait are shown, and by whom', async () => {
    await group.sql('lb1-primary', "CREATE ROLE app LOGIN PASSWORD 'app'; ALTER ROLE app SET synchronous_commit = off");
    expect(await untilCommits('SettingsOverride')).toContain('role app: synchronous_commit=off');
    await untilStatus('role app: synchronous_commit=off');
    await group.sql('lb1-primary', 'ALTER ROLE app RESET synchronous_commit');
    await untilCommits('AsExpected');
  });

  it('commits go on where a leader that was started again has replicas whose reports keep them from connecting', async () => {
    const replicas = ['lb1-replica1', 'lb1-replica2'];
    await group.sql('lb1-primary', 'CREATE TABLE report AS SELECT generate_series(1, 1000) n');
    await group.addRow('lb1-primary');
    for (const name of replicas) {
      // Not to be ended by the server itself.
      await group.sql(name, 'ALTER SYSTEM SET max_standby_streaming_delay = -1; SELECT pg_reload_conf()');
      await group.startReport(name);
    }
    await group.sql('lb1-primary', 'DROP TABLE report');
    const waits = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'Lock'";
    await until(
      'both wait for their report',
      () => Promise.all(replicas.map((name) => group.sql(name, waits))),
      (counts) => counts.join() === '1,1',
    );
    await group.kill('lb1-primary');
    await until(
      'the leader is there again',
      () => group.sql('lb1-primary', 'SELECT 1').catch(() => ''),
      (found) => found === '1',
      60_000,
    );
    await psql(group.container('lb1-primary'), 'CREATE TABLE acknowledged ()', { timeoutMs: 120_000 });
    // One was enough for that; the other one waits as long as it was told to.
    const end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    for (const name of replicas) await group.sql(name, `ALTER SYSTEM RESET ALL; SELECT pg_reload_conf(); ${end}`);
    await group.becomeWhole('lb1-primary');
  });

  it('clients that hold every connection and try for more do not lock pgherd out', async () => {
    const leader = group.container('lb1-primary');
    const connect = 'PGPASSWORD=app psql -h /var/run/postgresql -U app -d postgres -c "select pg_sleep(600)"';
    const script = `touch /tmp/flood; for i in $(seq 36); do while [ -e /tmp/flood ]; do ${connect}; sleep 0.3; done & done; wait`;
    await docker('exec', '--detach', leader, 'sh', '-c', `{ ${script}; } >/dev/null 2>&1`);
    try {
      await until(
        'every connection is taken but those reserved for superusers',
        () =>
          group.sql(
            'lb1-primary',
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
          ),
        (count) => Number(count) >= maxConnections - 3,
      );
      // A daemon that begins now must connect as well.
      await group.stopDaemon();
      await group.break('lb1-replica2');
      await group.startDaemon();
      await group.untilListed('lb1-primary', '1');
      await commit();
    } finally {
      await docker('exec', leader, 'rm', '/tmp/flood');
      await until(
        'no client is left',
        () =>
          group.sql(
            'lb1-primary',
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'",
          ),
        (count) => count === '0',
      );
    }
    await group.mend('lb1-replica2');
    await group.untilListed('lb1-primary', '1-2');
  });

  it('with the quorum given for the first time, a replica that is behind holds nobody up', async () => {
    await group.herd.edit((file) => ({ ...file, replication: { mode: 'async' } }));
    await group.untilListed('lb1-primary', undefined);
    const replica = group.container('lb1-replica1');
    const pid = await group.sql('lb1-replica1', 'SELECT pid FROM pg_stat_wal_receiver');
    await docker('exec', replica, 'kill', '-STOP', pid);
    try {
      await group.sql(
        'lb1-primary',
        "SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1000000))) FROM generate_series(1, 10)",
      );
      await group.herd.edit((file) => ({ ...file, replication }));
      await until(
        'the leader waits for replicas',
        () => group.sql('lb1-primary', 'SHOW synchronous_standby_names'),
        (names) => names.includes('lb1-replica2'),
        60_000,
      );
      await commit();
      await until(
        'the record lists the one that has everything',
        () => group.listed('lb1-primary'),
        (list) => list?.includes('2') === true,
        60_000,
      );
    } finally {
      await docker('exec', replica, 'kill', '-CONT', pid);
    }
    await group.untilListed('lb1-primary', '1-2');
  });

  it('that prefers to go on: commits do when a replica runs and does not stream, and wait again when it does', async () => {
    await group.herd.edit((file) => ({ ...file, replication: { ...replication, durability: 'preferred' } }));
    await group.break('lb1-replica2');
    await group.deafen('lb1-replica1');
    await untilCommits('Degraded');
    expect(await group.sql('lb1-primary', 'SHOW synchronous_standby_names')).toBe('');
    await group.untilListed('lb1-primary', '');
    await commit();
    await untilStatus('commits are acknowledged without a replica');
    await group.heal('lb1-replica1');
    await group.untilListed('lb1-primary', '1');
    await untilCommits('AsExpected');
    expect(await group.sql('lb1-primary', 'SHOW synchronous_standby_names')).toBe('ANY 1 ("lb1-replica1")');
    await commit();
  });
});
