import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { docker, dockerResult, engineHost } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function prepare(replicas = 1): Promise<TestCluster> {
  const cluster = await newCluster();
  closing.push(() => cluster.cleanup());
  await cluster.write(topologyOf(cluster, replicas));
  return cluster;
}

function topologyOf(cluster: TestCluster, replicas: number): Readonly<Record<string, unknown>> {
  return {
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: { parameters: { max_connections: 40 } },
    balancers: [{ name: 'lb1', replicas, config: { num_init_children: 2, max_pool: 1 } }],
  };
}

async function openProxy(): Promise<Proxy> {
  const proxy = await startProxy({ upstream: await engineHost() });
  closing.push(() => proxy.close());
  return proxy;
}

/** What was asked of the engine that changes something of the cluster; attempts at the lock change nothing while it is held. */
function changes(proxy: Proxy): readonly string[] {
  const calls = proxy
    .mutating()
    .filter(({ query, status }) => query['name']?.startsWith('pgherd-lock-') !== true || status === 201);
  return calls.map(({ method, path }) => `${method} ${path}`);
}

it('of two daemons one works; when it is killed the other takes over', async () => {
  const cluster = await prepare();
  const [one, two] = [await openProxy(), await openProxy()];
  const first = await DaemonProcess.start(cluster, { host: one.host, stateDir: join(cluster.directory, 'first') });
  await first.become('Ready', 'True');
  const second = await DaemonProcess.start(cluster, { host: two.host, stateDir: join(cluster.directory, 'second') });
  const standby = await second.say('that it stands by', ({ msg }) => msg === 'standing by');
  expect(standby?.['holder']).toContain(`(daemon, process ${String(first.running.child.pid)})`);

  await docker('kill', `${cluster.name}-lb1-replica1`);
  await until(
    'the first repairs it',
    () => first.steps().at(-1),
    (step) => step === 'node/lb1-replica1: await-node',
  );
  await first.become('Ready', 'True');
  expect(changes(two)).toEqual([]);

  one.reset();
  await first.kill();
  await docker('kill', `${cluster.name}-lb1-replica1`);
  await until(
    'the second repairs it',
    () => second.steps().at(-1),
    (step) => step === 'node/lb1-replica1: await-node',
  );
  await second.become('Ready', 'True');
  expect(changes(one)).toEqual([]);
});

it('one that is suspended loses its turn, and does no harm when it goes on', async () => {
  const cluster = await prepare();
  const first = await DaemonProcess.start(cluster, { stateDir: join(cluster.directory, 'first') });
  await first.become('Ready', 'True');
  const second = await DaemonProcess.start(cluster, { stateDir: join(cluster.directory, 'second') });
  await second.say('that it stands by', ({ msg }) => msg === 'standing by');

  first.running.child.kill('SIGSTOP');
  try {
    await docker('kill', `${cluster.name}-lb1-primary`);
    // The lock of the first ends when nothing has come from it for 30 s.
    const holder = ['inspect', '--format', '{{index .Config.Labels "pgherd.holder"}}', `pgherd-lock-${cluster.name}`];
    await until(
      'the second has the lock',
      () => dockerResult(holder),
      ({ stdout }) => stdout.includes(`process ${String(second.running.child.pid)})`),
    );
    await second.become('Ready', 'True');
  } finally {
    first.running.child.kill('SIGCONT');
  }
  await first.say('that it stands by', ({ msg }) => msg === 'standing by');
  await second.become('Ready', 'True');
  const leads = ['lb1-primary', 'lb1-replica1'].map((name) =>
    psql(`${cluster.name}-${name}`, 'SELECT pg_is_in_recovery()'),
  );
  expect((await Promise.all(leads)).toSorted()).toEqual(['f', 't']);
});

it('a one-shot run beside a daemon waits, and finds that the daemon has done it', async () => {
  const cluster = await prepare();
  const daemon = await DaemonProcess.start(cluster);
  await daemon.become('Ready', 'True');
  await cluster.write(topologyOf(cluster, 2));
  const { code, stdout, stderr } = await cluster.pgherd(['reconcile', '--once', cluster.file]);
  expect(code, `${stdout}${stderr}`).toBe(0);
  expect(stdout).toMatch(/converged, what there was to do was done by \S+ \(daemon, process \d+\)\./);
  expect(await psql(`${cluster.name}-lb1-primary`, 'SELECT count(*) FROM pg_stat_replication')).toBe('2');
});

it('a paused cluster is left alone by daemons and one-shot runs, and kept again afterwards', async () => {
  const cluster = await prepare();
  const daemon = await DaemonProcess.start(cluster);
  await daemon.become('Ready', 'True');
  expect((await cluster.pgherd(['pause', cluster.name])).stdout).toContain('paused; nothing but looking is done');
  await daemon.becomeFor('Stalled', 'paused');
  const done = daemon.steps().length;
  await docker('stop', '--time', '5', `${cluster.name}-lb1-replica1`);
  const once = await cluster.pgherd(['reconcile', '--once', cluster.file]);
  expect(once.code).toBe(3);
  expect(once.stderr).toContain(`pgherd resume ${cluster.name}`);
  await until(
    'it has seen that',
    () => daemon.condition('ReplicasReady'),
    (found) => found?.status === 'False',
  );
  expect(daemon.steps()).toHaveLength(done);
  expect(await docker('inspect', '--format', '{{.State.Status}}', `${cluster.name}-lb1-replica1`)).toBe('exited');

  expect((await cluster.pgherd(['resume', cluster.name])).code).toBe(0);
  await daemon.become('Ready', 'True');
  expect(daemon.steps().length).toBeGreaterThan(done);
});

it('ended in the middle of a bring-up it leaves what the next run finishes', async () => {
  const cluster = await prepare();
  const daemon = await DaemonProcess.start(cluster);
  await until(
    'it has begun',
    () => daemon.steps(),
    (steps) => steps.includes('node/lb1-primary: create-container'),
  );
  expect(await daemon.stop('SIGINT')).toBe(0);
  expect(await docker('ps', '--quiet', '--filter', `name=pgherd-lock-${cluster.name}`)).toBe('');
  await cluster.untilUnlocked();
  const { code, stdout, stderr } = await cluster.pgherd(['reconcile', '--once', cluster.file]);
  expect(code, `${stdout}${stderr}`).toBe(0);
  expect(await psql(`${cluster.name}-lb1-primary`, 'SELECT count(*) FROM pg_stat_replication')).toBe('1');
});
