import { realClock } from '../base/clock.ts';
import { messageOf, type PgherdError } from '../base/error.ts';
import type { Engine, EngineEvent } from '../docker/engine.ts';
import { labelNames } from '../reconcile/names.ts';
import type { World } from '../reconcile/work.ts';
import { createStepQueue } from '../reconcile/step-queue.ts';
import { formatDiagnostic } from '../topology/load.ts';
import { ClusterQueue } from './cluster-queue.ts';
import { notAsked, type Condition } from './conditions.ts';
import { watchEngine } from './engine-watch.ts';
import { openJournal, type Journal } from './journal.ts';
import { ClusterKeeper } from './keeper.ts';
import type { Log } from './log.ts';
import { writeConditions } from './state-file.ts';
import type { Absorbed, ClusterSource } from './topology-state.ts';
import { watchTopologies, type TopologyWatch } from './topology-watch.ts';

export type DaemonOptions = {
  readonly paths: readonly string[];
  /** Connects to the engine; fails where it is away. */
  readonly connect: () => Promise<Engine>;
  readonly stateDir: string;
  /** Watches files by looking at them again and again, for file systems that give no events. */
  readonly polling: boolean;
  /** Milliseconds after which everything is looked at, events or none. */
  readonly resync: number;
  /** Steps at once, of all clusters. */
  readonly parallel: number;
  readonly world: World;
  readonly env: NodeJS.ProcessEnv;
  readonly readText: (path: string) => Promise<string>;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told once, when every cluster has been looked at. */
  readonly onReady: () => void;
};

/** Milliseconds for steps under way when the daemon is to end. */
const stopWithin = 30_000;

const pauses = { firstPause: 500, longestPause: 300_000, longestPauseForNews: 5000 };

