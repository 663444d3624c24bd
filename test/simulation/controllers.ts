import { createHash } from 'node:crypto';
import { realClock } from '../../src/base/clock.ts';
import { PgherdError } from '../../src/base/error.ts';
import type { EngineEvent } from '../../src/docker/engine.ts';
import type { Handover } from '../../src/postgres/layout.ts';
import { ClusterQueue } from '../../src/daemon/cluster-queue.ts';
import type { Condition } from '../../src/daemon/conditions.ts';
import { watchEngine } from '../../src/daemon/engine-watch.ts';
import { ClusterKeeper } from '../../src/daemon/keeper.ts';
import type { Log } from '../../src/daemon/log.ts';
import { readPasswords } from '../../src/reconcile/passwords.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import { look } from '../../src/reconcile/look.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import { cancelHandover, findHandover, requestHandover, setPaused } from '../../src/reconcile/requests.ts';
import type { StepQueue } from '../../src/reconcile/step-queue.ts';
import type { Result, World } from '../../src/reconcile/work.ts';
import type { Topology } from '../../src/topology/model.ts';
import { ControllerDied } from '../bench/fake-engine.ts';
import type { VirtualClock } from './clock.ts';
import type { Connection } from './connection.ts';

const cluster = 'shop';
const group = 'lb1';

/** Steps begin as they come: how many a second, is no matter here. */
const queue: StepQueue = { add: (_cluster, task) => task() };

const readFile = (): Promise<never> => Promise.reject(new Error('no files here'));

function worldOf(clock: VirtualClock): World {
  let drawn = 0;
  return {
    now: () => clock.now,
    sleep: async (milliseconds, signal) => {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const timer = clock.after(milliseconds, resolve);
        signal.addEventListener(
          'abort',
          () => {
            timer.call = undefined;
            reject(signal.reason instanceof Error ? signal.reason : new Error('called off'));
          },
          { once: true },
        );
      });
    },
    randomBytes: (size) => {
      drawn += 1;
      return createHash('sha512').update(String(drawn)).digest().subarray(0, size);
    },
    readFile,
  };
}

/** `pgherd reconcile --once`. */
export async function reconcileOnce(
  { engine }: Connection,
  topology: Topology,
  clock: VirtualClock,
  seconds: number,
): Promise<Result> {
  const passwords = await readPasswords(topology, { env: {}, readFile });
  return reconcile(engine, topology, passwords, worldOf(clock), {
    timeout: seconds * 1000,
    signal: new AbortController().signal,
    queue,
    onProgress: () => undefined,
  });
}

/** `pgherd pause`, `pgherd resume`. */
export async function pause({ engine }: Connection, isPaused: boolean): Promise<void> {
  await setPaused(engine, cluster, isPaused ? 'somebody' : undefined);
}

/** `pgherd switchover` and `pgherd failover`. */
export async function handOver(
  connection: Connection,
  topology: Topology,
  clock: VirtualClock,
  kind: Handover['kind'],
  to: number | undefined,
): Promise<void> {
  const { engine } = connection;
  const { fingerprints } = await readPasswords(topology, { env: {}, readFile });
  const { snapshot } = await look(engine, topology, fingerprints);
  const view = viewGroup(topology.groups[0], snapshot);
  if (view.phase !== 'led' && view.phase !== 'lost') return;
  const seconds = 30;
  const until = Date.now() + seconds * 1000 + 60_000;
  const request = await requestHandover(engine, cluster, group, { kind, to, until }, view.record);
  try {
    await reconcileOnce(connection, topology, clock, seconds);
  } finally {
    await cancelHandover(engine, cluster, group, request);
  }
}

/** What a human does who has ended a command that asked for a change of leaders. */
export async function withdraw({ engine }: Connection, topology: Topology): Promise<void> {
  const { fingerprints } = await readPasswords(topology, { env: {}, readFile });
  const { snapshot } = await look(engine, topology, fingerprints);
  const view = viewGroup(topology.groups[0], snapshot);
  if (view.phase !== 'led' && view.phase !== 'lost') return;
  const request = findHandover(snapshot.nodes, view.record);
  if (request !== undefined) await cancelHandover(engine, cluster, group, request);
}

