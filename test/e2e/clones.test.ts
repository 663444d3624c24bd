import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LedHerd, slotOf, mount } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
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

/** Has the leader end no checkpoint until `false`: a copy begins with one, and waits for it. */
async function holdCheckpoints(leader: string, isHeld: boolean): Promise<void> {
  const pid = await group.sql(leader, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
  await docker('exec', group.container(leader), 'kill', isHeld ? '-STOP' : '-CONT', pid);
}

/**
 * Has the next clone stand still when it has begun, and gives its process; checkpoints are held until then. One may fail by
 * itself: the next is taken.
 */
async function freezeCopy(leader: string): Promise<number> {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const pid = await findCopy();
    if (pid !== undefined && signal(pid, 'SIGSTOP')) {
      await holdCheckpoints(leader, false);
      if (await freeze(pid, leader)) return pid;
    }
    await delay(5);
  }
  throw new Error('no clone stood still within 60 s');
}

/** Has a stopped copy go on until WAL is received beside it; false: it has ended before. */
async function freeze(pid: number, leader: string): Promise<boolean> {
  // Its child began before it was stopped, or is begun by it when it goes on for a moment.
  const state = await until(
    'it receives WAL beside the copy',
    async () => {
      const count = await group.sql(
        leader,
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'pgherd_clone'",
      );
      if (count !== '0') return 'receives';
      if (!signal(pid, 'SIGCONT')) return 'ended';
      await delay(20);
      return signal(pid, 'SIGSTOP') ? 'begins' : 'ended';
    },
    (found) => found !== 'begins',
  );
  return state === 'receives' && signal(pid, 'SIGSTOP');
}

/** False: there is no such process any more. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Takes the node away with its data, which the daemon is to see only when both are gone. */
async function removeUnseen(leader: string): Promise<void> {
  const { child } = group.daemon.running;
  child.kill('SIGSTOP');
  try {
    await holdCheckpoints(leader, true);
    await group.removeWithVolume(clone);
  } finally {
    child.kill('SIGCONT');
  }
}

async function startClone(leader: string): Promise<number> {
  await removeUnseen(leader);
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

it('one whose leader changes begins again with the next; the old leader keeps no slots of its reign', async () => {
  const slots = "SELECT coalesce(string_agg(slot_name, ',' ORDER BY slot_name), '') FROM pg_replication_slots";
  await group.sql('lb1-primary', "SELECT pg_create_physical_replication_slot('pgherd_mine')");
  expect(await group.sql('lb1-primary', slots)).toBe('pgherd_1,pgherd_2,pgherd_mine');
  await startClone('lb1-primary');
  await group.run('switchover', 'lb1', '--to', 'lb1-replica1', '--timeout', '60');
  await group.becomeWhole('lb1-replica1');
  expect(await group.sql('lb1-primary', slots)).toBe('pgherd_mine');
  expect(await group.herd.cluster.volumes()).toHaveLength(3);
});

it('one that is killed again and again leaves no volumes, begins ever more slowly, and ends whole', async () => {
  const { name: leader } = await group.becomeWhole();
  await removeUnseen(leader);
  let heldBack: string | undefined;
  // It is held back after the fourth at the earliest; the pause of the turns before that may be the longer one for a while.
  for (let kills = 1; heldBack === undefined && kills <= 9; kills += 1) {
    const killed = await freezeCopy(leader);
    await holdCheckpoints(leader, true);
    await docker('kill', group.container(clone));
    expect((await group.herd.cluster.volumes()).length).toBeLessThanOrEqual(3);
    heldBack = await untilNext(killed);
  }
  await holdCheckpoints(leader, false);
  expect(heldBack).toMatch(
    new RegExp(`node/${clone}: its clone was cut short after each of [4-9] starts; the next start is in \\d+ s`),
  );
  await group.becomeWhole(leader);
  expect(await group.herd.cluster.volumes()).toHaveLength(3);
});

/** Waits until another copy has begun, or the next one is put off, and gives what is said of that. */
async function untilNext(killed: number): Promise<string | undefined> {
  const { stalled } = await until(
    'the next clone has begun, or is put off',
    async () => ({ copy: await findCopy(), stalled: await group.daemon.condition('Stalled') }),
    ({ copy, stalled }) => (copy ?? killed) !== killed || stalled?.status === 'True',
    60_000,
  );
  return stalled?.status === 'True' ? stalled.message : undefined;
}

it('a replica that followed another leader on a timeline of the same number is cloned again', async () => {
  const { name: leader, timeline } = await group.becomeWhole();
  const left = clone;
  const [follower = ''] = (await group.followers(leader)).split(',').filter((name) => name !== left);
  await group.break(left);
  await group.untilListed(leader, slotOf(follower));
  await group.coolDown(leader);
  const { next: first } = await group.failOver({ name: leader, timeline });
  expect(first.name).toBe(follower);
  await until(
    'the old leader follows',
    () => group.followers(first.name),
    (names) => names === leader,
    60_000,
  );
  await group.sql(first.name, 'INSERT INTO kept VALUES (2001)');
  const volume = await group.volumeOf(leader);
  await group.break(leader);
  const wal = 'cd pgdata/pg_wal && cat $(ls | grep -E "^[0-9A-F]{24}$") | md5sum';
  const received = await group.inVolume(volume, wal);
  await group.break(first.name);
  await group.mend(left);
  // A promotion by hand takes the next number that its node knows of.
  await until(
    `${left} answers`,
    async () => (await dockerResult(['exec', group.container(left), 'pg_isready', '-q'])).code,
    (code) => code === 0,
    120_000,
  );
  await group.sql(left, 'SELECT pg_promote()');
  // It would wait for those that follow as well, which cannot yet.
  const failover = await group.spawnPgherd(['failover', 'lb1', '--allow-data-loss', '--to', left, '--timeout', '60']);
  const second = await group.awaitLeader(`${left} leads`, ({ name }) => name === left);
  await until(
    `${left} leads by the record`,
    () => group.recordOf(left),
    (record) => new RegExp(`/record\\.\\d+\\.\\d+\\.${slotOf(left)}\\.`).test(record),
    120_000,
  );
  failover.child.kill('SIGKILL');
  await failover.done;
  expect(second.timeline).toBe(first.timeline);
  await group.sql(left, 'INSERT INTO kept VALUES (2002)');
  // The one that led before is cloned again by itself. It has taken none of the new leader's WAL, to which its own looks like
  // the beginning: whoever ends it then leaves a mixture of both, which starts, and follows.
  await group.becomeWhole(left);
  for (const name of [leader, first.name]) {
    expect(await group.sql(name, "SELECT string_agg(n::text, ' ') FROM kept WHERE n > 2000")).toBe('2002');
  }
  expect(await group.volumeOf(leader)).not.toBe(volume);
  expect(await group.inVolume(volume, wal)).toBe(received);
});