/** Keeps clusters as their files say, until it is told to end. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #journal: Journal;
  readonly #queue: ClusterQueue;
  readonly #steps: ReturnType<typeof createStepQueue>;
  readonly #keepers = new Map<string, ClusterKeeper>();
  /** Clusters that had no turn yet. */
  readonly #unseen = new Set<string>();
  /** By cluster: the last of the writes of its conditions. */
  readonly #written = new Map<string, Promise<void>>();
  #watch: TopologyWatch | undefined;
  #engine: Engine | undefined;
  #whyDown: string | undefined = notAsked;
  #isReady = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#steps = createStepQueue(options.parallel);
    this.#journal = openJournal(options.stateDir, {
      now: () => new Date(),
      onError: (error) => {
        options.log.warn({ dir: options.stateDir }, `the journal cannot be written: ${messageOf(error)}`);
      },
    });
    this.#queue = new ClusterQueue({
      turn: (cluster) => this.#turn(cluster),
      onError: (cluster, error) => {
        options.log.error({ cluster, err: error }, 'this is a bug in pgherd, please report it');
      },
      clock: realClock,
      ...pauses,
    });
    this.#queue.hold();
  }

  /** Loads the topologies; says what is wrong with them where none is good. */
  async load(): Promise<readonly string[]> {
    const { paths, polling, log } = this.#options;
    const problems: string[] = [];
    this.#watch = watchTopologies(paths, {
      polling,
      onChange: (absorbed) => {
        problems.push(...absorbed.unplaced.map(formatDiagnostic));
        this.#absorb(absorbed);
      },
      onError: (error) => {
        log.warn({}, `watching files: ${messageOf(error)}`);
      },
    });
    await this.#watch.ready;
    return this.#keepers.size === 0 ? problems : [];
  }

  /** Runs until the signal. */
  async run(): Promise<void> {
    const { connect, resync, signal } = this.#options;
    await watchEngine({
      connect,
      resync,
      signal,
      onUp: (engine) => {
        this.#goUp(engine);
      },
      onDown: (error) => {
        this.#goDown(error);
      },
      onEvent: (event) => {
        this.#deliver(event);
      },
    });
  }

  /** Looks at files and engine anew; what failed before is tried again. */
  async reload(): Promise<void> {
    this.#options.log.info({}, 'reloading');
    await this.#watch?.reload();
    for (const cluster of this.#keepers.keys()) this.#queue.renew(cluster);
  }

  /** Lets steps under way end, for a while, and lets go of everything. */
  async stop(): Promise<void> {
    await this.#watch?.close();
    const late = new Promise<void>((resolve) => {
      setTimeout(resolve, stopWithin).unref();
    });
    const keepers = [...this.#keepers.values()];
    const ended = this.#queue.stop().then(() => Promise.all(keepers.map((keeper) => keeper.settle())));
    await Promise.race([ended, late]);
    await Promise.allSettled(keepers.map((keeper) => keeper.stop()));
    await Promise.all(this.#written.values());
    await this.#journal.close();
  }

  async #turn(cluster: string): Promise<Awaited<ReturnType<ClusterKeeper['turn']>>> {
    const keeper = this.#keepers.get(cluster);
    if (keeper === undefined) return { next: 'done', seenUpTo: realClock.now() };
    const turn = await keeper.turn();
    this.#unseen.delete(cluster);
    if (!this.#isReady && this.#unseen.size === 0 && this.#engine !== undefined) {
      this.#isReady = true;
      this.#options.onReady();
    }
    return turn;
  }

  #absorb({ sources, changed, noticed, unplaced }: Absorbed): void {
    const { log } = this.#options;
    for (const diagnostic of unplaced) log.error({ file: diagnostic.file }, formatDiagnostic(diagnostic));
    for (const cluster of [...changed, ...noticed]) {
      const source = sources.get(cluster);
      if (source === undefined) continue;
      const keeper = this.#keepers.get(cluster);
      if (keeper === undefined) this.#adopt(source);
      else keeper.setSource(source);
      for (const diagnostic of source.diagnostics) log.error({ cluster }, formatDiagnostic(diagnostic));
      if (changed.includes(cluster)) this.#queue.renew(cluster);
    }
  }

  #adopt(source: ClusterSource): void {
    const { world, env, readText, signal, log } = this.#options;
    const { cluster } = source;
    const keeper = new ClusterKeeper(source, {
      world,
      ...realClock,
      queue: this.#steps,
      journal: this.#journal,
      log,
      env,
      readText,
      signal,
      ask: (isUrgent) => {
        this.#queue.add(cluster, isUrgent);
      },
      onConditions: (conditions) => {
        this.#publish(cluster, conditions);
      },
    });
    this.#keepers.set(cluster, keeper);
    if (!this.#isReady) this.#unseen.add(cluster);
    keeper.setEngine(this.#engine, this.#whyDown);
  }

  #publish(cluster: string, conditions: readonly Condition[]): void {
    // One after the other: of two at once the earlier may be the one that stays.
    const before = this.#written.get(cluster) ?? Promise.resolve();
    const write = () => writeConditions(this.#options.stateDir, cluster, conditions);
    this.#written.set(cluster, before.then(write));
  }

  #goUp(engine: Engine): void {
    const isNew = this.#whyDown !== undefined;
    this.#engine = engine;
    this.#whyDown = undefined;
    if (isNew) this.#options.log.info({ engine: engine.host }, 'the engine answers');
    for (const keeper of this.#keepers.values()) keeper.setEngine(engine, undefined);
    this.#queue.release();
    for (const cluster of this.#keepers.keys()) {
      if (isNew) this.#queue.renew(cluster);
      else this.#queue.add(cluster);
    }
  }

  #goDown(error: PgherdError | undefined): void {
    this.#whyDown = error?.message ?? 'its events ended';
    this.#options.log.warn({ remedy: error?.remedy }, this.#whyDown);
    this.#queue.hold();
    for (const keeper of this.#keepers.values()) keeper.setEngine(undefined, this.#whyDown);
  }

  #deliver(event: EngineEvent): void {
    const cluster = event.attributes[labelNames.cluster];
    if (cluster !== undefined) {
      this.#keepers.get(cluster)?.take(event);
      return;
    }
    for (const keeper of this.#keepers.values()) if (keeper.isAbout(event)) keeper.take(event);
  }
}
