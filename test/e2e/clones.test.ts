import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LedHerd, mount } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** Clones that are met on the way: by commits, changes of leaders, failures and kills. */
let group: LedHerd;

const clone = 'lb1-replica2';

beforeAll(async () => {
  group = await LedHerd.prepare({ replication: { mode: 'quorum', sync_replicas: 1 }, failover: { delay: '0s' } });
  await group.bringUp('daemon');
  await group.addRow('lb1-primary');
  await group.sql('lb1-primary', "CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)");
});

afterAll(async () => {
  await group.end();
});

/** The process that copies, in the cluster of this test; that which receives WAL beside it is its child. */
async function findCopy(): Promise<number | undefined> {
  const command = (pid: string): Promise<string> => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const network = group.herd.cluster.subnet.replace(/0\/24$/, '');
  const isCopy = async (pid: string): Promise<boolean> => {
    const line = await command(pid);
    return line.includes('pg_basebackup\0') && line.includes(`host=${network}`);
  };
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || !(await isCopy(pid))) continue;
    const [, parent = ''] = /\) \S (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')) ?? [];
    if (!(await isCopy(parent))) return Number(pid);
  }
  return undefined;
}

/** Has the next clone stand still when it has begun, and gives its process. */
async function freezeCopy(leader: string): Promise<number> {
  const end = Date.now() + 60_000;
  let pid = await findCopy();
  while (pid === undefined && Date.now() < end) {
    await delay(5);
    pid = await findCopy();
  }
  if (pid === undefined) throw new Error('no clone began within 60 s');
  process.kill(pid, 'SIGSTOP');
  // Its child began before it was stopped, or is begun by it when it goes on for a moment.
  await until(
    'it receives WAL beside the copy',
    async () => {
      const count = await group.sql(
        leader,
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'pgherd_clone'",
      );
      if (count === '1') return true;
      process.kill(pid, 'SIGCONT');
      await delay(20);
      process.kill(pid, 'SIGSTOP');
      return false;
    },
    (is) => is,
  );
  return pid;
}

/** Takes the node away with its data, which the daemon is to see only when both are gone. */
async function removeUnseen(): Promise<void> {
  const { child } = group.daemon.running;
  child.kill('SIGSTOP');
  try {
    await group.removeWithVolume(clone);
  } finally {
    child.kill('SIGCONT');
  }
}

async function startClone(leader: string): Promise<number> {
  await removeUnseen();
  return await freezeCopy(leader);
}

it('no commit is acknowledged by what a clone has received so far', async () => {
  await group.becomeWhole('lb1-primary');
  await group.deafen('lb1-replica1');
  const copy = await startClone('lb1-primary');
  const committed = psql(group.container('lb1-primary'), 'INSERT INTO kept VALUES (1001)', { timeoutMs: 120_000 });
  committed.catch(() => undefined);
  await until(
    'the commit waits',
    () => group.waiting('lb1-primary'),
    (count) => count === '1',
  );
  const written = await group.sql('lb1-primary', 'SELECT pg_switch_wal()');
  const flushed = `SELECT string_agg(application_name || ' ' || sync_state, ',') FROM pg_stat_replication
    WHERE state = 'streaming' AND flush_lsn >= '${written}'`;
  const standby = await until(
    'the clone has confirmed it',
    () => group.sql('lb1-primary', flushed),
    (found) => found !== '',
  );
  expect(standby).toBe('pgherd_clone async');
  expect(await group.waiting('lb1-primary')).toBe('1');
  process.kill(copy, 'SIGCONT');
  await group.heal('lb1-replica1');
  await committed;
  await group.becomeWhole('lb1-primary');
});

it('one that fails beside a tablespace begins again in a clean volume', async () => {
  const space = `${mount}/space`;
  for (const name of ['lb1-primary', 'lb1-replica1', clone])
    await docker('exec', group.container(name), 'mkdir', space);
  await group.sql('lb1-primary', `CREATE TABLESPACE space LOCATION '${space}'`);
  await group.sql('lb1-primary', 'CREATE TABLE placed (n int) TABLESPACE space');
  const copy = await startClone('lb1-primary');
  const volume = await group.volumeOf(clone);
  await group.sql(
    'lb1-primary',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'pgherd_clone'",
  );
  process.kill(copy, 'SIGCONT');
  await until(
    'it is in another volume',
    () => group.volumeOf(clone),
    (name) => name !== '' && name !== volume,
    60_000,
  );
  await group.becomeWhole('lb1-primary');
  expect(await group.sql(clone, 'SELECT count(*) FROM placed')).toBe('0');
  expect(await group.herd.cluster.volumes()).toHaveLength(3);
});
