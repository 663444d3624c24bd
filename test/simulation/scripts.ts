import { Failed, type Process } from './process.ts';
import type { Server } from './servers.ts';
import type { Database } from './wal.ts';

/**
 * What src/postgres/scripts do, step by step: each may be the last one. What a script does in one statement is one step.
 */
export type Script = (process: Process, args: readonly string[], input: string) => Promise<string>;

export const scripts: Readonly<Record<string, Script>> = {
  apply,
  await: awaitReady,
  bootstrap,
  'caught-up': caughtUp,
  detach,
  free,
  health,
  promote,
  resume,
  shutdown,
};

async function apply(process: Process): Promise<string> {
  await process.guard();
  const reign = process.read('reign');
  if (reign !== '' && process.database?.isStandby === true && process.isAstray(reign)) {
    const leader = process.servers.reach(process.container, process.read('conninfo'));
    if (leader === undefined || leader.isHung) throw new Failed(1, 'nobody says whether it is its leader’s WAL');
    const newest = ({ reigns }: Database): string => reigns.split(/[ @]/)[0] ?? '';
    const own = newest((await process.connect('superuser', 10_000)).database);
    if (own === '' || own !== newest(leader.database)) await process.setAside();
  }
  const before = process.link('config');
  await process.mark('config', process.revision);
  await process.takePart();
  const own = process.link('detached') === undefined ? undefined : newMark();
  if (own !== undefined) await process.mark('detached', own);
  const server = await process.connect('superuser', 10_000);
  server.database.conninfo = undefined;
  await process.step();
  server.load();
  await process.step(50);
  if (!server.isAlive) throw new Failed(2, 'the server ended');
  if (!server.database.isStandby) {
    server.write('other', 64);
    server.settleCommits();
  } else if (server.followsNobody) {
    throw new Failed(1, 'its server does not take the configuration: it follows nobody');
  }
  await process.step();
  if (own !== undefined && process.link('detached') === own) process.set('detached', undefined);
  const isFollower = process.read('role').startsWith('follow') && server.database.isStandby;
  if (process.link('serves') === 'promoting' && isFollower) await process.mark('serves', 'follow');
  await process.mark('loaded', process.revision);
  const kept = [process.revision, before, process.link('started')];
  for (const path of process.container.view.below(process.home)) {
    const folder = /\/(rev\.[^/]+)$/.exec(path)?.[1];
    if (folder !== undefined && !kept.includes(folder)) process.container.view.remove(path);
  }
  return '';
}

/** The words of the health check; fails where it does not pass. */
async function health(process: Process): Promise<string> {
  const server = await process.connect('superuser', 4000);
  if (!server.database.isStandby) {
    if (process.read('role').startsWith('follow')) throw new Failed(1, 'takes writes, and does not lead');
    return 'leader';
  }
  if (server.receiver === undefined) throw new Failed(1, 'waiting');
  return 'streaming';
}

async function awaitReady(process: Process, [seconds = '60', what]: readonly string[]): Promise<string> {
  const end = process.now + Number(seconds) * 1000;
  let alone: number | undefined;
  for (;;) {
    await process.step(200);
    const is = await (what === 'up' ? answers(process) : health(process)).catch((error: unknown) => {
      if (error instanceof Failed) return error;
      throw error;
    });
    if (typeof is === 'string') return is;
    alone = is.message === 'waiting' ? (alone ?? process.now) : undefined;
    if (process.now >= end || process.now - (alone ?? process.now) >= 20_000)
      throw new Failed(1, `not ready: ${is.message}`);
  }
}

async function answers(process: Process): Promise<string> {
  await process.connect('superuser', 4000);
  return '';
}

async function bootstrap(process: Process): Promise<string> {
  while (process.server?.isUp !== true) await process.step(50);
  const server = await process.connect();
  const { system } = server.database;
  await process.step(500);
  for (const slot of ['pgherd_1', 'pgherd_2']) server.database.slots.add(slot);
  server.write('other', 2 ** 20);
  await process.mark('state', `data.${system}`);
  return system;
}

async function caughtUp(process: Process, args: readonly string[]): Promise<string> {
  const [seconds = '', num = '', meanwhile = '', ...names] = args;
  const server = await process.connect('superuser');
  const wanted = server.database.lsn;
  const until = process.now + Number(seconds) * 1000;
  if (server.waitsFor !== meanwhile)
    throw new Failed(1, `synchronous_standby_names is '${server.waitsFor}', expected '${meanwhile}'`);
  for (;;) {
    assertAlive(server);
    const has = names.filter((name) => (server.senders.get(name)?.flushed ?? 0) >= wanted);
    if (has.length >= Number(num)) return 'caught up';
    if (process.now > until)
      throw new Failed(1, `${has.join(', ')} of ${names.join(', ')} have come as far as ${String(wanted)}`);
    await process.step(20);
  }
}

let marks = 0;

function newMark(): string {
  marks += 1;
  return `pending.${String(marks)}`;
}

async function detach(process: Process, [seconds = '30']: readonly string[]): Promise<string> {
  await process.guard();
  const end = process.now + Number(seconds) * 1000;
  const own = newMark();
  await process.mark('detached', own);
  const tell = async (position: string): Promise<string> => {
    await process.step();
    if (process.link('detached') !== own) throw new Failed(1, 'it was attached again meanwhile');
    process.set('detached', position);
    return position;
  };
  if (process.database?.isStandby === false) return tell(await readFork(process, end));
  let received: string | undefined;
  for (;;) {
    try {
      received = undefined;
      const found = await readEnd(process, own, end);
      if ('position' in found) return await tell(found.position);
      received = found.received;
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      if (process.now >= end) throw error;
    }
    if (process.now >= end) break;
    await process.step(20);
  }
  if (received === undefined) throw new Failed(1, 'it does not come to the end of what it has');
  return tell(received);
}

