import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, mount, startupProcess } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
import { foreignOf } from './support/foreign.ts';
import { close, holdPort } from './support/places.ts';
import { until } from './support/until.ts';

/** What stands in the way of a change of leaders, and has nothing to do with who could lead. Each test goes on from the one before. */
let group: LedHerd;
let port: number;

const replicas = ['lb1-replica1', 'lb1-replica2'];

beforeAll(async () => {
  group = await LedHerd.prepare({ failover: { delay: '0s' } });
  [port = 0] = await group.herd.cluster.ports(1);
  await group.herd.editBalancer({ primary: { port } });
  await group.bringUp('daemon');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

it('a leader that cannot be made again, since somebody has its port, is replaced', async () => {
  const before = await group.becomeWhole('lb1-primary');
  await group.coolDown(before.name);
  await group.stopDaemon();
  await docker('rm', '--force', group.container(before.name));
  const holder = await holdPort(port);
  await group.startDaemon();
  const next = await group.awaitSuccessor(before);
  await group.daemon.becomeStalledBy(`port ${String(port)} of the host is in use`);
  await group.addRow(next.name);
  await close(holder);
  await group.becomeWhole(next.name);
});

it('a container of somebody else in the place of a replica keeps nobody from leading', async () => {
  await group.run('switchover', 'lb1', '--to', 'lb1-primary');
  const before = await group.becomeWhole('lb1-primary');
  await group.coolDown(before.name);
  await group.stopDaemon();
  const taken = group.container('lb1-replica2');
  await docker('rm', '--force', taken);
  await foreignOf(group.herd.cluster).container(taken);
  await group.startDaemon();
  await group.daemon.becomeStalledBy(`the container ${taken} exists and is not pgherd's`);
  await group.kill(before.name);
  // The missing replica may have more than the other one, so the leader is started where it was.
  const next = await group.awaitLeader('somebody leads again', () => true);
  await group.addRow(next.name);
  await docker('rm', '--force', taken);
  await group.becomeWhole(next.name);
});

it('one in the place of the leader has another one lead, and the former leader follows that with its data when it is back', async () => {
  const before = await group.becomeWhole();
  await group.coolDown(before.name);
  await group.stopDaemon();
  const volume = await group.volumeOf(before.name);
  const taken = group.container(before.name);
  await docker('rm', '--force', taken);
  await foreignOf(group.herd.cluster).container(taken);
  await group.startDaemon();
  const next = await group.awaitSuccessor(before);
  await group.addRow(next.name);
  await docker('rm', '--force', taken);
  await group.becomeWhole(next.name);
  // It was not marked before, and never took writes since.
  expect(await group.volumeOf(before.name)).toBe(volume);
  expect(group.daemon.running.stdout()).not.toContain(`${before.name} takes writes`);
});

it('who has received what it has not replayed yet is waited for: it counts as far as it has received', async () => {
  const before = await group.becomeWhole();
  await group.coolDown(before.name);
  const { child } = group.daemon.running;
  child.kill('SIGSTOP');
  const [deaf = '', slow = ''] = ['lb1-primary', ...replicas].filter((each) => each !== before.name);
  await group.deafen(deaf);
  await docker('exec', group.container(slow), 'sh', '-c', `kill -STOP ${startupProcess}`);
  await group.sql(before.name, 'INSERT INTO kept VALUES (1000)');
  await until(
    `${slow} has it, and has not replayed it`,
    () =>
      group.sql(
        before.name,
        `SELECT flush_lsn = pg_current_wal_lsn() AND replay_lsn < flush_lsn FROM pg_stat_replication
          WHERE application_name = '${slow}'`,
      ),
    (holds) => holds === 't',
  );
  // It cannot come back in place, however long the others take.
  await group.break(before.name);
  // It goes on when the cut-off, which waits for it, is under way.
  await docker(
    ...['exec', '--detach', group.container(slow), 'sh', '-c'],
    `until [ -L ${mount}/pgherd/detached ]; do sleep 0.05; done; kill -CONT ${startupProcess}`,
  );
  child.kill('SIGCONT');
  const next = await group.awaitSuccessor(before);
  expect(next.name).toBe(slow);
  expect(await group.sql(next.name, 'SELECT count(*) FROM kept WHERE n = 1000')).toBe('1');
  await group.heal(deaf);
  await group.becomeWhole(next.name);
});

it('no empty database is begun beside the data of a group whose first node has lost its own', async () => {
  const leader = await group.becomeWhole();
  expect(leader.name, 'the leader is not the first node').not.toBe('lb1-primary');
  await group.stopDaemon();
  const lost = await group.volumeOf('lb1-primary');
  await group.run('destroy', '--yes');
  await docker('volume', 'rm', lost);
  const { cluster } = group.herd;
  const older = (await cluster.volumes()).filter((name) => name.startsWith(`${cluster.name}_lb1_0_`));
  for (const name of older) await docker('volume', 'rm', name);
  const kept = await cluster.volumes();
  await group.herd.editBalancer({ replicas: 0 });
  const { code, stderr } = await group.pgherd(['reconcile', '--once', '--timeout', '60']);
  expect(code, stderr).toBe(3);
  expect(stderr).toContain('may hold the data of lb1 [data-not-in-file]');
  expect(await cluster.volumes()).toEqual(kept);
  await group.herd.editBalancer({ replicas: 2 });
  // However slow the machine: it starts from its kept volume.
  await group.herd.edit((file) => ({ ...file, failover: { delay: '60s' } }));
  await group.reconcile();
  await group.becomeWhole(leader.name);
  expect((await dockerResult(['exec', group.container('lb1-primary'), 'true'])).code).toBe(0);
});

describe('a replica that sleeps, and has not read yet what it received last', () => {
  let quorum: LedHerd;

  beforeAll(async () => {
    const replication = { mode: 'quorum', sync_replicas: 1 };
    quorum = await LedHerd.prepare({ replication, failover: { delay: '0s' } });
    await quorum.bringUp('daemon');
    await quorum.untilListed('lb1-primary', '1-2');
    await quorum.addRow('lb1-primary');
  });

  afterAll(async () => {
    await quorum.end();
  });

  function inside(name: string, script: string): Promise<string> {
    return docker('exec', quorum.container(name), 'sh', '-c', script);
  }

  /** Number of the process that receives, 0 where there is none. */
  function receiverOf(name: string): Promise<string> {
    return quorum.sql(name, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'walreceiver'");
  }

  async function endReceiver(name: string): Promise<string> {
    const ended = await receiverOf(name);
    await inside(name, `kill -TERM ${ended}`);
    return ended;
  }

  async function insert(leader: string, n: number, holder: string, column: 'flush_lsn' | 'replay_lsn'): Promise<void> {
    await quorum.sql(leader, `INSERT INTO kept VALUES (${String(n)})`);
    const holds = `SELECT ${column} >= pg_current_wal_insert_lsn() FROM pg_stat_replication WHERE application_name = '${holder}'`;
    await until(
      `${holder} has the row ${String(n)}`,
      () => quorum.sql(leader, holds),
      (found) => found === 't',
    );
  }

  it('counts as far as it has received, with all that was acknowledged', async () => {
    const before = await quorum.becomeWhole('lb1-primary');
    const [deaf, slow] = ['lb1-replica1', 'lb1-replica2'] as const;
    const { child } = quorum.daemon.running;
    child.kill('SIGSTOP');
    // Where it failed to receive a moment ago as well, it sleeps before it reads on, without having read all it has.
    const ended = await endReceiver(slow);
    await until(
      `${slow} receives again`,
      () => quorum.sql(slow, 'SELECT pid, status FROM pg_stat_wal_receiver'),
      (found) => found.endsWith('|streaming') && !found.startsWith(`${ended}|`),
    );
    await quorum.sql(slow, "ALTER SYSTEM SET wal_retrieve_retry_interval = '1h'; SELECT pg_reload_conf()");
    await inside(slow, `kill -STOP ${startupProcess}`);
    // The other one has more than the sleeper has replayed, and less than that has received.
    await insert(before.name, 2000, slow, 'flush_lsn');
    await insert(before.name, 2001, deaf, 'replay_lsn');
    await quorum.deafen(deaf);
    await insert(before.name, 2002, slow, 'flush_lsn');
    await endReceiver(slow);
    await until(
      `${slow} receives nothing`,
      () => receiverOf(slow),
      (pid) => pid === '0',
    );
    await inside(slow, `kill -CONT ${startupProcess}`);
    await until(
      `${slow} sleeps`,
      () =>
        quorum.sql(
          slow,
          `SELECT wait_event, pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() FROM pg_stat_activity
            WHERE backend_type = 'startup'`,
        ),
      (found) => found === 'RecoveryRetrieveRetryInterval|t',
    );
    await inside(slow, `kill -STOP ${startupProcess}`);
    // It goes on when one and the same cut-off, which has seen it sleep, asks again: of all psql there, only its own has -F.
    const goOn = `seen= mark=
      while :; do
        now=$(grep -lxz -e -F $(grep -l '^psql' /proc/[0-9]*/cmdline) </dev/null)
        is=$(readlink ${mount}/pgherd/detached)
        [ "$is" = "$mark" ] || seen=
        mark=$is
        [ -z "$seen" ] || [ -z "$now" ] || [ "$now" = "$seen" ] || break
        seen=\${now:-$seen}
        sleep 0.01
      done
      kill -CONT ${startupProcess}`;
    await docker('exec', '--detach', quorum.container(slow), 'sh', '-c', goOn);
    // It cannot come back in place, however long the others take.
    await quorum.break(before.name);
    child.kill('SIGCONT');
    const next = await quorum.awaitSuccessor(before);
    expect(next.name).toBe(slow);
    expect(await quorum.sql(slow, 'SELECT count(*) FROM kept WHERE n >= 2000')).toBe('3');
    await quorum.sql(slow, 'ALTER SYSTEM RESET wal_retrieve_retry_interval; SELECT pg_reload_conf()');
    await quorum.heal(deaf);
    await quorum.becomeWhole(slow);
  });
});

describe('a group of two, one of which cannot be made', () => {
  let pair: LedHerd;

  beforeAll(async () => {
    pair = await LedHerd.prepare({ failover: { delay: '0s' } });
    await pair.herd.editBalancer({ replicas: 1 });
    await pair.bringUp('daemon');
    await pair.addRow('lb1-primary');
  });

  afterAll(async () => {
    await pair.end();
  });

  it('has its leader started where it was', async () => {
    const before = await pair.becomeWhole('lb1-primary');
    await pair.stopDaemon();
    const taken = pair.container('lb1-replica1');
    await docker('rm', '--force', taken);
    await foreignOf(pair.herd.cluster).container(taken);
    await pair.startDaemon();
    await pair.daemon.becomeStalledBy(`the container ${taken} exists and is not pgherd's`);
    const look = async (): Promise<string | undefined> => (await pair.herd.look()).get(before.name)?.started;
    const started = await look();
    await pair.kill(before.name);
    await until(
      () => `${before.name} is started again; the daemon said\n${pair.daemon.running.stdout().slice(-3000)}`,
      look,
      (now) => now !== undefined && now !== started,
    );
    expect(await pair.awaitLeader('it leads again', () => true)).toEqual(before);
    await pair.addRow(before.name);
    await docker('rm', '--force', taken);
    await pair.becomeWhole(before.name);
  });
});
