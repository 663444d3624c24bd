import { setTimeout as delay } from 'node:timers/promises';
import { classify, type Answer } from './classify.ts';
import { openSession, type Endpoint, type Session } from './session.ts';
import type { Attempt, Path } from './verdict.ts';

export type WriterOptions = {
  /** From 1; goes into its values. */
  readonly id: number;
  readonly path: Path;
  /** Taken in turn after every failure. */
  readonly endpoints: readonly Endpoint[];
  /** How long to wait for a session, and for the end of a statement. */
  readonly connectMs: number;
  readonly answerMs: number;
  readonly paceMs: number;
  /** Whether it goes on with a session while that is good, or has a new one for each attempt. */
  readonly keepsSession: boolean;
  readonly signal: AbortSignal;
  readonly record: (attempt: Attempt) => void;
};

/** Values of one writer: a whole number that a double holds exactly, and another for each attempt. */
const valuesOfAWriter = 1e9;

/** The writer that a value is of. */
export function writerOf(value: number): number {
  return Math.floor(value / valuesOfAWriter);
}

/** Inserts one value after the other until the signal. */
export async function runWriter(options: WriterOptions): Promise<void> {
  const { id, path, endpoints, signal, record, paceMs, keepsSession } = options;
  let session: Session | undefined;
  let turn = id;
  const stop = (): void => session?.close();
  signal.addEventListener('abort', stop);
  for (let count = 1; !signal.aborted; count += 1) {
    const value = id * valuesOfAWriter + count;
    const begin = performance.now();
    let answer: Answer;
    const isNewSession = session?.isOpen() !== true;
    if (session !== undefined && !isNewSession) answer = await insert(session, value, options.answerMs);
    else {
      const opened = await open(endpoints[turn % endpoints.length], options.connectMs);
      session = 'close' in opened ? opened : undefined;
      answer = 'close' in opened ? await insert(opened, value, options.answerMs) : opened;
    }
    const outcome = classify(answer, path);
    record({ value, path, isNewSession, answer: answer.is, outcome, begin, end: performance.now() });
    if (!keepsSession || outcome !== 'acknowledged') session?.close();
    if (outcome !== 'acknowledged') turn += 1;
    await delay(paceMs, undefined, { signal }).catch(() => undefined);
  }
  session?.close();
}

function insert(session: Session, value: number, limitMs: number): Promise<Answer> {
  return session.query('INSERT INTO checked (value) VALUES ($1)', [value], limitMs);
}

async function open(endpoint: Endpoint | undefined, limitMs: number): Promise<Session | Answer> {
  if (endpoint === undefined) throw new Error('a writer has nowhere to write to');
  try {
    return await openSession(endpoint, limitMs);
  } catch (error) {
    return { is: 'unsent', message: String(error) };
  }
}
