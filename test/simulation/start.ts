import { between } from '../chaos/random.ts';
import { Cut, Failed, type Process } from './process.ts';
import type { Server } from './servers.ts';
import { type Servers } from './servers.ts';
import { Database, type WalRecord } from './wal.ts';

/** What src/postgres/scripts/start.sh needs of the world beside its container. */
export type StartContext = {
  readonly servers: Servers;
  readonly newSystem: () => string;
  /** Milliseconds that a base backup takes. */
  readonly cloneTime: () => number;
  /** What it wrote and its leader has not is cut off. */
  readonly onRewind: (cut: readonly WalRecord[]) => void;
  /** It becomes the server of its container. */
  readonly serve: (database: Database) => Server;
};

/** src/postgres/scripts/start.sh, until the server is open; throws `Failed` where it refuses. */
export async function start(process: Process, context: StartContext): Promise<void> {
  await process.step(30);
  if (process.link('serves')?.startsWith('fenced') === true) refuse('another node leads or is to: not starting');
  const [role = '', system = '-', number = ''] = process.read('role').split(' ');
  const state = process.link('state') ?? '';
  const renew = (): void => {
    if (leaderOf(process.config) !== leaderOf(process)) throw new Renewed('the leader has changed');
  };
  try {
    if (state.startsWith('data.')) {
      if (system !== '-' && state !== `data.${system}`) refuse(`the volume holds ${state}`);
      const database = databaseOf(process);
      if (role === 'follow' && database?.isStandby === false) await rejoin(process, context, system, renew);
      await serve(process, context, role, number);
      return;
    }
    if (state !== '') refuse(`the volume is marked '${state}'`);
    if (role === 'bootstrap') {
      await process.mark('state', 'bootstrapping');
      await process.step(1500);
      setDatabase(process, new Database(context.newSystem()));
      await serve(process, context, role, number);
    } else if (role === 'follow') {
      await clone(process, context, system, renew);
      throw new Renewed('cloned');
    } else refuse(`told to ${role}, and the volume is empty`);
  } catch (error) {
    if (!(error instanceof Renewed)) throw error;
    process.renew();
    await start(process, context);
  }
}

/** The script begins again, as the volume says now. */
class Renewed extends Error {}

function leaderOf(process: Pick<Process, 'read'>): string {
  return ['role', 'conninfo', 'slot', 'reign'].map((file) => process.read(file)).join('\n');
}

function refuse(why: string): never {
  throw new Failed(78, why);
}

function volumeOf(process: Process): string {
  return process.container.volumes[0]?.volume.name ?? '';
}

function databaseOf(process: Process): Database | undefined {
  return process.servers.databases.get(volumeOf(process));
}

function setDatabase(process: Process, database: Database): void {
  process.servers.databases.set(volumeOf(process), database);
}

async function serve(process: Process, context: StartContext, role: string, number: string): Promise<void> {
  const database = databaseOf(process);
  if (database === undefined) refuse('there is no database');
  if (database.isBroken) throw new Failed(1, 'PANIC: could not locate a valid checkpoint record');
  await process.takePart(role);
  if (role === 'follow') {
    database.isStandby = true;
    database.slots.clear();
  }
  if (process.link('detached') !== undefined) await process.mark('detached', 'pending');
  database.conninfo = undefined;
  await process.unmark('detached');
  if (!database.isStandby && process.newest?.leader !== Number(number)) {
    refuse(
      `the record names slot ${String(process.newest?.leader)} as the leader, and this is slot ${number}: not starting`,
    );
  }
  await process.mark('serves', database.isStandby ? 'follow' : 'lead');
  await process.mark('started', process.revision);
  await process.mark('loaded', process.revision);
  await process.takePart(role);
  const server = context.serve(database);
  server.load();
  await process.step(between(process.servers.random, 200, 700));
  server.open();
}

async function clone(process: Process, context: StartContext, system: string, renew: () => void): Promise<void> {
  if (databaseOf(process) !== undefined) refuse('pgdata exists, and nothing says what it is');
  for (let tries = 1; ; tries += 1) {
    if (await copy(process, context, system, renew)) break;
    if (tries === 5) await cutShort(process, 'the clone failed');
    await process.unmark('state');
    await process.step(1000 * 2 ** (tries - 1));
  }
  await process.mark('state', `data.${system}`);
}

