import { PgherdError } from '../../src/base/error.ts';
import { compareRecords, type RecordName } from '../../src/postgres/layout.ts';
import type { Topology } from '../../src/topology/model.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { ControllerDied, FakeWorld } from '../bench/fake-engine.ts';
import { seeded, type Random } from '../chaos/random.ts';
import type { VirtualClock } from './clock.ts';
import { beginning } from './clock.ts';
import { Connection, type CallMishap } from './connection.ts';
import { reconcileOnce, SimulatedDaemon } from './controllers.ts';
import { topologyFor, type Setting } from './modes.ts';
import { newestRecordIn, type Mishap } from './process.ts';
import { homeOf, programsOf, resumeNode, type ProgramOptions } from './programs.ts';
import { Servers, type Commit, type Server } from './servers.ts';
import type { Database, WalRecord } from './wal.ts';

/** Starts of a container within 5 s that are no loop. */
const mostStarts = 8;

/** A world as it is before anything happens. */
export type Base = {
  readonly setting: Setting;
  readonly topology: Topology;
  readonly world: FakeWorld;
  readonly databases: ReadonlyMap<string, Database>;
};

export type Acknowledged = {
  readonly id: number;
  readonly at: number;
  readonly by: string;
  /** On which it led: who leads again later does so on another one. */
  readonly timeline: number;
  /** It waited for others. */
  readonly isQuorum: boolean;
};

