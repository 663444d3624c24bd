import { setMaxListeners } from 'node:events';
import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import { findLeaders, type TestNode } from './nodes.ts';
import { runProber } from './prober.ts';
import {
  findDoubles,
  findLost,
  judge,
  type AcceptedProbe,
  type Attempt,
  type Double,
  type Evidence,
  type Verdict,
} from './verdict.ts';
import { runWriter, writerOf } from './writer.ts';

export type CheckerOptions = {
  readonly nodes: readonly TestNode[];
  /** The balancer's port on 127.0.0.1. */
  readonly port: number;
  /** The superuser's. */
  readonly password: string;
  /** Writers through the balancer; 4 unless given. */
  readonly writers?: number;
  /** Writers at the nodes' own addresses; 2 unless given. */
  readonly directWriters?: number;
  /** Between two attempts of a writer; 40 unless given. */
  readonly paceMs?: number;
};

/** Each writer gives up after another time, so that not all of them hang on the same server at once. */
const limitsMs = [1000, 1500, 2000, 3000];

/** So that the server's log is kept for what is out of the ordinary: to be refused by replicas is not. */
const quiet = '-c log_min_messages=fatal';

/** Of four writers one opens a session for each of its writes, as many a client does. */
const keepers = [true, true, true, false];

/** As long as a frozen server may take: an acknowledgement that comes late is one too. */
const patientMs = 20_000;

/**
 * Writes to a cluster in many ways at once, for as long as it runs, and says afterwards what the cluster has lost and
 * whether two of its servers were ever writable side by side.
 */
export class Checker {
  readonly #nodes: readonly TestNode[];
  readonly #attempts: Attempt[] = [];
  readonly #probes: AcceptedProbe[] = [];
  readonly #over = new AbortController();
  readonly #began = performance.now();
  readonly #ended: Promise<unknown>;
  #looked = 0;

  private constructor(options: CheckerOptions) {
    this.#nodes = options.nodes;
    // Every writer and prober waits for its end.
    setMaxListeners(0, this.#over.signal);
    this.#ended = Promise.all([...this.#startWriters(options), ...this.#startProbers(options)]);
    // A bug of theirs is told by whoever waits for their end.
    this.#ended.catch(() => undefined);
  }

  /** Makes its tables on the leader and starts; done when a write through the balancer was acknowledged. */
  static async start(options: CheckerOptions): Promise<Checker> {
    const [leader] = await findLeaders(options.nodes);
    if (leader === undefined) throw new Error('no server is a primary');
    const tables = 'CREATE TABLE checked (value bigint PRIMARY KEY); CREATE TABLE probed (at timestamptz)';
    await psql(leader.node.container, tables);
    const checker = new Checker(options);
    await checker.nextAcknowledged(checker.#began, 30_000).catch(async (error: unknown) => {
      await checker.stop();
      throw error;
    });
    return checker;
  }

  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  get probes(): readonly AcceptedProbe[] {
    return this.#probes;
  }