export type DaemonOptions = {
  readonly topology: Topology;
  readonly clock: VirtualClock;
  readonly onBug: (error: unknown) => void;
  readonly trace: ((text: string) => void) | undefined;
};

/** What `pgherd daemon` does for one cluster. */
export class SimulatedDaemon {
  readonly connection: Connection;
  readonly #options: DaemonOptions;
  readonly #abort = new AbortController();
  readonly #queue: ClusterQueue;
  readonly #keeper: ClusterKeeper;
  #whyDown: string | undefined = 'not asked yet';
  conditions: readonly Condition[] = [];

  constructor(connection: Connection, options: DaemonOptions) {
    this.connection = connection;
    this.#options = options;
    const { topology, clock, trace } = options;
    const log: Log = {
      info: () => undefined,
      warn: (_fields, message) => trace?.(`daemon warns: ${message}`),
      error: (fields) => {
        if ('err' in fields) this.#tellBug(fields.err);
      },
      child: () => log,
    };
    this.#queue = new ClusterQueue({
      turn: () => this.#keeper.turn(),
      onError: (_cluster, error) => {
        this.#tellBug(error);
      },
      clock: realClock,
      ...{ firstPause: 500, longestPause: 300_000, longestPauseForNews: 5000 },
    });
    this.#queue.hold();
    this.#keeper = new ClusterKeeper(
      { cluster, file: 'shop.yaml', topology, generation: 1, valid: true, diagnostics: [] },
      {
        world: worldOf(clock),
        ...realClock,
        queue,
        journal: {
          append: async (entry) => {
            trace?.(`journal: ${entry.type} ${entry.reason ?? ''} ${entry.message}`);
          },
          close: async () => undefined,
        },
        log,
        env: {},
        readText: readFile,
        signal: this.#abort.signal,
        ask: () => {
          this.#queue.add(cluster);
        },
        onConditions: (conditions) => {
          this.conditions = conditions;
        },
      },
    );
    void this.#watch();
  }

  get isReady(): boolean {
    return this.conditions.find(({ type }) => type === 'Ready')?.status === 'True';
  }

  get isStandby(): boolean {
    return this.conditions.some(({ reason }) => reason === 'Standby');
  }

  /** Why it says that it cannot go on. */
  get stalled(): string | undefined {
    const found = this.conditions.find(({ type }) => type === 'Stalled');
    return found?.status === 'True' ? `${found.reason}: ${found.message}` : undefined;
  }

  show(): string {
    return this.conditions
      .map(({ type, status, reason, message }) => `${type} ${status} ${reason} ${message}`)
      .join(' | ');
  }

  die(): void {
    this.connection.die();
    this.#abort.abort();
    this.#queue.hold();
  }

  async #watch(): Promise<void> {
    const { connection } = this;
    await watchEngine({
      connect: async () => {
        await connection.engine.inspectContainer('nothing');
        return connection.engine;
      },
      resync: 60_000,
      signal: this.#abort.signal,
      onUp: (engine) => {
        const isNew = this.#whyDown !== undefined;
        this.#whyDown = undefined;
        this.#keeper.setEngine(engine, undefined);
        this.#queue.release();
        if (isNew) this.#queue.renew(cluster);
        else this.#queue.add(cluster);
      },
      onDown: (error) => {
        this.#whyDown = error?.message ?? 'its events ended';
        this.#queue.hold();
        this.#keeper.setEngine(undefined, this.#whyDown);
      },
      onEvent: (event: EngineEvent) => {
        if (event.attributes['pgherd.cluster'] === cluster || this.#keeper.isAbout(event)) this.#keeper.take(event);
      },
    }).catch((error: unknown) => {
      this.#tellBug(error);
    });
  }

  #tellBug(error: unknown): void {
    if (this.connection.isDead || error instanceof ControllerDied || error instanceof PgherdError) return;
    this.#options.onBug(error);
  }
}
