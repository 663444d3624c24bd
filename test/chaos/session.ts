import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import type { Answer } from './classify.ts';

export type Endpoint = {
  readonly host: string;
  readonly port: number;
  /** The superuser unless given. */
  readonly user?: string;
  readonly password: string;
  /** For the server's command line, e.g. `-c synchronous_commit=local`. */
  readonly options?: string;
};

/** One connection of a client. After an answer that is `cut` or `late` it is of no more use. */
export type Session = {
  readonly isOpen: () => boolean;
  /** Sends one statement; `limitMs` is how long to wait for its end. One at a time. */
  query(sql: string, values: readonly unknown[], limitMs: number): Promise<Answer>;
  /** At once, whatever is under way. */
  close(): void;
};

/** Opens a session, or throws. */
export async function openSession(endpoint: Endpoint, limitMs: number): Promise<Session> {
  // A socket of our own, as the client has no way to close one without the server's help.
  const socket = new Socket();
  const { options, ...server } = endpoint;
  const client = new Client({
    user: 'postgres',
    ...server,
    database: 'postgres',
    stream: () => socket,
    ...(options === undefined ? {} : { options }),
  });
  let isOpen = true;
  let warnings: string[] = [];
  const close = (): void => {
    isOpen = false;
    socket.destroy();
  };
  client.on('error', close).on('end', close);
  client.on('notice', ({ message }) => warnings.push(message ?? ''));

  const query = async (sql: string, values: readonly unknown[], ms: number): Promise<Answer> => {
    warnings = [];
    const answer = await inTime(ask(client, sql, values, warnings), ms);
    if (answer === undefined || answer.is === 'cut') close();
    return answer ?? { is: 'late' };
  };

  const connected = await inTime(
    client.connect().then(
      () => 'connected' as const,
      (error: unknown) => error,
    ),
    limitMs,
  );
  if (connected === 'connected') return { isOpen: () => isOpen, query, close };
  close();
  throw connected instanceof Error ? connected : new Error(`no session within ${limitMs} ms`);
}

/** Settles when the server is ready for more: that a statement is complete is said before it is committed. */
async function ask(
  client: Client,
  sql: string,
  values: readonly unknown[],
  warnings: readonly string[],
): Promise<Answer> {
  try {
    const { rows, rowCount } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' });
    return { is: 'done', count: rowCount ?? 0, rows, warnings };
  } catch (error) {
    if (!(error instanceof DatabaseError)) return { is: 'cut', message: String(error) };
    const { severity = '', code = '', message } = error;
    return { is: 'refused', severity, code, message, warnings };
  }
}

/** Undefined if it takes longer; what comes of it afterwards is nobody's business. */
async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
  const over = new AbortController();
  const timeout = delay(limitMs, undefined, { signal: over.signal });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    over.abort();
  }
}