/** One world with all that goes on in it. */
export class Simulation {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly servers: Servers;
  readonly world: FakeWorld;
  readonly topology: Topology;
  readonly setting: Setting;
  readonly violations: string[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** When anybody acknowledged anything last. */
  acknowledgedAt = 0;
  readonly lines: string[] = [];
  readonly trace: ((text: string) => void) | undefined;
  readonly daemons: SimulatedDaemon[] = [];
  readonly connections = new Set<Connection>();
  /** How likely a call's answer is lost or late. */
  callTrouble = 0;
  /** Scripts that came to grief. */
  readonly troubled = new Set<string>();
  /** Those that are to, the next one of that name first. */
  readonly scriptTrouble: { readonly script: string; readonly mishap: Mishap }[] = [];
  cloneTime = 2000;
  isDown = false;
  /** Why a daemon could not go on when one was asked last, and when that was. */
  stall: { readonly reason: string; readonly at: number } | undefined;
  /** Containers of nodes that were taken away by hand. */
  removals = 0;
  /** The next one that is started as a leader hangs before it answers. */
  hangsAtStart = false;
  /** Clients have all connections of whoever leads, and try for more. */
  isUsedUp = false;
  /** A replica's data was removed, with the one copy of what nobody else had. */
  isDataRemoved = false;
  /** Somebody accepted a loss. */
  isLossy = false;
  /** A server was promoted by hand. */
  isHandPromoted = false;
  #rows = 0;
  #restarts = new Map<string, number>();
  /** When controllers started a container, of late. */
  readonly #starts = new Map<string, readonly number[]>();

  constructor(clock: VirtualClock, seed: number, base: Base | Setting, isTracing: boolean) {
    this.clock = clock;
    this.random = seeded(seed);
    this.trace = isTracing
      ? (text) => {
          this.lines.push(`${(clock.now / 1000).toFixed(3).padStart(8)} ${text}`);
        }
      : undefined;
    this.servers = new Servers(clock, this.random);
    this.servers.onSetAsideInVain = (what) => {
      this.violate(what);
    };
    this.setting = 'world' in base ? base.setting : base;
    this.topology = 'world' in base ? base.topology : topologyFor(base);
    const programs: ProgramOptions = {
      cloneTime: () => this.cloneTime,
      mishapOf: (script) => this.#mishapOf(script),
      trace: (text) => this.trace?.(text),
      onRewind: (container, cut) => {
        this.#noteRewind(container, cut);
      },
      onServer: (server) => {
        if (this.hangsAtStart && !server.database.isStandby) {
          this.hangsAtStart = false;
          this.trace?.(`${server.container.name} hangs as it starts`);
          server.hang();
        }
        server.onLeads = () => {
          this.#noteLeads(server);
          this.clock.after(this.random() * 200, () => {
            server.isFull = this.isUsedUp;
          });
        };
        server.onAcknowledged = (commit) => {
          this.#noteAcknowledged(commit);
        };
      },
    };
    const parts = {
      time: {
        now: () => Math.floor(beginning + clock.now),
        tick: () => undefined,
        restartLater: (container: FakeContainer) => {
          this.#restartLater(container);
        },
      },
      programs: programsOf(this.servers, programs),
    };
    if (!('world' in base)) {
      this.world = new FakeWorld(seed, parts);
      return;
    }
    this.world = base.world.copy(seed, parts);
    this.servers.around = this.world.around;
    for (const [name, database] of base.databases) this.servers.databases.set(name, database.copy());
    for (const container of this.nodes) resumeNode(this.servers, container, programs);
  }

  get nodes(): readonly FakeContainer[] {
    return [...this.world.containers.values()].filter(({ spec }) => spec.labels['pgherd.kind'] === 'node');
  }

  node(slot: number): FakeContainer | undefined {
    return this.nodes.find(({ spec }) => spec.labels['pgherd.node'] === String(slot));
  }

  // ---- processes

  connect(name: string): Connection {
    const connection = new Connection({
      name,
      clock: this.clock,
      random: this.random,
      connect: () => this.world.connect(),
      mishapOf: () => this.#callMishap(),
      watch: (method, [id]) => {
        if (/^(?:kill|stop|remove)Container$/.test(method)) this.#noteEnd(String(id));
        if (method === 'startContainer') this.#noteStart(String(id));
      },
      trace: this.trace,
    });
    connection.setDown(this.isDown);
    this.connections.add(connection);
    return connection;
  }

  startDaemon(name: string): SimulatedDaemon {
    const daemon = new SimulatedDaemon(this.connect(name), {
      topology: this.topology,
      clock: this.clock,
      trace: this.trace,
      onBug: (error) => {
        this.violate(`a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      },
    });
    this.daemons.push(daemon);
    return daemon;
  }

  isDaemon(connection: Connection): boolean {
    return this.daemons.some((each) => each.connection === connection);
  }

  /** Runs a command of its own process, whatever comes of it. */
  command(name: string, run: (connection: Connection) => Promise<unknown>): Connection {
    const connection = this.connect(name);
    this.trace?.(`${name} begins`);
    void run(connection)
      .then(
        () => this.trace?.(`${name} ends`),
        (error: unknown) => {
          if (error instanceof ControllerDied || error instanceof PgherdError) {
            this.trace?.(`${name} fails: ${error.message}`);
            return;
          }
          this.violate(`a bug in ${name}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
        },
      )
      .finally(() => {
        connection.die();
        this.connections.delete(connection);
      });
    return connection;
  }

  #callMishap(): CallMishap | undefined {
    if (this.callTrouble === 0 || this.random() >= this.callTrouble) return undefined;
    const kind = this.random();
    if (kind < 0.25) return 'lost';
    return kind < 0.5 ? 'answer-lost' : { late: 200 + this.random() * 6000 };
  }

  #mishapOf(script: string): Mishap | undefined {
    const index = this.scriptTrouble.findIndex((each) => each.script === script);
    if (index < 0) return undefined;
    const [found] = this.scriptTrouble.splice(index, 1);
    this.troubled.add(script);
    this.trace?.(`${script} is to ${found?.mishap.is ?? ''} at step ${String(found?.mishap.at)}`);
    return found?.mishap;
  }

  #restartLater(container: FakeContainer): void {
    const times = this.#restarts.get(container.id) ?? 0;
    const isWell = this.world.now() - container.startedAt > 10_000;
    this.#restarts.set(container.id, isWell ? 1 : times + 1);
    this.clock.after(isWell ? 100 : 100 * 2 ** Math.min(times, 9), () => {
      if (!this.isDown) this.world.restart(container);
    });
  }

  // ---- the engine

  goDown(): void {
    this.trace?.('the engine goes down');
    this.isDown = true;
    this.world.goDown();
    for (const connection of this.connections) connection.setDown(true);
  }

