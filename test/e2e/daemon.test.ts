import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { docker, engineHost, pauseBetweenChecks } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { findPostmaster } from './support/postmaster.ts';
import { until } from './support/until.ts';

let cluster: TestCluster;
let proxy: Proxy;
let daemon: DaemonProcess;

beforeAll(async () => {
  cluster = await newCluster();
  proxy = await startProxy({ upstream: await engineHost() });
  await write(1);
  daemon = await DaemonProcess.start(cluster, { host: proxy.host });
  await daemon.become('Ready', 'True');
  await psql(container('lb1-primary'), 'CREATE TABLE kept (n int PRIMARY KEY)');
});

afterAll(async () => {
  await proxy.close();
  await cluster.cleanup();
});

const container = (name: string): string => `${cluster.name}-${name}`;

async function write(replicas: number, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await cluster.write({
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: { parameters: { max_connections: 60 }, ...more },
    failover: { delay: '60s' },
    balancers: [{ name: 'lb1', replicas, config: { num_init_children: 4, max_pool: 1 } }],
  });
}

/** Names and states of the leader's followers. */
async function followers(): Promise<string> {
  const sql =
    "SELECT string_agg(application_name || ' ' || state, ', ' ORDER BY application_name) FROM pg_stat_replication";
  return psql(container('lb1-primary'), sql);
}

/** Waits until the daemon has nothing left to do and this holds. */
async function settle(what: string, holds: () => Promise<boolean>): Promise<void> {
  await until(what, holds, (is) => is, 60_000);
  await daemon.become('Ready', 'True');
}

/** Does something, and waits until the daemon has acted on it and all is well again. */
async function expectMended(harm: () => Promise<unknown>): Promise<void> {
  const before = daemon.steps().length;
  await harm();
  await until(
    'it acts',
    () => daemon.steps().length,
    (now) => now > before,
    60_000,
  );
  await settle('both stream', bothStream);
  // What was done to several may come one after the other.
  await until('nothing is left to do', planned, (resources) => resources.length === 0);
  await daemon.become('Ready', 'True');
}

