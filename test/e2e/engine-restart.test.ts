import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DaemonState } from '../../src/daemon/state-file.ts';
import { startClient, type Client } from './fixtures/client.ts';
import { readPasswords } from './fixtures/secrets.ts';
import { newCluster, type Running, type TestCluster } from './support/cluster.ts';
import { docker, engineHost, newRun } from './support/engine.ts';
import { PrivateEngine } from './support/private-engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** Milliseconds for what takes a few seconds where nothing else runs. */
const limit = 120_000;

/** Attempts at an engine that is away, of two calls each, and the least they take: 0.2 s, 0.4 s, … 3.2 s. */
const attempts = { count: 5, milliseconds: 6000 };

/** Lines of the daemon's log and calls it makes: several times what was ever counted. */
const most = { linesWhileAway: 3, linesWhenReady: 20, lines: 80, calls: 600 };

describe('the engine ends under a running daemon, and comes back', () => {
  let engine: PrivateEngine;
  let cluster: TestCluster;
  let daemon: Running;
  let port: number;
  let leader: string;
  let nodes: readonly string[];
  let superuser: { readonly password: string };
  /** Ids of rows whose insertion was acknowledged. */
  const acknowledged: string[] = [];

  beforeAll(async () => {
    const shared = process.env['DOCKER_HOST'] ?? '';
    engine = await PrivateEngine.create();
    await engine.start();
    await engine.load(['postgres:17', 'pgbalancer:latest'], shared);
    // No helper of this file has asked for the engine yet: from here on, all of them use this one.
    process.env['DOCKER_HOST'] = engine.host;
    expect(await engineHost()).toBe(engine.host);

    cluster = await newCluster();
    [port = 0] = await cluster.ports(1);
    leader = `${cluster.name}-lb1-primary`;
    nodes = [leader, `${cluster.name}-lb1-replica1`, `${cluster.name}-lb1-replica2`];
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      // Who led before the engine ended leads on, however long its recovery takes.
      failover: { delay: '60s' },
      balancers: [{ name: 'lb1', port, replicas: 2, config: { num_init_children: 4, max_pool: 1 } }],
    });
    daemon = await cluster.spawnPgherd(['-v', 'reconcile', '--state-dir', cluster.directory]);
    await untilCondition('Ready', 'True');
    superuser = { password: (await readPasswords(leader)).superuser };
    await psql(leader, 'CREATE TABLE kept (id serial PRIMARY KEY)');
  });

  afterEach(async () => {
    if (!engine.isRunning) await engine.start();
  });

  afterAll(async () => {
    try {
      await cluster.leave();
    } finally {
      await engine.cleanup();
    }
  });

  it.each([
    ['kill', 'off'],
    ['stop', 'off'],
    ['kill', 'on'],
    ['stop', 'on'],
  ] as const)('%s, live-restore %s: all is ready again, with one leader and every row', async (end, liveRestore) => {
    await engine.setLiveRestore(liveRestore === 'on');
    const [containers, starts] = [await containerIds(), await serverStarts()];
    const [lines, calls] = [logLines().length, engineCalls().length];
    const writing = write(await startClient(newRun()));
    await until('rows are written', writing.count, (count) => count >= 5);

    await engine[end]();
    await writing.ended;
    await untilCondition('EngineReachable', 'False');
    await expectQuiet();

    await engine.start();
    const client = await startClient(newRun());
    await untilCondition('Ready', 'True');
    const linesThen = logLines().length;
    acknowledged.push(await insert(client));
    await expectOneLeader();
    await expectRows();
    const plan = await cluster.pgherd(['plan', '--detailed-exitcode']);
    expect(plan.code, plan.stdout).toBe(0);

    await expectSameDaemon();
    expect(await containerIds()).toEqual(containers);
    if (liveRestore === 'on') expect(await serverStarts()).toEqual(starts);
    expect(logLines().length - linesThen).toBeLessThanOrEqual(most.linesWhenReady);
    expect(logLines().length - lines).toBeLessThanOrEqual(most.lines);
    expect(engineCalls().length - calls).toBeLessThanOrEqual(most.calls);
  });

  /** Inserts rows one after the other until it fails. */
  function write(client: Client): { readonly count: () => number; readonly ended: Promise<void> } {
    const before = acknowledged.length;
    const writeOn = async (): Promise<void> => {
      for (;;) acknowledged.push(await insert(client));
    };
    return { count: () => acknowledged.length - before, ended: writeOn().catch(() => undefined) };
  }

  /** Inserts a row through the balancer, and gives its id. */
  function insert(client: Client): Promise<string> {
    return client.query(port, 'INSERT INTO kept DEFAULT VALUES RETURNING id', superuser);
  }

  /** The daemon tries to reach the engine less and less often, and has no more to say. */
  async function expectQuiet(): Promise<void> {
    const [began, lines, refused] = [performance.now(), logLines().length, refusedPings()];
    const enough = refused + 2 * attempts.count;
    await until('the daemon has tried again and again', refusedPings, (count) => count >= enough, limit);
    expect(performance.now() - began).toBeGreaterThan(attempts.milliseconds);
    expect(logLines().length - lines).toBeLessThanOrEqual(most.linesWhileAway);
  }

  async function expectOneLeader(): Promise<void> {
    const inRecovery = await Promise.all(nodes.map((node) => psql(node, 'SELECT pg_is_in_recovery()')));
    expect(inRecovery).toEqual(['f', 't', 't']);
  }

  /** The leader has all rows that were acknowledged, and the replicas have all of the leader's. */
  async function expectRows(): Promise<void> {
    const rowsOf = (node: string): Promise<string> => psql(node, 'SELECT id FROM kept ORDER BY id');
    const rows = await rowsOf(leader);
    expect(rows.split('\n')).toEqual(expect.arrayContaining(acknowledged));
    for (const node of nodes)
      await until(
        `${node} has all rows`,
        () => rowsOf(node),
        (seen) => seen === rows,
      );
  }

  /** It has not ended, and holds the lock. */
  async function expectSameDaemon(): Promise<void> {
    expect(daemon.child.exitCode ?? daemon.child.signalCode).toBe(null);
    expect((await readState()).pid).toBe(daemon.child.pid);
    const format = '{{.State.Status}} {{index .Config.Labels "pgherd.holder"}}';
    const lock = await docker('inspect', '--format', format, `pgherd-lock-${cluster.name}`);
    expect(lock).toMatch(new RegExp(`^running .*process ${String(daemon.child.pid)}\\)$`));
  }

  function containerIds(): Promise<string> {
    return docker('inspect', '--format', '{{.Id}}', `${cluster.name}-lb1`, ...nodes);
  }

  async function serverStarts(): Promise<readonly string[]> {
    return await Promise.all(nodes.map((node) => psql(node, 'SELECT pg_postmaster_start_time()')));
  }

  async function readState(): Promise<DaemonState> {
    const path = join(cluster.directory, 'clusters', `${cluster.name}.json`);
    return JSON.parse(await readFile(path, 'utf8')) as DaemonState;
  }

  async function untilCondition(type: string, status: string): Promise<void> {
    await until(
      `${type} is ${status}`,
      async () => (await readState()).conditions,
      (conditions) => conditions.some((each) => each.type === type && each.status === status),
      limit,
    );
  }

  function logLines(): readonly string[] {
    return daemon.stdout().split('\n');
  }

  function engineCalls(): readonly string[] {
    return daemon.stderr().split('\n');
  }

  function refusedPings(): number {
    return engineCalls().filter((call) => call.includes('/_ping -> 0 ')).length;
  }
});