async function cutShort(process: Process, why: string): Promise<never> {
  await process.mark('state', 'half');
  refuse(why);
}

async function copy(
  process: Process,
  { cloneTime }: StartContext,
  system: string,
  renew: () => void,
): Promise<boolean> {
  renew();
  const leads = leaderOf(process);
  const slot = process.read('slot');
  const reach = (): Server | undefined => {
    const server = process.servers.reach(process.container, process.read('conninfo'));
    return server?.isHung === true ? undefined : server;
  };
  while (reach() === undefined) {
    await process.step(200);
    renew();
  }
  const leader = reach();
  if (leader === undefined) return false;
  if (leader.database.system !== system) refuse(`the leader is system ${leader.database.system}`);
  await process.mark('reign', process.read('reign'));
  await process.mark('state', 'cloning');
  const isGone = (): boolean => !leader.isAlive;
  if (isGone() || !leader.database.slots.has(slot)) return false;
  // It confirms WAL while there is no copy yet that could replay it.
  const name = 'pgherd_clone';
  const end = process.now + cloneTime();
  while (process.now < end || leader.isHung) {
    await process.step(Math.min(500, cloneTime()));
    if (leaderOf(process.config) !== leads) {
      leader.drop(name, undefined);
      await cutShort(process, 'the leader changed while it was cloned');
    }
    if (isGone()) return false;
    if (!leader.isHung && process.servers.random() < 0.1) leader.acknowledgeBackup(name);
  }
  leader.drop(name, undefined);
  const database = leader.database.copy();
  database.isStandby = true;
  database.replayed = database.wal.length;
  database.conninfo = undefined;
  database.slots.clear();
  setDatabase(process, database);
  return true;
}

async function rejoin(process: Process, context: StartContext, system: string, renew: () => void): Promise<void> {
  // One that followed was promoted by somebody else, and one that led was away: what it wrote may count.
  if (['follow', 'lead', 'promoting'].includes(process.link('serves') ?? '')) await process.mark('serves', 'kept');
  if (process.isAstray(process.read('reign'))) await process.setAside();
  const conninfo = process.read('conninfo');
  const own = databaseOf(process);
  if (own === undefined) refuse('there is no database');
  for (;;) {
    const leader = process.servers.reach(process.container, conninfo);
    if (leader === undefined || leader.isHung || leader.database.isStandby) {
      await process.step(200);
      renew();
      continue;
    }
    const other = leader.database;
    if (other.system !== system) refuse(`the leader is system ${other.system}`);
    const fork = other.timeline > own.timeline ? own.forkIn(other) : undefined;
    if (fork === undefined) {
      await process.mark('state', 'diverged');
      refuse(`timeline ${String(other.timeline)} of the leader does not come from timeline ${String(own.timeline)}`);
    }
    const loaded = process.container.view.read(`${process.home}/${process.link('loaded') ?? ''}/postgresql.conf`);
    const waited = /^synchronous_standby_names = /m.test(loaded ?? '');
    const isUnacknowledged = waited && process.link('serves') === 'ended';
    const kept = own.wal.filter(({ lsn, is }) => is === 'row' && lsn > fork.lsn).length;
    if (kept > 0 && !isUnacknowledged) {
      await process.mark('state', 'diverged');
      refuse(`${String(kept)} transactions after ${String(fork.lsn)} never reached the leader`);
    }
    await process.mark('state', 'rewinding');
    await process.step(500);
    if (!leader.isAlive) {
      await process.mark('state', 'diverged');
      refuse('it cannot be rewound');
    }
    context.onRewind(own.wal.filter(({ lsn }) => lsn > fork.lsn));
    own.timeline = other.timeline;
    own.forks = other.forks;
    // It has the blocks that changed, and replays to where they are whole.
    own.wal = [...other.wal];
    own.isStandby = true;
    own.replayed = own.wal.length;
    own.conninfo = undefined;
    own.slots.clear();
    await process.mark('reign', process.read('reign'));
    await process.mark('state', `data.${system}`);
    return;
  }
}

/** Whether a process ended as processes do. */
export function isEnd(error: unknown): error is Cut | Failed {
  return error instanceof Cut || error instanceof Failed;
}