/** What the daemon asked the engine to change since the last reset. */
function changes(): readonly string[] {
  return proxy.mutating().map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{64}/, '*')}`);
}

describe('a daemon', () => {
  it('brings up what its file says, holds the lock, and then only listens', async () => {
    expect(await followers()).toBe('lb1-replica1 streaming');
    expect(await docker('inspect', '--format', '{{.State.Running}}', `pgherd-lock-${cluster.name}`)).toBe('true');
    const health = (field: string) => () =>
      docker('inspect', '--format', `{{json .State.Health.${field}}}`, container('lb1'));
    await until('it is found healthy', health('Status'), (status) => status === '"healthy"');
    const mark = async (): Promise<{ readonly calls: number; readonly lines: number }> => {
      await daemon.become('Ready', 'True');
      return { calls: proxy.calls.length, lines: daemon.log().length };
    };
    // Those of every container come by, and wake nobody. A server that says nothing for seconds is rightly listened to
    // anew, and looked at when it speaks again: the daemon tells of both, and is done with it a check later.
    const marks = [await mark()];
    const [, before, after] = await until(
      'two health checks ran, and the daemon had nothing to tell',
      async () => {
        const last = await health('Log')();
        await until('a health check ran', health('Log'), (now) => now !== last);
        marks.push(await mark());
        return marks.slice(-3);
      },
      (found) => found.length === 3 && new Set(found.map(({ lines }) => lines)).size === 1,
    );
    const calls = proxy.calls.slice(before?.calls, after?.calls);
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it('adds a replica that is added to the file, and touches nothing else', async () => {
    proxy.reset();
    const primary = await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', container('lb1-primary'));
    await write(2);
    await settle('two stream', async () => (await followers()) === 'lb1-replica1 streaming, lb1-replica2 streaming');
    expect(await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', container('lb1-primary'))).toBe(primary);
    expect(changes().filter((call) => call.endsWith('/create'))).toEqual([
      'POST /volumes/create',
      'POST /containers/create',
    ]);
    // The replica's, and that of the balancer, which must know one more reader.
    expect(changes().filter((call) => call.endsWith('/start'))).toHaveLength(2);
  });

  it.each<[string, (replica: string) => Promise<unknown>]>([
    ['killed', (replica) => docker('kill', replica)],
    ['stopped', (replica) => docker('stop', '--time', '5', replica)],
    ['removed', (replica) => docker('rm', '--force', replica)],
    ['paused', pauseBetweenChecks],
    ['disconnected', (replica) => docker('network', 'disconnect', cluster.name, replica)],
  ])('repairs a replica that was %s', async (_, harm) => {
    await expectMended(() => harm(container('lb1-replica1')));
  });

  it('has the engine restart a server whose process was killed, and finds it well', async () => {
    const { pid } = await findPostmaster(container('lb1-replica1'));
    const before = await docker('inspect', '--format', '{{.State.StartedAt}}', container('lb1-replica1'));
    proxy.reset();
    process.kill(pid, 'SIGKILL');
    await until(
      'it runs anew',
      () => docker('inspect', '--format', '{{.State.StartedAt}}', container('lb1-replica1')),
      (at) => at !== before,
    );
    await settle('both stream', bothStream);
    expect(changes().filter((call) => call.endsWith('/start') && call.includes('containers'))).toEqual([]);
  });

  it('puts a limit right that was changed by hand', async () => {
    await write(2, { memory: '512MB' });
    const memory = (): Promise<string> =>
      docker('inspect', '--format', '{{.HostConfig.Memory}}', container('lb1-replica2'));
    await settle('the limit is set', async () => (await memory()) === '536870912');
    proxy.reset();
    await docker('update', '--memory', '300m', '--memory-swap', '600m', container('lb1-replica2'));
    await settle('the limit is back', async () => (await memory()) === '536870912');
    expect(changes()).toEqual(['POST /containers/*/update']);
  });

  it('acts on an edit while it waits for a replica, and does not wait for that first', async () => {
    const before = daemon.log().length;
    const start = 'node/lb1-replica1: start';
    const logged = () => daemon.log().slice(before);
    await psql(container('lb1-primary'), 'ALTER ROLE pgherd_replication NOLOGIN');
    await docker('kill', container('lb1-replica1'));
    await until('it is started', logged, (lines) => lines.some(({ step }) => step === start));
    await write(2, { memory: '512MB', parameters: { max_connections: 60, work_mem: '5MB' } });
    const reload = 'node/lb1-primary: reload';
    await until('the edit is in force', logged, (lines) => lines.some(({ step }) => step === reload));
    // What was waited for has neither come nor been given up.
    const since = logged().slice(logged().findIndex(({ step }) => step === start));
    expect(since.filter(({ step }) => step === 'node/lb1-replica1: await-node')).toEqual([]);
    await psql(container('lb1-primary'), 'ALTER ROLE pgherd_replication LOGIN');
    await settle('both stream', bothStream);
  });

  it('starts a leader that was killed where it was, with its data', async () => {
    await psql(container('lb1-primary'), 'INSERT INTO kept VALUES (1)');
    await expectMended(() => docker('kill', container('lb1-primary')));
    expect(await psql(container('lb1-primary'), 'SELECT count(*) FROM kept')).toBe('1');
  });

  it('connects again what was disconnected from everything', async () => {
    const names = [cluster.name, `${cluster.name}_rw`];
    const all = ['lb1', 'lb1-primary', 'lb1-replica1', 'lb1-replica2'];
    // It repairs meanwhile what is taken away first: whoever wants to be quicker tries until it is gone.
    await expectMended(() =>
      Promise.all(all.flatMap((name) => names.map((network) => disconnect(network, container(name))))),
    );
  });

  async function disconnect(network: string, name: string): Promise<void> {
    await docker('network', 'disconnect', '--force', network, name).catch(() => undefined);
  }
});

async function bothStream(): Promise<boolean> {
  return (await followers()) === 'lb1-replica1 streaming, lb1-replica2 streaming';
}

/** What `plan` would do. */
async function planned(): Promise<readonly string[]> {
  const { stdout } = await cluster.pgherd(['plan', '--format', 'json', cluster.file]);
  const { changes: found } = JSON.parse(stdout) as { changes: readonly { resource: string }[] };
  return found.map(({ resource }) => resource);
}
