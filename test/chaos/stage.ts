import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonState } from '../../src/daemon/state-file.ts';
import type { JournalEntry } from '../../src/daemon/journal-entry.ts';
import { newCluster, type PgherdOptions, type Result, type Running, type TestCluster } from '../e2e/support/cluster.ts';
import { DaemonProcess } from '../e2e/support/daemon.ts';
import { dockerLines } from '../e2e/support/engine.ts';
import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import { Checker, type CheckerOptions } from './checker.ts';
import { collectExhibits, type Exhibit } from './exhibits.ts';
import { findLeaders, type Leader, type TestNode } from './nodes.ts';
import { group, nodeNames, nodeAddress, password, passwordVariable, topology, type Mode } from './stage-topology.ts';
import { StatusWatch } from './status-watch.ts';

export type { Mode } from './stage-topology.ts';

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

/** A daemon, and the folder where it says what it knows. */
export type Controller = { readonly daemon: DaemonProcess; readonly stateDir: string };

/** A cluster of one primary and two replicas behind a balancer, and the daemon that keeps it. */
export class Stage {
  readonly cluster: TestCluster;
  readonly nodes: readonly TestNode[];
  /** Of the balancer, on 127.0.0.1. */
  readonly port: number;
  /** The superuser's. */
  readonly password = password;
  readonly group = group;
  /** What the daemon says of commits. */
  readonly status: StatusWatch;
  readonly #mode: Mode;
  readonly #engine: EngineControl | undefined;
  /** All there ever were, the oldest first. */
  readonly #controllers: Controller[] = [];
  #acting: Controller | undefined;

  private constructor(cluster: TestCluster, port: number, { mode, engine }: StageOptions) {
    this.cluster = cluster;
    this.port = port;
    this.#mode = mode;
    this.#engine = engine;
    this.nodes = nodeNames.map((name, slot) => ({
      name,
      container: `${cluster.name}-${name}`,
      address: nodeAddress(cluster, slot),
    }));
    this.status = new StatusWatch(async () => (await this.#state()).conditions);
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
      stage.status.start();
      return stage;
    } catch (error) {
      await cluster.cleanup();
      throw error;
    }
  }

  /** The daemon that is to keep the cluster. */
  get daemon(): DaemonProcess {
    return this.controller.daemon;
  }

  get controller(): Controller {
    if (this.#acting === undefined) throw new Error('no daemon was started');
    return this.#acting;
  }

  get engine(): EngineControl {
    if (this.#engine === undefined) throw new Error('the engine is also used by others, and is left alone');
    return this.#engine;
  }

  async startDaemon(): Promise<void> {
    this.#acting = await this.#startController(this.#acting?.stateDir ?? join(this.cluster.directory, 'daemon-state'));
  }

  /** Starts another daemon; done when it says that it stands by. */
  async startStandby(): Promise<Controller> {
    const folder = `daemon-state-${this.#controllers.length + 1}`;
    const standby = await this.#startController(join(this.cluster.directory, folder));
    await this.awaitStandby(standby);
    return standby;
  }

  /** Waits until a daemon says that another one keeps the cluster. */
  async awaitStandby(controller: Controller): Promise<void> {
    await until(
      `daemon ${String(controller.daemon.running.child.pid)} stands by`,
      async () => (await this.#state(controller)).conditions.find(({ type }) => type === 'Reconciling'),
      (found) => found?.reason === 'Standby',
    );
  }

  /** From now on it is this one that is to keep the cluster. */
  takeOver(by: Controller): void {
    this.#acting = by;
  }

  /** Ends all daemons but the one that is to keep the cluster. */
  async endOthers(): Promise<void> {
    const others = this.#controllers.filter((each) => each !== this.#acting);
    await Promise.all(others.map(({ daemon }) => daemon.kill()));
  }

  startChecker(options: Partial<CheckerOptions> = {}): Promise<Checker> {
    return Checker.start({ nodes: this.nodes, port: this.port, password, ...options });
  }

  /** Runs `pgherd …` with the cluster's file at hand. */
  tell(args: readonly string[], options: PgherdOptions = {}): Promise<Result> {
    return this.cluster.pgherd(args, { timeoutMs: 30_000, ...options });
  }

  spawnPgherd(args: readonly string[], options: PgherdOptions = {}): Promise<Running> {
    return this.cluster.spawnPgherd(args, options);
  }

  /** Ids of its containers that run. */
  containerIds(): Promise<readonly string[]> {
    return dockerLines('ps', '--quiet', '--no-trunc', '--filter', `label=pgherd.cluster=${this.cluster.name}`);
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

  /** The nodes that follow, in the order of the file. */
  followers(leader: string): readonly TestNode[] {
    return this.nodes.filter(({ container }) => container !== leader);
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

  /** What the daemons have written down of what they did. */
  async events(): Promise<readonly JournalEntry[]> {
    const folders = new Set(this.#controllers.map(({ stateDir }) => stateDir));
    const told = await Promise.all(
      [...folders].map((folder) =>
        this.tell(['events', '--state-dir', folder, '--format', 'json', '--limit', '10000']),
      ),
    );
    const lines = told.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== ''));
    return lines.map((line) => JSON.parse(line) as JournalEntry).toSorted((a, b) => a.at.localeCompare(b.at));
  }

  /** All there is to know of it, for whoever has to find out what went wrong. */
  exhibits(): Promise<readonly Exhibit[]> {
    return collectExhibits(this, this.#controllers);
  }

  async close(): Promise<void> {
    this.status.stop();
    await this.cluster.cleanup();
  }

  async #startController(stateDir: string): Promise<Controller> {
    const controller = { daemon: await DaemonProcess.start(this.cluster, { stateDir }), stateDir };
    this.#controllers.push(controller);
    return controller;
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

  async #state({ stateDir }: Controller = this.controller): Promise<DaemonState> {
    const file = join(stateDir, 'clusters', `${this.cluster.name}.json`);
    return JSON.parse(await readFile(file, 'utf8')) as DaemonState;
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
    return this.#mode !== 'async' && waitedFor === '0' ? 'commits wait for no replica' : undefined;
  }

  /** Since when the daemon that runs now has been saying that all is well, else what it says. */
  async #readySince(): Promise<number | string> {
    const { pid, conditions } = await this.#state();
    if (pid !== this.daemon.running.child.pid) return 'the daemon has not said anything yet';
    const ready = conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? Date.parse(ready.since) : `Ready is ${JSON.stringify(ready)}`;
  }
}

type Look = { readonly amiss: string | undefined; readonly leader: Leader | undefined; readonly readySince: number };

/** How many follow, and how many of them commits wait for. */
const followers = `SELECT count(*), count(*) FILTER (WHERE sync_state IN ('quorum', 'sync'))
  FROM pg_stat_replication WHERE state = 'streaming'`;