  comeUp(): void {
    this.trace?.('the engine is back');
    this.isDown = false;
    this.world.comeUp((all) => [...all].sort(() => this.random() - 0.5));
    for (const connection of this.connections) connection.setDown(false);
  }

  // ---- writers

  /** A client that comes by the write address. */
  async writeByAddress(until: () => boolean, pause: () => number): Promise<void> {
    while (!until()) {
      await this.clock.sleep(pause());
      const server = this.atWriteAddress;
      if (server?.isWritable === true) await this.#write(server);
    }
  }

  /** A client that stays with a server as long as that takes writes, then takes any other that does. */
  async writeDirectly(until: () => boolean, pause: () => number): Promise<void> {
    let server: Server | undefined;
    while (!until()) {
      await this.clock.sleep(pause());
      if (server?.isWritable !== true) {
        const writable = this.servers.all.filter(({ isWritable }) => isWritable);
        server = writable[Math.floor(this.random() * writable.length)];
      }
      if (server !== undefined) await this.#write(server);
    }
  }

  async #write(server: Server): Promise<void> {
    this.#rows += 1;
    await Promise.race([server.commit(this.#rows, 100), this.clock.sleep(2000)]);
  }

  get atWriteAddress(): Server | undefined {
    const holder = this.nodes.find(({ endpoints }) => endpoints.get('shop_rw')?.live !== undefined);
    return this.servers.of(holder);
  }

  // Whoever led is dead before anybody else does.
  /** Who led first on each timeline. */
  readonly #begun = new Map<number, string>();

  #noteLeads(server: Server): void {
    if (server.isOutlaw) return;
    const other = this.servers.all.find(
      (each) => each !== server && !each.isOutlaw && !each.database.isStandby && each.phase !== 'starting',
    );
    this.trace?.(`${server.container.name} takes writes`);
    const { timeline } = server.database;
    const first = this.#begun.get(timeline) ?? server.container.name;
    this.#begun.set(timeline, first);
    // Who is promoted by hand takes a number that nobody gave.
    if (first !== server.container.name && !this.isHandPromoted)
      this.violate(`${first} and ${server.container.name} lead on a timeline of one number, ${String(timeline)}`);
    if (other === undefined) return;
    this.violate(`${server.container.name} takes writes while ${other.container.name}, which led, still runs`);
  }

  // Whoever holds the only copy that is written to is left alone.
  #noteEnd(container: string): void {
    const server = this.servers.all.find((each) => each.container.id === container);
    if (server?.isOnlyCopy !== true || !server.isWritable) return;
    if (this.record?.leader === Number(server.container.spec.labels['pgherd.node'])) return;
    if (this.servers.all.some((each) => each !== server && !each.isOutlaw && each.isWritable)) return;
    this.violate(`${server.container.name} is ended, which holds the only copy that takes writes`);
  }

