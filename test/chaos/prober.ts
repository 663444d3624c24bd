import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './classify.ts';
import { openSession, type Endpoint, type Session } from './session.ts';
import { openSocketSession, type SocketSession } from './socket-session.ts';
import type { AcceptedProbe, Way } from './verdict.ts';

export type ProberOptions = {
  readonly node: string;
  readonly container: string;
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal;
  readonly record: (probe: AcceptedProbe) => void;
};

/**
 * Waits for no replica, so that a primary whose commits are held still shows that it is one; and the server's log is kept
 * for what is out of the ordinary.
 */
const sessionOptions = '-c synchronous_commit=local -c log_min_messages=fatal';

/**
 * Commits a row and gives the timeline that it was written on, which is in the name of the WAL file: the control file
 * tells of a new timeline only after the first checkpoint on it.
 */
const probe = 'INSERT INTO probed VALUES (now()) RETURNING left(pg_walfile_name(pg_current_wal_lsn()), 8)';

/** A kept session waits for a frozen server, whose late answer is worth having; a new one soon gives up. */
const patienceMs = 20_000;
const limitMs = 3000;

const pacesMs: Readonly<Record<Way, number>> = { 'kept session': 100, 'new session': 500, socket: 100 };
const reopenMs = 500;

/** Tries to write to one node, in every way there is, until the signal. */
export async function runProber(options: ProberOptions): Promise<void> {
  await Promise.all([probeKeeping(options), probeAnew(options), probeSocket(options)]);
}

async function probeKeeping(options: ProberOptions): Promise<void> {
  const { endpoint, signal } = options;
  const way = 'kept session';
  let session: Session | undefined;
  while (!signal.aborted) {
    if (session?.isOpen() !== true) {
      session = await open(endpoint);
      if (session === undefined) await pause(reopenMs, signal);
      continue;
    }
    await probeBy(session, way, patienceMs, options);
    await pause(pacesMs[way], signal);
  }
  session?.close();
}

async function probeAnew(options: ProberOptions): Promise<void> {
  const { endpoint, signal } = options;
  const way = 'new session';
  while (!signal.aborted) {
    const session = await open(endpoint);
    if (session !== undefined) await probeBy(session, way, limitMs, options);
    session?.close();
    await pause(pacesMs[way], signal);
  }
}

async function probeBy(session: Session, way: Way, limit: number, options: ProberOptions): Promise<void> {
  const { node, signal, record } = options;
  const stop = (): void => session.close();
  signal.addEventListener('abort', stop);
  const begin = performance.now();
  const answer = await session.query(probe, [], limit);
  const end = performance.now();
  signal.removeEventListener('abort', stop);
  const timeline = readTimeline(answer);
  if (timeline !== undefined) record({ node, way, timeline, begin, end });
}

function open(endpoint: Endpoint): Promise<Session | undefined> {
  return openSession({ ...endpoint, options: sessionOptions }, limitMs).catch(() => undefined);
}

function readTimeline(answer: Answer): number | undefined {
  return answer.is === 'done' && answer.count === 1 ? parseTimeline(answer.rows[0]?.[0]) : undefined;
}

function parseTimeline(digits: unknown): number {
  if (typeof digits !== 'string' || !/^[0-9A-F]{8}$/.test(digits)) throw new Error(`no timeline: ${String(digits)}`);
  return Number.parseInt(digits, 16);
}

async function probeSocket({ node, container, signal, record }: ProberOptions): Promise<void> {
  const way = 'socket';
  let session: SocketSession | undefined;
  const stop = (): void => void session?.close();
  signal.addEventListener('abort', stop);
  while (!signal.aborted) {
    if (session?.isOpen() !== true) {
      if (session !== undefined) await pause(reopenMs, signal);
      session = await openSocketSession(container, sessionOptions);
    }
    const begin = performance.now();
    const rows = await session.ask(probe, patienceMs);
    const end = performance.now();
    if (rows !== undefined) record({ node, way, timeline: parseTimeline(rows[0]), begin, end });
    await pause(pacesMs[way], signal);
  }
  await session?.close();
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
