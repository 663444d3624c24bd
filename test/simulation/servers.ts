import { parseSettings } from '../../src/postgres/config.ts';
import type { Report } from '../../src/postgres/report.ts';
import type { Surroundings } from '../bench/fake-engine-programs.ts';
import type { FakeContainer, FakeProcess } from '../bench/fake-engine-state.ts';
import { between, type Random } from '../chaos/random.ts';
import type { Entry, VirtualClock } from './clock.ts';
import type { Database, WalRecord } from './wal.ts';

/** Bytes; a standby asks from the beginning of one on. */
const segmentSize = 2 ** 24;

/** What a leader knows of one that streams from it: it counts for commits once it has caught up. */
type Sender = { readonly standby: Server | undefined; flushed: number; readonly from: number; isStreaming: boolean };

/** Whom commits wait for. */
type SyncNames = { readonly num: number; readonly names: readonly string[] };

export type Commit = {
  readonly record: WalRecord;
  readonly server: Server;
  readonly settle: (outcome: 'acknowledged' | 'unknown') => void;
};

/** The servers of a world, by container. */
export class Servers {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** By name of the volume. */
  readonly databases = new Map<string, Database>();
  readonly #byContainer = new Map<string, Server>();
  around: Surroundings | undefined;
  /** Told of a volume that is cloned anew although its server could have gone on. */
  onSetAsideInVain: ((what: string) => void) | undefined;

