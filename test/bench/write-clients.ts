import { setMaxListeners } from 'node:events';
import type { Attempt } from '../chaos/verdict.ts';
import { runWriter, writerOf } from '../chaos/writer.ts';
import { until } from '../e2e/support/until.ts';

/** Clients that hurry; each goes on with its session while that is good. */
const hurried = 8;

/**
 * How long a hurried client waits for a session, from the first byte to the first 'ready for query': the balancer itself
 * accepts at once, and it is its own connect to the server that hangs. A pool with a short connect timeout does so. Each
 * has its own limit, from 200 to 340 ms: all are cut off at the same instant, and with one limit for all they would go
 * on in step, and the figure would tell where the writes come back between two of their steps.
 */
const connectMs = (id: number): number => 180 + 20 * id;

/** As long as a frozen server, or commits that wait for replicas, may take. */
const answerMs = 10_000;

/** As long as it takes: a client without any limit, such as psql. */
const patientMs = 60_000;

/** Milliseconds between two attempts of a client: eight of them write about 500 rows a second, every 2 ms. */
const paceMs = 10;

const patientId = hurried + 1;

/** Clients that insert through a balancer, one row after the other. */
export class WriteClients {
  readonly #attempts: Attempt[] = [];
  readonly #over = new AbortController();
  readonly #ended: Promise<unknown>;

  private constructor(endpoint: { readonly host: string; readonly port: number; readonly password: string }) {
    setMaxListeners(0, this.#over.signal);
    const ids = Array.from({ length: patientId }, (_, index) => index + 1);
    this.#ended = Promise.all(
      ids.map((id) =>
        runWriter({
          id,
          path: 'balancer',
          endpoints: [endpoint],
          connectMs: id === patientId ? patientMs : connectMs(id),
          answerMs: id === patientId ? patientMs : answerMs,
          paceMs,
          keepsSession: true,
          signal: this.#over.signal,
          record: (attempt) => this.#attempts.push(attempt),
        }),
      ),
    );
  }

  /** Done when every one of them has written. The table `checked` is there already. */
  static async start(port: number, password: string): Promise<WriteClients> {
    const clients = new WriteClients({ host: '127.0.0.1', port, password });
    await clients.allSince(performance.now());
    return clients;
  }

  /** When each of the hurried clients was acknowledged something for the first time since, ascending; waits for it. */
  async allSince(since: number): Promise<readonly number[]> {
    const ids = Array.from({ length: hurried }, (_, index) => index + 1);
    const firsts = await Promise.all(ids.map((id) => this.#firstOf(id, since)));
    return firsts.toSorted((a, b) => a - b);
  }

  /** When the client that waits as long as it takes was acknowledged something for the first time since. */
  patientSince(since: number): Promise<number> {
    return this.#firstOf(patientId, since);
  }

  /** When the hurried clients were acknowledged something, in any order. */
  acknowledged(): readonly number[] {
    return this.#of((id) => id !== patientId);
  }

  acknowledgedToPatient(): readonly number[] {
    return this.#of((id) => id === patientId);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#ended;
  }

  #of(holds: (id: number) => boolean): readonly number[] {
    return this.#attempts
      .filter(({ value, outcome }) => outcome === 'acknowledged' && holds(writerOf(value)))
      .map(({ end }) => end);
  }

  async #firstOf(id: number, since: number): Promise<number> {
    const first = await until(
      `client ${id} writes`,
      () =>
        this.#attempts.find(
          ({ value, outcome, end }) => end > since && outcome === 'acknowledged' && writerOf(value) === id,
        ),
      (found) => found !== undefined,
      patientMs,
    );
    return first?.end ?? NaN;
  }
}
