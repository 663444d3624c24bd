import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { until } from './support/until.ts';

let group: LedHerd;

const replication = { mode: 'quorum', sync_replicas: 1 };

beforeAll(async () => {
  group = await LedHerd.prepare({ replication, failover: { mode: 'manual' } }, (file) => ({
    ...file,
    postgres: { ...file.postgres, parameters: { max_connections: 30 } },
  }));
  await group.bringUp('daemon');
  await untilListed('1-2');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

async function untilListed(list: string | undefined): Promise<void> {
  await until(
    `the record lists ${list ?? 'nothing'}; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.listed('lb1-primary'),
    (found) => found === list,
    60_000,
  );
}

/** Waits until commits are said to be so. */
async function untilCommits(reason: string): Promise<string> {
  const found = await until(
    `commits are ${reason}; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.daemon.condition('CommitsDurable'),
    (condition) => condition?.reason === reason,
    60_000,
  );
  return found?.message ?? '';
}

describe('in a group whose commits wait for a quorum', () => {
  it('settings inside the server that have commits not wait are shown, and by whom', async () => {
    await group.sql('lb1-primary', "CREATE ROLE app LOGIN PASSWORD 'app'; ALTER ROLE app SET synchronous_commit = off");
    expect(await untilCommits('SettingsOverride')).toContain('role app: synchronous_commit=off');
    const { stdout } = await group.pgherd(['status']);
    expect(stdout).toContain('role app: synchronous_commit=off');
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
      const psql = ['psql', '-U', 'postgres', '-h', '/var/run/postgresql'];
      const report = 'SELECT count(*), pg_sleep(3600) FROM report';
      await docker('exec', '--detach', group.container(name), ...psql, '-c', report);
    }
    const waitsIn = (event: string) => async (): Promise<readonly string[]> => {
      const count = `SELECT count(*) FROM pg_stat_activity WHERE '${event}' IN (wait_event, wait_event_type)`;
      return Promise.all(replicas.map((name) => group.sql(name, `${count} AND backend_type <> 'walreceiver'`)));
    };
    const onBoth = (counts: readonly string[]): boolean => counts.join() === '1,1';
    await until('both report', waitsIn('PgSleep'), onBoth);
    await group.sql('lb1-primary', 'DROP TABLE report');
    await until('both wait for their report', waitsIn('Lock'), onBoth);
    await group.kill('lb1-primary');
    await until(
      'the leader is there again',
      () => group.sql('lb1-primary', 'SELECT 1').catch(() => ''),
      (found) => found === '1',
      60_000,
    );
    await group.sql('lb1-primary', 'CREATE TABLE acknowledged ()');
    for (const name of replicas) await group.sql(name, 'ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()');
    await group.becomeWhole('lb1-primary');
  });
});
