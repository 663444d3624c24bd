import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonState } from '../../src/daemon/state-file.ts';
import { newCluster, type TestCluster } from '../e2e/support/cluster.ts';
import { DaemonProcess } from '../e2e/support/daemon.ts';
import { docker, dockerResult } from '../e2e/support/engine.ts';
import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import { Checker, type CheckerOptions } from './checker.ts';
import { findLeaders, type Leader, type TestNode } from './nodes.ts';

export type Mode = 'quorum' | 'async';

export type StageOptions = {
  readonly mode: Mode;
  /** `failover.delay`; that of the program unless given. */
  readonly delay?: string;
  /** The engine it runs on, where that may be ended. */
  readonly engine?: EngineControl;
};

/** What can be done to an engine that nobody else uses. */
export type EngineControl = {
  end(by: 'kill' | 'stop'): Promise<void>;
  /** Done when it answers. */
  start(): Promise<void>;
};

const group = 'lb1';
const password = 'only-a-test';
const passwordVariable = 'CHAOS_PASSWORD';

/** A cluster of one primary and two replicas behind a balancer, and the daemon that keeps it. */
export class Stage {
  readonly cluster: TestCluster;
  readonly nodes: readonly TestNode[];
  /** Of the balancer, on 127.0.0.1. */
  readonly port: number;
  readonly #mode: Mode;
  readonly #engine: EngineControl | undefined;
  #daemon: DaemonProcess | undefined;
  #daemonBefore: DaemonProcess | undefined;

  private constructor(cluster: TestCluster, port: number, { mode, engine }: StageOptions) {
    this.cluster = cluster;
    this.port = port;
    this.#mode = mode;
    this.#engine = engine;
    this.nodes = nodeNames.map((name, slot) => ({
      name,
      container: `${cluster.name}-${name}`,
      address: cluster.address(firstAddress + slot),
    }));
  }

  /** Brings it up; done when the daemon says that all is well. */
  static async open(options: StageOptions): Promise<Stage> {
    process.env[passwordVariable] = password;
    const cluster = await newCluster();
    try {
      const [port = 0] = await cluster.ports(1);
      const stage = new Stage(cluster, port, options);
      await cluster.write(topology(cluster, port, options));
      await stage.startDaemon();
      await stage.#becomeReady();
      return stage;
    } catch (error) {
      await cluster.cleanup();
      throw error;
    }
  }