  // What was acknowledged is kept by whoever wrote it, where who leads instead has not got it.
  #noteRewind(container: FakeContainer, cut: readonly WalRecord[]): void {
    const ids = new Set(cut.map(({ id }) => id));
    const rows = this.acknowledged.filter(({ id, by }) => by === container.name && ids.has(id));
    if (rows.length > 0)
      this.violate(`${container.name} is rewound: ${String(rows.length)} acknowledged rows are erased`);
  }

  // Nothing is started again before it has had the time to start.
  #noteStart(container: string): void {
    const times = (this.#starts.get(container) ?? []).filter((at) => at > this.clock.now - 5000);
    this.#starts.set(container, [...times, this.clock.now]);
    if (times.length === mostStarts) this.violate(`${this.world.find(container)?.name ?? ''} is started in a loop`);
  }

  noteStall(): void {
    const reason = this.daemons.map(({ stalled }) => stalled).find((each) => each !== undefined);
    if (reason === undefined) return;
    this.stall = { reason, at: this.clock.now };
    if (reason.includes('second-writer') && !this.isHandPromoted)
      this.violate('two take writes, and nobody promoted one of them by hand');
  }

  violate(what: string): void {
    if (this.violations.includes(what)) return;
    this.violations.push(what);
    this.trace?.(`VIOLATION ${what}`);
  }

  /** Databases of the other nodes that have a record of a server. */
  #copiesOf(server: Server, record: Commit['record']): number {
    const index = server.database.wal.lastIndexOf(record);
    return this.nodes.filter((container) => {
      if (container === server.container) return false;
      const database = this.servers.databases.get(container.volumes[0]?.volume.name ?? '');
      return database?.wal[index] === record;
    }).length;
  }

  #noteAcknowledged({ record, server }: Commit): void {
    this.acknowledgedAt = this.clock.now;
    if (server.isOutlaw) return;
    const { name } = server.container;
    if (server.commitsWait && this.#copiesOf(server, record) === 0) {
      this.violate(`acknowledged by ${name}, and on no replica`);
    }
    const { timeline } = server.database;
    this.acknowledged.push({ id: record.id, at: this.clock.now, by: name, timeline, isQuorum: server.commitsWait });
    const other = this.servers.all.find((each) => each !== server && !each.isOutlaw && each.wouldAcknowledge);
    if (other === undefined) return;
    this.violate(`two writers: ${name} acknowledges while ${other.container.name} would`);
  }

  // ---- what is so

  /** The newest record in any volume of a node that is there. */
  get record(): RecordName | undefined {
    const records = this.nodes.flatMap((container) => newestRecordIn(container, homeOf(container)) ?? []);
    return records.sort((a, b) => compareRecords(b, a))[0];
  }

  /** Somebody has named who is to lead, whoever else could, and waits for it. */
  get isAsked(): boolean {
    return [...this.connections].some(({ name }) => /^failover.* to /.test(name));
  }

  /** Who leads by the record was stopped in order, for another one. */
  get isHandingOver(): boolean {
    const leader = this.node(this.record?.leader ?? 0);
    return leader?.view.link(`${homeOf(leader)}/serves`)?.startsWith('fenced.asked') === true;
  }

  /** What is amiss with the group; nothing where it is well. */
  get amiss(): readonly string[] {
    const faults: string[] = [];
    const writable = this.servers.all.filter(({ isUp, database }) => isUp && !database.isStandby);
    const [leader] = writable;
    if (leader === undefined || writable.length > 1) {
      return [`leading: ${writable.map(({ container }) => container.name).join()}`];
    }
    if (leader.isHung) faults.push(`${leader.container.name} hangs`);
    if (this.atWriteAddress !== leader) faults.push(`the write address is not at ${leader.container.name}`);
    for (const { slot, containerName } of this.topology.groups[0].nodes) {
      const container = this.node(slot);
      const server = this.servers.of(container);
      if (server === leader) continue;
      if (server?.isUp !== true)
        faults.push(`${containerName} is ${container?.state ?? 'missing'}, ${String(server?.phase)}`);
      else if (server.receiver !== leader || !server.database.isPrefixOf(leader.database)) {
        faults.push(`${containerName} does not follow`);
      }
    }
    if (!leader.wouldAcknowledge) faults.push('commits wait');
    if (this.setting.mode !== 'async' && !leader.commitsWait) faults.push('commits wait for nobody');
    return faults;
  }
}

/** Brings a group up. */
export async function makeBase(clock: VirtualClock, setting: Setting): Promise<Base> {
  clock.reset();
  const simulation = new Simulation(clock, 1, setting, false);
  let last = 'it did not end';
  for (let times = 0; times < 3 && simulation.amiss.length > 0; times += 1) {
    let isOver = false;
    simulation.command('bring-up', async (connection) => {
      const { converged, blocked, failures } = await reconcileOnce(connection, simulation.topology, clock, 300);
      last = JSON.stringify({ converged, blocked, failures: failures.map(({ error }) => error.message) });
      isOver = true;
    });
    await clock.run(clock.now + 300_000, () => isOver);
    await clock.run(clock.now + 2000);
  }
  if (simulation.amiss.length > 0) throw new Error(`no group: ${simulation.amiss.join('; ')}; ${last}`);
  const { topology, world, servers } = simulation;
  return { setting, topology, world, databases: servers.databases };
}
