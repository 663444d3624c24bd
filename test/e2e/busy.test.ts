import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, mount } from './failover-herd.ts';
import { DaemonProcess } from './support/daemon.ts';
import { Herd } from './support/edits.ts';
import { docker, dockerResult } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { start } from './support/run.ts';
import { until } from './support/until.ts';

/** Milliseconds for what takes a few seconds where nothing else runs. */
const limit = 120_000;

/** Copies out of a container what nobody reads, which holds it until the function that is given is called. */
async function hold(container: string): Promise<() => Promise<void>> {
  const script = 'exec 3<&0; docker cp "$0" - | { read -r <&3; }';
  const source = `${container}:${mount}/pgdata`;
  const copy = start('bash', ['-c', script, source], { input: { open: true } });
  await until(
    `the engine does not tell of ${container}`,
    () => dockerResult(['inspect', container], { timeoutMs: 2000 }),
    ({ code }) => code === null,
  );
  return async () => {
    copy.child.stdin?.end();
    await copy.done;
  };
}

describe('another call holds a replica, as `docker cp` does while it copies', () => {
  let group: LedHerd;

  beforeAll(async () => {
    group = await LedHerd.prepare({ failover: { delay: '0s' } });
    await group.bringUp('daemon');
    await group.addRow('lb1-primary');
  });

  afterAll(async () => {
    await group.end();
  });

  it('another one takes over meanwhile, and it follows when that is over', async () => {
    const held = group.container('lb1-replica2');
    const letGo = await hold(held);
    await group.kill('lb1-primary');
    await until(
      'lb1-replica1 leads',
      () => group.sql('lb1-replica1', 'SELECT pg_is_in_recovery()'),
      (rows) => rows === 'f',
      limit,
    );
    await group.daemon.becomeStalledBy(`another call to the engine holds ${held}`);
    await letGo();
    expect(await group.becomeWhole()).toMatchObject({ name: 'lb1-replica1' });
  });

  it('a run that ends waits for that call', async () => {
    await group.stopDaemon();
    const held = group.container('lb1-replica2');
    const letGo = await hold(held);
    const reconcile = await group.spawnPgherd(['reconcile', '--once', '--timeout', '240']);
    await until(
      'it says what it waits for',
      () => reconcile.stdout() + reconcile.stderr(),
      (said) => said.includes(`another call to the engine holds ${held}`),
      limit,
    );
    await letGo();
    const { code, stdout, stderr } = await reconcile.done;
    expect(code, stdout + stderr).toBe(0);
  });
});

describe('another call holds a leader', () => {
  let herd: Herd;
  let daemon: DaemonProcess;
  const password = 'only-a-test';
  const balanced = (sql: string): Promise<string> =>
    psql(herd.container('lb1'), sql, { host: '127.0.0.1', port: 9999, password });
  const leads = (name: string): Promise<string> => psql(herd.container(name), 'SELECT NOT pg_is_in_recovery()');

  beforeAll(async () => {
    process.env['HERD_PASSWORD'] = password;
    herd = await Herd.prepare((file) => ({
      ...file,
      failover: { delay: '0s' },
      balancers: ['lb1', 'lb2'].map((name) => ({ ...file.balancers[0], name, replicas: 1 })),
    }));
    await herd.bringUp();
    daemon = await DaemonProcess.start(herd.cluster);
    await daemon.become('Ready', 'True');
  });

  afterAll(async () => {
    await herd.cluster.cleanup();
  });

  it('it serves, other groups change their leaders, and should it end, all wait and say so', async () => {
    const held = herd.container('lb1-primary');
    const letGo = await hold(held);
    await docker('kill', herd.container('lb2-primary'));
    await until(
      'lb2-replica1 leads',
      () => leads('lb2-replica1'),
      (rows) => rows === 't',
      limit,
    );
    await daemon.becomeStalledBy(`another call to the engine holds ${held}`);
    await balanced('INSERT INTO kept VALUES (1)');
    // Nobody can end it by the engine.
    await balanced("COPY (SELECT) TO PROGRAM 'kill -QUIT $(head -1 postmaster.pid)'").catch(() => undefined);
    await daemon.becomeStalledBy('It leads and does not answer, and nobody takes over from it before');
    expect(await leads('lb1-replica1')).toBe('f');
    await letGo();
    await daemon.become('Ready', 'True');
    expect(await balanced('SELECT * FROM kept')).toBe('1');
  });

  it('the end of the cluster waits for that call', async () => {
    await daemon.stop();
    const letGo = await hold(herd.container('lb2-replica1'));
    const destroy = await herd.cluster.spawnPgherd(['destroy', herd.cluster.file, '--volumes', '--yes']);
    await until(
      'it says what it waits for',
      () => destroy.stdout() + destroy.stderr(),
      (said) => said.includes('did not answer in time'),
      limit,
    );
    await letGo();
    const { code, stdout, stderr } = await destroy.done;
    expect(code, stdout + stderr).toBe(0);
    expect(await herd.containers()).toEqual([]);
  });
});