  get daemon(): DaemonProcess {
    if (this.#daemon === undefined) throw new Error('no daemon was started');
    return this.#daemon;
  }

  get engine(): EngineControl {
    if (this.#engine === undefined) throw new Error('the engine is also used by others, and is left alone');
    return this.#engine;
  }

  async startDaemon(): Promise<void> {
    this.#daemonBefore = this.#daemon;
    this.#daemon = await DaemonProcess.start(this.cluster, { stateDir: this.#stateDir });
  }

  startChecker(options: Partial<CheckerOptions> = {}): Promise<Checker> {
    return Checker.start({ nodes: this.nodes, port: this.port, password, ...options });
  }

  /** Who leads, or the newest of those that do; undefined where nobody says so. */
  async leader(): Promise<Leader | undefined> {
    return (await findLeaders(this.nodes))[0];
  }

  /** Waits until someone leads, which may be anybody. */
  async awaitLeader(limitMs: number): Promise<Leader> {
    const leader = await until(
      'a server leads',
      () => this.leader(),
      (found) => found !== undefined,
      limitMs,
    );
    if (leader === undefined) throw new Error('waited for nothing');
    return leader;
  }

  /**
   * Waits until the daemon that runs now says that all is well and it is so: one leader that all others follow, and in
   * quorum mode commits that wait for them. Gives that leader, and since when the daemon says so (epoch milliseconds).
   */
  async converge(limitMs: number): Promise<{ readonly leader: Leader; readonly readySince: number }> {
    const converged = await until(
      'Ready is True, one server leads, and all others follow it',
      () => this.#look(),
      ({ amiss }) => amiss === undefined,
      limitMs,
    );
    if (converged.leader === undefined) throw new Error('waited for nothing');
    return { leader: converged.leader, readySince: converged.readySince };
  }

  /** All there is to know of it, for whoever has to find out what went wrong. */
  async describe(): Promise<string> {
    const { name } = this.cluster;
    const filter = `label=pgherd.cluster=${name}`;
    const parts: readonly (readonly [string, () => Promise<string>])[] = [
      ['the daemon before says', async () => said(this.#daemonBefore)],
      ['the daemon says', async () => said(this.#daemon)],
      ['its state', () => readFile(this.#stateFile, 'utf8')],
      ['docker ps -a', () => docker('ps', '--all', '--filter', filter)],
      ['pgherd status', () => this.#tell('status', this.cluster.file)],
      ['pgherd plan', () => this.#tell('plan', this.cluster.file)],
      ['pgherd events', () => this.#tell('events', '--state-dir', this.#stateDir, '--limit', '40')],
      ...this.nodes.map(({ container }) => [`log of ${container}`, () => this.#logOf(container)] as const),
    ];
    const texts = await Promise.all(parts.map(([, read]) => read().catch((error: unknown) => String(error))));
    return parts.map(([title], index) => `--- ${title}\n${texts[index]?.trimEnd() ?? ''}\n`).join('');
  }

  async close(): Promise<void> {
    await this.cluster.cleanup();
  }

  /** Throws at once with what the daemon says where it gives up, as it does over a file it does not take. */
  async #becomeReady(): Promise<void> {
    const { done } = this.daemon.running;
    const ended = done.then(({ stdout, stderr }) => {
      throw new Error(`the daemon has ended\n${stdout}${stderr}`);
    });
    // Later on it ends because it is killed.
    ended.catch(() => undefined);
    await Promise.race([this.daemon.become('Ready', 'True'), ended]);
  }

  get #stateDir(): string {
    return join(this.cluster.directory, 'daemon-state');
  }

  get #stateFile(): string {
    return join(this.#stateDir, 'clusters', `${this.cluster.name}.json`);
  }

  async #look(): Promise<Look> {
    const readySince = await this.#readySince();
    if (typeof readySince === 'string') return { amiss: readySince, leader: undefined, readySince: 0 };
    const [leader, ...more] = await findLeaders(this.nodes);
    const amiss = await this.#findAmiss(leader, more);
    return { amiss, leader, readySince };
  }

  async #findAmiss(leader: Leader | undefined, more: readonly Leader[]): Promise<string | undefined> {
    if (leader === undefined) return 'no server leads';
    if (more.length > 0) return `these lead as well: ${more.map(({ node }) => node.name).join(', ')}`;
    const counted = await psql(leader.node.container, followers);
    const [streaming = '', waitedFor = ''] = counted.split('|');
    if (Number(streaming) !== this.nodes.length - 1) return `${streaming} follow ${leader.node.name}`;
    return this.#mode === 'quorum' && waitedFor === '0' ? 'commits wait for no replica' : undefined;
  }

  /** Since when the daemon that runs now has been saying that all is well, else what it says. */
  async #readySince(): Promise<number | string> {
    const { pid, conditions } = JSON.parse(await readFile(this.#stateFile, 'utf8')) as DaemonState;
    if (pid !== this.daemon.running.child.pid) return 'the daemon has not said anything yet';
    const ready = conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? Date.parse(ready.since) : `Ready is ${JSON.stringify(ready)}`;
  }

  async #tell(...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await this.cluster.pgherd(args, { timeoutMs: 30_000 });
    return stdout + stderr;
  }

  async #logOf(container: string): Promise<string> {
    const { stdout, stderr } = await dockerResult(['logs', '--timestamps', '--tail', '25', container]);
    return stdout + stderr;
  }
}

type Look = { readonly amiss: string | undefined; readonly leader: Leader | undefined; readonly readySince: number };

const nodeNames = [`${group}-primary`, `${group}-replica1`, `${group}-replica2`];
const firstAddress = 20;

/** How many follow, and how many of them commits wait for. */
const followers = `SELECT count(*), count(*) FILTER (WHERE sync_state IN ('quorum', 'sync'))
  FROM pg_stat_replication WHERE state = 'streaming'`;

/** Addresses are given, so that writers and probers know where each node is, also one that was made anew. */
function topology(cluster: TestCluster, port: number, { mode, delay }: StageOptions): unknown {
  const address = (slot: number): { readonly ip_address: string } => ({
    ip_address: cluster.address(firstAddress + slot),
  });
  return {
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    // A limit, so that a server can come up against it.
    postgres: { password: { env: passwordVariable }, memory: '512MB', parameters: { shared_buffers: '64MB' } },
    replication: mode === 'quorum' ? { mode, sync_replicas: 1 } : { mode },
    ...(delay === undefined ? {} : { failover: { delay } }),
    balancers: [
      {
        name: group,
        port,
        primary: address(0),
        replicas: [1, 2].map((slot) => ({ node_id: slot, ...address(slot) })),
        config: { num_init_children: 32, max_pool: 1 },
      },
    ],
  };
}

/** The end of what it has said. */
function said(daemon: DaemonProcess | undefined): string {
  if (daemon === undefined) return '';
  const { stdout, stderr } = daemon.running;
  return [...stdout().split('\n').slice(-60), stderr()].join('\n');
}
