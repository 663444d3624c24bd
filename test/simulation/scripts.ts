import { Failed, type Process } from './process.ts';
import type { Server } from './servers.ts';

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
  health,
  promote,
  resume,
};

async function apply(process: Process): Promise<string> {
  await process.guard();
  const before = process.link('config');
  await process.mark('config', process.revision);
  const server = await process.connect();
  server.database.conninfo = undefined;
  await process.step();
  server.load();
  await process.step(50);
  if (!server.database.isStandby && server.isAlive) {
    server.write('other', 64);
    server.settleCommits();
  }
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
  const server = await process.connect('monitor', 4000);
  if (!server.database.isStandby) return 'leader';
  if (server.receiver === undefined) throw new Failed(1, 'waiting');
  return 'streaming';
}

async function awaitReady(process: Process, [seconds = '60']: readonly string[]): Promise<string> {
  const end = process.now + Number(seconds) * 1000;
  let alone: number | undefined;
  for (;;) {
    await process.step(200);
    const is = await health(process).catch((error: unknown) => {
      if (error instanceof Failed) return error;
      throw error;
    });
    if (typeof is === 'string') return is;
    alone = is.message === 'waiting' ? (alone ?? process.now) : undefined;
    if (process.now >= end || process.now - (alone ?? process.now) >= 20_000)
      throw new Failed(1, `not ready: ${is.message}`);
  }
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

async function caughtUp(process: Process, [seconds = '', ...names]: readonly string[]): Promise<string> {
  const server = await process.connect('monitor');
  const wanted = server.database.lsn;
  const until = process.now + Number(seconds) * 1000;
  for (;;) {
    assertAlive(server);
    const lacking = names.filter((name) => (server.senders.get(name)?.flushed ?? 0) < wanted);
    if (lacking.length === 0) return '';
    if (process.now > until) throw new Failed(3, `${lacking.join(', ')} has not come as far as ${String(wanted)}`);
    await process.step(20);
  }
}

async function detach(process: Process, [seconds = '30']: readonly string[]): Promise<string> {
  await process.guard();
  const end = process.now + Number(seconds) * 1000;
  for (;;) {
    try {
      const position = await readEnd(process);
      await process.mark('loaded', position);
      return position;
    } catch (error) {
      if (!(error instanceof Failed) || process.now >= end) throw error;
      await process.step(50);
    }
  }
}

async function readEnd(process: Process): Promise<string> {
  const server = await process.connect();
  if (!server.database.isStandby) throw new Failed(3, 'division by zero');
  server.database.conninfo = '';
  await process.step();
  server.load();
  const until = process.now + 25_000;
  while (server.receiver !== undefined || !server.seemsDone) {
    assertAlive(server);
    if (process.now > until) throw new Failed(3, 'it does not come to the end of what it has');
    await process.step(10);
  }
  const { timeline, replayedLsn, replayed, wal } = server.database;
  await process.step(20);
  const shut = wal[replayed - 1]?.is === 'shutdown' ? 'shut' : 'open';
  return `detached.${String(timeline)}.${String(replayedLsn)}.${shut}`;
}

async function promote(process: Process, slots: readonly string[]): Promise<string> {
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
  await process.mark('config', process.revision);
  while (process.server?.isUp !== true) await process.step(50);
  const server = await process.connect();
  server.database.conninfo = undefined;
  await process.step();
  server.load();
  const until = process.now + 60_000;
  while (server.database.isStandby && !server.isReplayed) {
    assertAlive(server);
    if (process.now > until) throw new Failed(3, 'it was not promoted within a minute');
    await process.step(5);
  }
  assertAlive(server);
  if (server.database.isStandby) server.promote();
  await process.step(30);
  assertAlive(server);
  server.write('other', 64);
  for (const slot of slots) server.database.slots.add(slot);
  await process.mark('serves', 'lead');
  await process.mark('loaded', process.revision);
  return '';
}

async function resume(process: Process): Promise<string> {
  const server = await process.connect('monitor');
  server.endReceiver();
  server.connect();
  await process.step(20);
  return '';
}

// What its connections notice.
function assertAlive(server: Server): void {
  if (!server.isAlive) throw new Failed(2, 'the server ended');
}
