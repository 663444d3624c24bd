import { afterAll, beforeAll, expect, it } from 'vitest';
import { LedHerd, mount } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
import type { Result } from './support/cluster.ts';
import { until } from './support/until.ts';

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({});
  await group.bringUp('once');
});

afterAll(async () => {
  await group.end();
});

it('a replica that was away for two changes of leaders, and has what neither has, is cloned again and kept aside', async () => {
  await group.addRow('lb1-primary');
  await group.deafen('lb1-replica1');
  await group.sql('lb1-primary', 'INSERT INTO kept VALUES (1000)');
  const hasRow = 'SELECT count(*) FROM kept WHERE n = 1000';
  await until(
    'the other replica has the row',
    () => group.sql('lb1-replica2', hasRow),
    (count) => count === '1',
  );
  const volume = await group.volumeOf('lb1-replica2');
  await docker('rm', '--force', group.container('lb1-replica2'));
  await group.herd.editBalancer({ replicas: 1 });
  await group.kill('lb1-primary');
  await group.run('failover', 'lb1', '--to', 'lb1-replica1', '--allow-data-loss');
  await group.becomeWhole('lb1-replica1');
  // The second timeline ends beyond all that the one that is away has.
  await group.sql('lb1-replica1', 'CREATE TABLE ballast AS SELECT generate_series(1, 100000) n');
  await group.run('switchover', 'lb1', '--to', 'lb1-primary');
  await group.becomeWhole('lb1-primary');

  await group.herd.editBalancer({ replicas: 2 });
  await group.reconcile();
  await group.becomeWhole('lb1-primary');
  expect(await group.volumeOf('lb1-replica2')).not.toBe(volume);
  expect(await group.sql('lb1-replica2', hasRow)).toBe('0');
  const kept = `echo 'SELECT count(*) FROM kept WHERE n = 1000' | postgres --single -D ${mount}/pgdata postgres`;
  expect(await group.inVolume(volume, `rm -f pgdata/standby.signal; ${kept}`)).toContain('count = "1"');
});

// As one does for a moment, every few seconds, whose data is beyond the end of its timeline.
it('a replica that streams a timeline which its leader has left is not healthy', async () => {
  const history = `${mount}/pgdata/pg_wal/0000000A.history`;
  const inReplica = (...command: readonly string[]): Promise<string> =>
    docker('exec', group.container('lb1-replica1'), ...command);
  expect(await group.healthOf('lb1-replica1')).toBe('0 streaming');
  // As PostgreSQL writes it: one without a line is of a number that was passed over.
  await inReplica('sh', '-c', `printf '9\\t0/5000000\\tno recovery target specified\\n' >${history}`);
  expect(await group.healthOf('lb1-replica1')).toBe('1 waiting');
  await inReplica('rm', history);
  expect(await group.healthOf('lb1-replica1')).toBe('0 streaming');
});

it('a replica that is told of a change while it starts takes it as soon as it is up', async () => {
  const replica = group.container('lb1-replica1');
  const history = 'pgdata/pg_wal/00000099.history';
  await docker('stop', replica);
  // Its start reads this, and goes on when somebody has written.
  await group.inVolume(await group.volumeOf('lb1-replica1'), `mkfifo ${history} && chmod 666 ${history}`);
  await docker('start', replica);
  await group.herd.editPostgres({ parameters: { work_mem: '7MB' } });
  const change = group.reconcile();
  await until(
    'the change waits for its server',
    () => dockerResult(['exec', replica, 'test', '-e', `${mount}/pgherd/awaiting.up`]),
    ({ code }) => code === 0,
  );
  await docker('exec', replica, 'sh', '-c', `exec 3<>${mount}/${history}; rm ${mount}/${history}; echo 1 >&3`);
  const { stdout, stderr } = await change;
  expect(`${stdout}${stderr}`).not.toMatch(/fail/);
  expect(await group.sql('lb1-replica1', 'SHOW work_mem')).toBe('7MB');
});

it('a wait whose script hangs ends when its server is ready', async () => {
  const replica = group.container('lb1-replica1');
  const script = `${mount}/pgherd/config/await`;
  await docker(
    'exec',
    replica,
    'sh',
    '-c',
    `mv ${script} ${script}.away; echo 'touch "$0.begun"; sleep 1000' >${script}`,
  );
  await docker('stop', replica);
  const { stdout, stderr } = await group.reconcile();
  expect(`${stdout}${stderr}`).not.toMatch(/fail|no answer/);
  await docker('exec', replica, 'sh', '-c', `mv ${script}.away ${script} && rm ${script}.begun`);
});

it('who waits for a server, or for replicas to catch up, does so no longer when another one does', async () => {
  const script = (node: string, ...args: readonly string[]): Promise<Result> =>
    dockerResult(['exec', '--env', 'PGHERD_EPOCH=1', group.container(node), 'sh', ...args]);
  const home = `${mount}/pgherd`;
  await group.deafen('lb1-replica1');
  const wait = (): Promise<Result> => script('lb1-replica1', `${home}/config/await`, '100');
  const waiting = (): Promise<string> => docker('exec', group.container('lb1-replica1'), 'cat', `${home}/awaiting`);
  const before = await waiting();
  const first = wait();
  await until('the first one waits', waiting, (pid) => pid !== before);
  const second = wait();
  const { code, stderr } = await first;
  expect(`${String(code)} ${stderr}`).toContain('75 pgherd await: another one waits for this server');
  await group.heal('lb1-replica1');
  const { code: done, stdout } = await second;
  expect(`${String(done)} ${stdout.trim()}`).toBe('0 streaming');

  const catchUp = (): Promise<Result> => script('lb1-primary', `${home}/config/caught-up`, '100', '1', '', 'nobody');
  const sessions = (): Promise<string> =>
    group.sql(
      'lb1-primary',
      "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name = 'pgherd_caught_up'",
    );
  const earlier = catchUp();
  const one = await until('the earlier one waits', sessions, (found) => /^\d+$/.test(found));
  const later = catchUp();
  expect(await earlier).toMatchObject({ code: 1 });
  await until('the later one waits', sessions, (found) => /^\d+$/.test(found) && found !== one);
  await group.sql(
    'lb1-primary',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgherd_caught_up'",
  );
  expect(await later).toMatchObject({ code: 1 });
});
