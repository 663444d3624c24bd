import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import type { Fault } from './fault-sequence.ts';
import { dieLater, harm, orUndo, type Injected } from './injected.ts';
import type { TestNode } from './nodes.ts';
import { openSession, type Session } from './session.ts';
import { connections } from './stage-topology.ts';
import type { Stage } from './stage.ts';

type Connections = Extract<Fault, { kind: 'connections' }>;

const client = 'chaos_client';

/** Clients of a node: more than it has connections for, so that there are always some who wait for one. */
const clientsPerNode = connections.most - connections.reserved + 8;

/** Milliseconds: how long a client waits for an answer before it leaves its connection alone, and until it comes again. */
const answerMs = 3000;
const againMs = 400;

/** Milliseconds between two writes of a client. */
const paceMs = 1500;

/** Has clients take all connections of all nodes, for a while. They are no superusers, so that pgherd has some left. */
export async function useUpConnections(fault: Connections, stage: Stage, leader: string): Promise<Injected> {
  await psql(leader, `${newClient(stage.password)}; CREATE TABLE IF NOT EXISTS crowded (at timestamptz)`);
  await psql(leader, `GRANT INSERT ON crowded TO ${client}`);
  const over = new AbortController();
  // As many as there are clients wait for it.
  setMaxListeners(0, over.signal);
  const crowds = stage.nodes.map((node) => new Crowd(node, stage.password, over.signal));
  const release = (): Promise<void> => {
    over.abort();
    return Promise.resolve();
  };
  return orUndo(async () => {
    await until(
      'all connections are taken',
      () => crowds.map(({ refused }) => refused),
      (counts) => counts.every((count) => count > 0),
      60_000,
    );
    const ends = delay(fault.ms).then(release);
    const finish = (): Promise<string> =>
      ends.then(() => `${crowds.reduce((sum, { writes }) => sum + writes, 0)} taken`);
    return harm(() => dieLater(fault.death, leader), { finish, release });
  }, release);
}

function newClient(password: string): string {
  return `DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${client}') THEN
      CREATE ROLE ${client} LOGIN PASSWORD '${password}';
    END IF;
  END $$`;
}

/** The clients of one node. */
class Crowd {
  /** Times that there was no connection left. */
  refused = 0;
  /** Rows that were inserted. */
  writes = 0;
  readonly #signal: AbortSignal;
  readonly #open: () => Promise<Session>;

  constructor({ address }: TestNode, password: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#open = () => openSession({ host: address, port: 5432, user: client, password }, answerMs);
    for (let index = 0; index < clientsPerNode; index += 1) void this.#come(index * 20);
  }

  async #come(firstMs: number): Promise<void> {
    await this.#wait(firstMs);
    while (!this.#signal.aborted) {
      await this.#use().catch((error: unknown) => {
        // too_many_connections, also where those that are left are reserved
        if (error instanceof Error && 'code' in error && error.code === '53300') this.refused += 1;
      });
      await this.#wait(againMs);
    }
  }

  /** Writes now and then, where that can be done, and leaves without a word when there is no answer. */
  async #use(): Promise<void> {
    const session = await this.#open();
    const leave = (): void => session.close();
    this.#signal.addEventListener('abort', leave);
    while (session.isOpen() && !this.#signal.aborted) {
      const answer = await session.query('INSERT INTO crowded VALUES (now())', [], answerMs);
      if (answer.is === 'done') this.writes += 1;
      await this.#wait(paceMs);
    }
    this.#signal.removeEventListener('abort', leave);
  }

  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#signal }).catch(() => undefined);
  }
}