/** Where one that somebody has promoted parted from the others. */
async function readFork(process: Process, end: number): Promise<string> {
  while (process.server?.isUp !== true || process.server.isHung) {
    if (process.now >= end) throw new Failed(1, 'it is no standby, and does not answer');
    await process.step(50);
  }
  const fork = process.server.database.forks.at(-1);
  if (fork === undefined) throw new Failed(1, 'it is no standby, and was never promoted');
  return `${String(fork.timeline)}.${String(fork.lsn)}.open`;
}

type End = { readonly position: string } | { readonly received: string | undefined };

/** How far a standby has come that follows nobody any more, or what it has received by the end. */
async function readEnd(process: Process, own: string, end: number): Promise<End> {
  const server = await process.connect('superuser', Math.max(0, end - process.now));
  if (!server.database.isStandby) throw new Failed(3, 'division by zero');
  process.set('detached', own);
  await process.step();
  assertAlive(server);
  server.database.conninfo = '';
  await process.step();
  server.load();
  const { database } = server;
  for (;;) {
    assertAlive(server);
    if (!server.isHung) {
      const isFinal = server.isReplayed;
      if (server.receiver === undefined && server.seemsDone && isFinal) break;
      server.endReaders();
    }
    if (process.now >= end) {
      if (server.isHung || server.receiver !== undefined) return { received: undefined };
      return { received: `${String(database.timeline)}.${String(Math.max(database.lsn, server.received))}.replaying` };
    }
    await process.step(10);
  }
  const { timeline, replayedLsn, replayed, wal } = database;
  await process.step(20);
  const shut = wal[replayed - 1]?.is === 'shutdown' ? 'shut' : 'open';
  return { position: `${String(timeline)}.${String(replayedLsn)}.${shut}` };
}

/** Ends the readers that a standby's replay waits for. */
async function free(process: Process, [seconds = '5']: readonly string[]): Promise<string> {
  await process.guard();
  const end = process.now + Number(seconds) * 1000;
  while (process.now < end) {
    const server = await process.connect('superuser', 2000);
    server.endReaders();
    if (server.receiver !== undefined || server.isReplayed) return '';
    await process.step(300);
  }
  throw new Failed(1, 'readers still keep it from replaying');
}

async function promote(
  process: Process,
  [seconds = '15', timeline = '0', ...slots]: readonly string[],
): Promise<string> {
  const before = process.link('serves') ?? '';
  if (before !== 'lead') await process.mark('serves', 'promoting');
  try {
    await process.guard();
    const [, , number = ''] = process.read('role').split(' ');
    if (process.newest?.leader !== Number(number)) throw new Failed(75, 'the record names another leader: refusing');
  } catch (error) {
    if (error instanceof Failed) await process.mark('serves', before);
    throw error;
  }
  await process.mark('reign', process.read('reign'));
  await process.mark('config', process.revision);
  const end = process.now + Number(seconds) * 1000;
  let answered = process.now;
  while (process.server?.isUp !== true || process.server.isHung) {
    if (process.server?.isHung !== true) answered = process.now;
    if (process.now >= end || process.now - answered >= 5000) throw new Failed(1, 'its server does not answer');
    await process.step(50);
  }
  const server = await process.connect('superuser', 5000);
  server.database.conninfo = undefined;
  await process.step();
  server.load();
  if (server.database.isStandby) server.requestPromotion(Number(timeline));
  while (server.database.isStandby || server.isHung) {
    assertAlive(server);
    if (process.now > end + 1000) throw new Failed(137, 'it was not promoted in time');
    await process.step(5);
  }
  await process.step(30);
  assertAlive(server);
  server.write('other', 64);
  for (const slot of slots) server.database.slots.add(slot);
  await writeMark(process, server);
  await process.mark('serves', 'lead');
  await process.unmark('detached');
  await process.mark('loaded', process.revision);
  return '';
}

/** As src/postgres/reigns.ts has it: where the mark ends is known only after a first commit. */
async function writeMark(process: Process, server: Server): Promise<void> {
  const own = process.servers.random().toString(16).slice(2, 10);
  const older = server.database.reigns.split(' ').slice(0, 15);
  const text = (mark: string): string => [mark, ...older].join(' ').trim();
  server.write('other', 100, 0, text(own));
  const { lsn } = server.database;
  await process.step();
  assertAlive(server);
  server.write('other', 100, 0, text(`${own}@${String(lsn)}`));
}

/** Succeeds where a server has nothing more to do for its shutdown, and does not end. */
async function shutdown(process: Process, [seconds = '60']: readonly string[]): Promise<string> {
  const { server } = process;
  const end = process.now + Number(seconds) * 1000;
  while (server?.isShut !== true) {
    if (process.now >= end) throw new Failed(1, 'it is not shut down');
    await process.step(100);
  }
  const sent = (): string => JSON.stringify([...server.senders].map(([name, { flushed }]) => [name, flushed]));
  let [last, still] = ['', 0];
  while (still < 20) {
    await process.step(100);
    still = sent() === last ? still + 1 : 0;
    last = sent();
  }
  return '';
}

async function resume(process: Process): Promise<string> {
  const server = await process.connect();
  server.endReceiver();
  server.connect();
  await process.step(20);
  return '';
}

// What its connections notice.
function assertAlive(server: Server): void {
  if (!server.isAlive) throw new Failed(2, 'the server ended');
}