  /** What is known by now of servers that were writable side by side. */
  doubles(): readonly Double[] {
    return findDoubles(this.#probes);
  }

  /**
   * The first write through the balancer to be acknowledged that began after a time of the monotonic clock; `by` says
   * whether its session must be as new.
   */
  async nextAcknowledged(
    after: number,
    limitMs: number,
    by: 'any session' | 'a new session' = 'any session',
  ): Promise<Attempt> {
    const isIt = ({ path, outcome, begin, isNewSession }: Attempt): boolean =>
      path === 'balancer' && outcome === 'acknowledged' && begin > after && (by === 'any session' || isNewSession);
    // They stand in the order of their ends.
    let looked = this.#attempts.findLastIndex(({ end }) => end < after) + 1;
    const look = (): Attempt | undefined => {
      const recent = this.#attempts.slice(looked);
      looked += recent.length;
      return recent.find(isIt);
    };
    const isThere = (found: Attempt | undefined): boolean => found !== undefined;
    const found = await until(`a write through the balancer by ${by} is acknowledged`, look, isThere, limitMs);
    if (found === undefined) throw new Error('waited for nothing');
    return found;
  }

  /** Reads what the leader has of the attempts that ended since the last look, and gives those that it has lost. */
  async findNewlyLost(): Promise<readonly Attempt[]> {
    const recent = this.#attempts.slice(this.#looked);
    this.#looked = this.#attempts.length;
    const values = await readValues(this.#nodes, recent);
    return findLost(recent, values);
  }

  /** Ends all writers and probers. */
  async stop(): Promise<void> {
    this.#over.abort();
    await this.#ended;
  }

  /** Ends all writers and probers, and judges everything that happened, with what the leader has now. */
  async verdict(): Promise<Verdict> {
    await this.stop();
    const ran = { begin: this.#began, end: performance.now() };
    const values = await readValues(this.#nodes, this.#attempts);
    const evidence: Evidence = { ran, attempts: this.#attempts, probes: this.#probes, values };
    return judge(evidence);
  }

  #startWriters(options: CheckerOptions): readonly Promise<void>[] {
    const { nodes, port, password, writers = 4, directWriters = 2, paceMs = 40 } = options;
    const common = { paceMs, signal: this.#over.signal, record: (attempt: Attempt) => this.#attempts.push(attempt) };
    const balancer = { host: '127.0.0.1', port, password };
    const direct = nodes.map(({ address }) => ({ host: address, port: 5432, password, options: quiet }));
    return [
      ...Array.from({ length: writers }, (_, index) => {
        const limitMs = limitsMs[index % limitsMs.length] ?? 0;
        const limits = { connectMs: limitMs, answerMs: limitMs };
        const keepsSession = keepers[index % keepers.length] ?? true;
        const how = { ...common, ...limits, keepsSession };
        return runWriter({ ...how, id: index + 1, path: 'balancer', endpoints: [balancer] });
      }),
      ...Array.from({ length: directWriters }, (_, index) => {
        const limits = { connectMs: 1000, answerMs: index % 2 === 0 ? 2000 : patientMs };
        const how = { ...common, ...limits, keepsSession: true };
        return runWriter({ ...how, id: writers + index + 1, path: 'direct', endpoints: direct });
      }),
    ];
  }

  #startProbers({ nodes, password }: CheckerOptions): readonly Promise<void>[] {
    return nodes.map(({ name, container, address }) =>
      runProber({
        node: name,
        container,
        endpoint: { host: address, port: 5432, password },
        signal: this.#over.signal,
        record: (probe) => this.#probes.push(probe),
      }),
    );
  }
}

/** Which of the values attempted are there, at the leader: with two of them, that of the newer timeline. */
async function readValues(nodes: readonly TestNode[], attempts: readonly Attempt[]): Promise<ReadonlySet<number>> {
  if (attempts.length === 0) return new Set();
  const leaders = await until(
    'a server is a primary',
    () => findLeaders(nodes),
    ({ length }) => length > 0,
    60_000,
  );
  const container = leaders[0]?.node.container ?? '';
  const values = await psql(container, `SELECT value FROM checked WHERE ${ranges(attempts)}`, { timeoutMs: 120_000 });
  return new Set(values.split('\n').map(Number));
}

/** SQL for all values from the first to the last of each writer. */
function ranges(attempts: readonly Attempt[]): string {
  const ends = new Map<number, { first: number; last: number }>();
  for (const { value } of attempts) {
    const writer = writerOf(value);
    const { first, last } = ends.get(writer) ?? { first: value, last: value };
    ends.set(writer, { first: Math.min(first, value), last: Math.max(last, value) });
  }
  return [...ends.values()].map(({ first, last }) => `value BETWEEN ${first} AND ${last}`).join(' OR ');
}