  constructor(clock: VirtualClock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  of(container: FakeContainer | undefined): Server | undefined {
    const server = container === undefined ? undefined : this.#byContainer.get(container.id);
    return server?.isAlive === true ? server : undefined;
  }

  get all(): readonly Server[] {
    return [...this.#byContainer.values()].filter(({ isAlive }) => isAlive);
  }

  add(server: Server): void {
    this.#byContainer.set(server.container.id, server);
  }

  reach(from: FakeContainer, conninfo: string): Server | undefined {
    const address = /host=(\S+)/.exec(conninfo)?.[1] ?? '';
    const server = this.of(this.around?.reach(from, address));
    return server?.isUp === true ? server : undefined;
  }
}

/** One postmaster, from its start to its end. */
export class Server {
  readonly servers: Servers;
  readonly container: FakeContainer;
  readonly database: Database;
  /** Of the volume: where its links are. */
  readonly home: string;
  readonly #process: FakeProcess;
  phase: 'starting' | 'up' | 'ending' = 'starting';
  isAlive = true;
  /** Stopped by a signal: it does nothing, and its connections stand. */
  isHung = false;
  /** All connections but the reserved ones are in use. */
  isFull = false;
  /** An archive_command hangs: it does not end in order. */
  isArchiverHung = false;
  /** It was told to end in order: it has its time for that, also if it hangs. */
  isStopping = false;
  /** Its shutdown checkpoint is written. */
  isShut = false;
  /** A reader holds up replay until then. */
  heldUntil = 0;
  /** Replay takes until then, whatever is done about readers. */
  slowUntil = 0;
  /** Its startup process sleeps until then, with WAL that it has not read. */
  #sleepsUntil = 0;
  /** It was promoted by hand, which nobody keeps it from. */
  isOutlaw = false;
  /** It was promoted by hand where nobody else was left to write to. */
  isOnlyCopy = false;
  name = '';
  #conninfo = '';
  #slot = '';
  #sync: SyncNames | undefined;
  #waitsFor = '';
  /** Whom it streams from. */
  receiver: Server | undefined;
  /** What it receives is not what it has: it goes on for ever, and comes no further. */
  #isStuck = false;
  #isPumping = false;
  /** When it replays what it has. */
  #replay: Entry | undefined;
  #isConnecting = false;
  /** The number of the timeline that it is to begin, at least; undefined: nobody asked for that. */
  #promotesTo: number | undefined;
  /** Its start has come to its end, unless it was stopped by a signal meanwhile. */
  #isOpen = false;
  /** Grows whenever it is stopped by a signal. */
  #hangs = 0;
  /** The others gave up its connections while it was stopped. */
  #isForgotten = false;
  /** Bytes from 0/0 that it says it has received; undefined: nothing since it was started. */
  #received: number | undefined;
  readonly #senders = new Map<string, Sender>();
  #commits: Commit[] = [];

  constructor(servers: Servers, container: FakeContainer, database: Database, home: string, process: FakeProcess) {
    this.servers = servers;
    this.container = container;
    this.database = database;
    this.home = home;
    this.#process = process;
    servers.add(this);
  }

  get isUp(): boolean {
    return this.isAlive && this.phase === 'up' && this.container.state === 'running';
  }

  /** It takes writes. */
  get isWritable(): boolean {
    return this.isUp && !this.isHung && !this.database.isStandby;
  }

  /** Whether a commit made now would be acknowledged. */
  get wouldAcknowledge(): boolean {
    return this.isWritable && this.#isMet(undefined);
  }

  get commitsWait(): boolean {
    return this.#sync !== undefined;
  }

  /** It takes long to replay what it has. */
  get isSlow(): boolean {
    return this.slowUntil > this.servers.clock.now;
  }

  get isReplayed(): boolean {
    return this.database.replayed >= this.database.wal.length;
  }

  /** The startup process says that it waits for more. */
  get seemsDone(): boolean {
    return this.isReplayed || this.#sleepsUntil > this.servers.clock.now;
  }

  open(): void {
    this.#isOpen = true;
    if (this.isHung || this.phase !== 'starting') return;
    this.phase = 'up';
    this.#tell();
    if (!this.database.isStandby) this.onLeads?.(this);
    this.replay();
    this.connect();
  }

  /** What others see of it at once. */
  #tell(): void {
    if (this.phase === 'up') this.#process.serves = this.database.isStandby ? 'follower' : 'leader';
    else delete this.#process.serves;
  }

  /** Its process is gone. */
  end(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    for (const commit of this.#commits) commit.settle('unknown');
    this.#commits = [];
    for (const { standby } of this.#senders.values()) {
      if (standby?.isHung === false) standby.#loseConnection(this);
      else if (standby !== undefined) {
        const waits = standby;
        this.servers.clock.after(15_000, () => {
          waits.#loseConnection(this);
        });
      }
    }
    this.receiver?.drop(this.name, this);
  }

  /** Stopped by a signal; the others notice by their timeouts. */
  hang(): void {
    this.isHung = true;
    this.#hangs += 1;
    const times = this.#hangs;
    this.servers.clock.after(15_000, () => {
      if (!this.isAlive || !this.isHung || times !== this.#hangs) return;
      this.#isForgotten = true;
      this.receiver?.drop(this.name, this);
      for (const { standby } of [...this.#senders.values()])
        if (standby?.isHung === false) standby.#loseConnection(this);
    });
  }

  wake(): void {
    this.isHung = false;
    // What ended meanwhile sends nothing more, whatever is in its volume by now.
    if (this.#isForgotten || this.receiver?.isAlive === false) this.endReceiver();
    this.#isForgotten = false;
    if (this.#isOpen && this.phase === 'starting') this.open();
    this.replay();
    this.connect();
    this.pump();
    for (const { standby } of this.#senders.values()) standby?.pump();
  }

  // ---- configuration

  /** Loads what `config` in its volume says. */
  load(): void {
    const { view } = this.container;
    const folder = view.follow(`${this.home}/config`);
    const settings = parseSettings(view.read(`${folder}/postgresql.conf`) ?? '');
    this.name = settings['cluster_name'] ?? this.name;
    this.#waitsFor = settings['synchronous_standby_names'] ?? '';
    this.#sync = parseSync(this.#waitsFor);
    const conninfo = this.database.conninfo ?? settings['primary_conninfo'] ?? '';
    const slot = settings['primary_slot_name'] ?? '';
    const isOther = conninfo !== this.#conninfo || slot !== this.#slot;
    this.#conninfo = conninfo;
    this.#slot = slot;
    if (this.#sync === undefined) this.settleCommits();
    if (!isOther || !this.database.isStandby) return;
    this.endReceiver();
    this.connect();
  }

  get followsNobody(): boolean {
    return this.#conninfo === '';
  }

  // ---- streaming

  /** Its connection to its leader ends; it tries again. */
  endReceiver(): void {
    const leader = this.receiver;
    if (leader === undefined) return;
    leader.drop(this.name, this);
    this.receiver = undefined;
    this.#isStuck = false;
    // Two connections that fail within half a second of each other leave the startup process asleep.
    if (!this.isReplayed && this.servers.random() < 0.3) this.#sleepsUntil = this.servers.clock.now + 5000;
  }

  #loseConnection(leader: Server): void {
    if (this.receiver !== leader) return;
    this.endReceiver();
    if (this.isAlive) this.connect();
  }

  /** The leader's side of a connection ends. */
  drop(name: string, standby: Server | undefined): void {
    if (this.#senders.get(name)?.standby === standby) this.#senders.delete(name);
  }

  /** Ends what it sends to a node, by its name. */
  endSenders(name: string): void {
    const standby = this.#senders.get(name)?.standby;
    this.#senders.delete(name);
    if (standby !== undefined) standby.#loseConnection(this);
  }

  connect(): void {
    if (this.#isConnecting || this.receiver !== undefined) return;
    this.#isConnecting = true;
    this.servers.clock.after(between(this.servers.random, 5, 60), () => {
      this.#isConnecting = false;
      if (!this.isAlive || !this.database.isStandby || this.isHung || this.receiver !== undefined) return;
      if (this.phase !== 'up' || this.#conninfo === '') return;
      // A receiver is started only when all is replayed that came before.
      const leader = !this.isReplayed ? undefined : this.servers.reach(this.container, this.#conninfo);
      if (leader !== undefined && leader !== this && !leader.isHung && this.#isAccepted(leader)) return;
      this.#isConnecting = true;
      this.servers.clock.after(500, () => {
        this.#isConnecting = false;
        this.connect();
      });
    });
  }

  #isAccepted(leader: Server): boolean {
    const [own, other] = [this.database, leader.database];
    if (other.isStandby || other.system !== own.system || !other.slots.has(this.#slot)) return false;
    if (own.timeline > other.timeline) return false;
    if (own.timeline < other.timeline) {
      const fork = own.forkIn(other);
      if (fork === undefined) return false;
      if (own.lsn > fork.lsn) {
        // It asks from the beginning of a segment on, says how far it has come, and is told only then.
        leader.#acknowledge(this.name, undefined, own.lsn, true);
        this.servers.clock.after(20, () => {
          leader.drop(this.name, undefined);
        });
        return false;
      }
    }
    this.receiver = leader;
    this.#isStuck = !own.isPrefixOf(other);
    leader.#senders.set(this.name, { standby: this, flushed: 0, from: other.lsn, isStreaming: false });
    this.#received = Math.max(this.#received ?? 0, own.lsn - (own.lsn % segmentSize));
    this.pump(true);
    return true;
  }

  /** Has what its leader wrote come over. */
  pump(isFirst = false): void {
    const leader = this.receiver;
    if (leader === undefined || this.#isPumping) return;
    if (!isFirst && leader.database.wal.length <= this.database.wal.length && !this.#isStuck) return;
    if (!isFirst && this.#isStuck) return;
    this.#isPumping = true;
    const upTo = leader.database.wal.length;
    this.#arrival = this.servers.clock.after(this.lag + between(this.servers.random, 1, 6), () => {
      this.#isPumping = false;
      if (this.receiver !== leader || !this.isAlive || this.isHung || leader.isHung) return;
      this.#receive(leader, upTo);
      this.pump();
    });
  }

  /** Milliseconds that its connection takes beside what is usual. */
  lag = 0;
  #arrival: Entry | undefined;

  /** Its connection is as usual, and what is on the way arrives. */
  endLag(): void {
    this.lag = 0;
    const { call } = this.#arrival ?? {};
    if (!this.#isPumping || this.#arrival === undefined || call === undefined) return;
    this.#arrival.call = undefined;
    this.#arrival = this.servers.clock.after(1, call);
  }

  #receive(leader: Server, upTo: number): void {
    const own = this.database;
    if (!this.#isStuck && upTo >= own.wal.length) {
      own.wal.push(...leader.database.wal.slice(own.wal.length, upTo));
      const fork = own.forkIn(leader.database);
      if (fork !== undefined && own.lsn >= fork.lsn) own.timeline = leader.database.timeline;
      own.forks = leader.database.timeline === own.timeline ? leader.database.forks : own.forks;
      this.replay();
    }
    const flushed = Math.max(own.lsn, this.#isStuck ? leader.database.lsn : 0);
    this.#received = flushed;
    this.servers.clock.after(between(this.servers.random, 1, 4), () => {
      if (this.receiver === leader) leader.#acknowledge(this.name, this, flushed);
    });
  }

  #acknowledge(name: string, standby: Server | undefined, flushed: number, isStreaming = false): void {
    if (!this.isAlive) return;
    const known = this.#senders.get(name);
    if (known?.standby !== standby || known === undefined) {
      this.#senders.set(name, { standby, flushed, from: this.database.lsn, isStreaming });
    } else {
      known.flushed = Math.max(known.flushed, flushed);
      known.isStreaming ||= isStreaming || flushed >= known.from;
    }
    this.settleCommits();
  }

  /** Who streams, and how far it says that it has come. */
  get senders(): ReadonlyMap<string, Sender> {
    return this.#senders;
  }

  /** A base backup, which says under its node's name how far its own receiver has come. */
  acknowledgeBackup(name: string): void {
    this.#acknowledge(name, undefined, this.database.lsn, true);
  }

  replay(): void {
    if (this.#replay !== undefined || !this.isAlive || this.phase !== 'up') return;
    if (!this.database.isStandby || this.isReplayed) return;
    const { clock, random } = this.servers;
    const until = Math.max(this.#replaysAt, clock.now) - clock.now;
    this.#replay = clock.after(until + between(random, 0, 12), () => {
      this.#replay = undefined;
      this.#replayNow();
      this.replay();
    });
  }

  get #replaysAt(): number {
    return Math.max(this.heldUntil, this.#sleepsUntil, this.slowUntil);
  }

  #replayNow(): void {
    if (!this.isAlive || this.isHung || !this.database.isStandby || this.#replaysAt > this.servers.clock.now) return;
    this.database.replayed = this.database.wal.length;
    if (this.#promotesTo !== undefined) this.promote(this.#promotesTo);
  }

  /** Readers that hold up replay are cancelled. */
  endReaders(): void {
    if (this.heldUntil === 0) return;
    this.heldUntil = 0;
    if (this.#replay !== undefined) this.#replay.call = undefined;
    this.#replay = undefined;
    this.replay();
  }

  /** It replays all that it has, and leads then, whether or not anybody waits for that. */
  requestPromotion(timeline: number): void {
    this.#promotesTo = timeline;
    this.#sleepsUntil = 0;
    this.endReceiver();
    if (this.isReplayed) this.promote(timeline);
    else this.#replayNow();
  }

  /** Where everything it has is replayed; it leads then. */
  promote(timeline = 0): void {
    this.#promotesTo = undefined;
    this.database.fork(timeline);
    this.receiver?.drop(this.name, this);
    this.receiver = undefined;
    this.#tell();
    this.onLeads?.(this);
  }

  // ---- commits

  write(is: WalRecord['is'], bytes: number, id = 0, reigns?: string): WalRecord {
    const record = this.database.write(is, bytes, id, reigns);
    for (const { standby } of this.#senders.values()) standby?.pump();
    return record;
  }

  /** Writes a row, and waits for whom commits wait for. */
  commit(id: number, bytes: number): Promise<'acknowledged' | 'unknown'> {
    const record = this.write('row', bytes, id);
    return new Promise((settle) => {
      this.#commits.push({ record, server: this, settle });
      this.servers.clock.after(1, () => {
        this.settleCommits();
      });
    });
  }

  /** It takes writes from now on. */
  onLeads: ((server: Server) => void) | undefined;
  /** It acknowledges a commit. */
  onAcknowledged: ((commit: Commit) => void) | undefined;

  settleCommits(): void {
    if (!this.isWritable) return;
    const settled = this.#commits.filter(({ record }) => this.#isMet(record.lsn));
    if (settled.length === 0) return;
    this.#commits = this.#commits.filter((each) => !settled.includes(each));
    for (const commit of settled) {
      this.onAcknowledged?.(commit);
      commit.settle('acknowledged');
    }
  }

  /** Sessions end. */
  endSessions(): void {
    for (const commit of this.#commits) commit.settle('unknown');
    this.#commits = [];
  }

  #isMet(lsn: number | undefined): boolean {
    const sync = this.#sync;
    if (sync === undefined) return true;
    const those = [...this.#senders].filter(
      ([name, { flushed, standby, isStreaming }]) =>
        sync.names.includes(name) &&
        isStreaming &&
        flushed > 0 &&
        (lsn === undefined ? standby?.isHung === false : flushed >= lsn),
    );
    return those.length >= sync.num;
  }

  report(): Report {
    const { database } = this;
    const isFollower = database.isStandby;
    return {
      recovery: isFollower,
      timeline: database.timeline,
      lsn: isFollower ? database.replayedLsn : database.lsn,
      redo: isFollower ? null : 1000,
      receiver: isFollower && this.receiver !== undefined ? 'streaming' : null,
      slots: isFollower ? {} : Object.fromEntries([...database.slots].sort().map((name) => [name, 'reserved'])),
      oldest: null,
      isHeld: isFollower && !this.isReplayed && this.heldUntil > this.servers.clock.now,
      reigns: database.reigns,
      forks: isFollower ? null : database.forks,
      received: this.#received ?? null,
      senders: isFollower
        ? null
        : Object.fromEntries(
            [...this.#senders].map(([name, { flushed, isStreaming }]) => [
              name,
              { state: isStreaming ? 'streaming' : 'catchup', lsn: flushed > 0 ? flushed : null },
            ]),
          ),
      waitsFor: this.#waitsFor,
      unsafe: [],
    };
  }

  /** The `synchronous_standby_names` in force. */
  get waitsFor(): string {
    return this.#waitsFor;
  }

  /** Bytes from 0/0 that it has received, as far as it knows. */
  get received(): number {
    return this.#received ?? 0;
  }
}

function parseSync(text: string | undefined): SyncNames | undefined {
  const match = /^ANY (\d+) \((.*)\)$/.exec(text ?? '');
  if (match === null) return undefined;
  const names = (match[2] ?? '').split(',').map((name) => name.trim().replace(/^"|"$/g, ''));
  return { num: Number(match[1]), names };
}
