import type { Engine } from '../docker/engine.ts';
import type { Container } from '../docker/types.ts';
import { PgherdError } from '../base/error.ts';
import type { Topology } from '../topology/model.ts';
import { parseRecord, recordsFolder } from '../postgres/record.ts';
import { formatRecordName } from '../postgres/layout.ts';
import { serverProgram } from '../postgres/scripts.ts';
import { findBusy, findLeading, viewGroup } from './group.ts';
import { earliest } from './plan.ts';
import { nodeKey, type ObservedNode, type Snapshot } from './snapshot.ts';

type Found = Pick<Snapshot, 'lost' | 'hung' | 'sinceChange' | 'settlesIn'> & {
  /** Milliseconds after which a leader is to be asked again that could not be asked, or has just been started. */
  readonly recheck: number | undefined;
  /** The same where one was asked that said nothing, and serves: it interrupts nothing. */
  readonly doubt: number | undefined;
};

/** Milliseconds that the second question may take; the server itself has 3 s. */
const askDeadline = 8000;

/** Milliseconds after which one is asked again that could not be asked. */
const askAgain = 1000;

/** Milliseconds after which one is asked again that takes connections and says nothing. */
const doubtAfter = 10_000;

/** Milliseconds after the return of an engine in which what it had running comes up again. */
const settleTime = 10_000;

/** Milliseconds without an answer after which a server hangs, where nobody has listened to it before. */
const hangsAfter = 3000;

/** Milliseconds of silence after which a replica is asked too: what reads from it by the balancer waits as long as it hangs. */
const replicaAskedAfter = 10_000;

/** The same of one that has said nothing since its start: it may be long before it takes a connection. */
const newcomerAskedAfter = 60_000;

/** Milliseconds after its start in which a server that does not answer is not taken to hang: it may not have come so far. */
const startTime = 10_000;

/** Of a replica: since when it says nothing, or has answered; whether a question is under way, and the last answer. */
type Silence = { since: number; isAsked?: boolean; answer?: LeaderState };

/** Remembers since when leaders have not served, and asks those a second time that do not speak, replicas after a while. */
export class LeaderWatch {
  readonly #now: () => number;
  /** By group. */
  readonly #lostAt = new Map<string, number>();
  /** When leaders changed last, epoch milliseconds, by group: as a record says that was read. */
  readonly #changes = new Map<string, { readonly record: string; readonly at: number | undefined }>();
  /** By container. */
  readonly #hangsSince = new Map<string, number>();
  /** The start of each container that was seen last, and when it was first seen: -Infinity if nobody saw the one before. */
  readonly #starts = new Map<string, { readonly startedAt: number; readonly seenAt: number }>();

  /** Since when leaders could not be asked, by container. */
  readonly #unaskedSince = new Map<string, number>();
  /** Those that have said something since they were started, by container and its start. */
  readonly #spoken = new Set<string>();
  /** The same of those that say nothing. */
  #silences: ReadonlyMap<string, Silence> = new Map();

  #settledAt = -Infinity;
  /** Groups whose leaders were seen to serve since the engine came back. */
  readonly #settled = new Set<string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The engine is back: who led before is given the time to come up. */
  settle(): void {
    this.#settledAt = this.#now() + settleTime;
    this.#settled.clear();
    this.#lostAt.clear();
    this.#hangsSince.clear();
  }

  /** Its leader was heard to serve: what was before is over, and another outage is one of its own. */
  noteServing(group: string): void {
    this.#lostAt.delete(group);
    this.#settled.add(group);
  }

  /** Looks after the leaders of all groups; without reports only those that the engine's health check does not pass are asked. */
  async find(engine: Engine, topology: Topology, snapshot: Snapshot, isListening: boolean): Promise<Found> {
    const states = await Promise.all(
      topology.groups.map(async (group) => {
        const view = viewGroup(group, snapshot);
        if (view.phase === 'lost')
          return { name: group.name, state: 'lost' as const, leader: undefined, source: view.source };
        const leading = findLeading(group, snapshot);
        // Where its container cannot be made, its time runs as that of one that has ended.
        if (view.phase === 'unread' && leading !== undefined && findBusy(snapshot, group.name, leading) === undefined)
          return { name: group.name, state: 'lost' as const, leader: undefined, source: undefined };
        if (view.phase !== 'led')
          return { name: group.name, state: 'unknown' as const, leader: undefined, source: undefined };
        const isDoubted = this.#lostAt.has(group.name);
        const found = await findState(engine, snapshot, view.leader, { isListening, isDoubted });
        const state = await this.#askOthers(engine, snapshot, view.leader, found);
        return { name: group.name, state, leader: view.leader, source: view.source };
      }),
    );
    const leaders = new Set(states.flatMap(({ leader }) => (leader === undefined ? [] : [leader.container.id])));
    const replicas = this.#findHungReplicas(engine, snapshot, leaders);
    const now = this.#now();
    const lost = new Map<string, number>();
    const hung = new Set(replicas.hung);
    const rechecks = states.some(({ state }) => state === 'unasked') ? [askAgain] : [];
    if (replicas.recheck !== undefined) rechecks.push(replicas.recheck);
    for (const { name, state, leader } of states) {
      if (state === 'serves') this.noteServing(name);
      else if (isKnown(state) && !this.#lostAt.has(name)) this.#lostAt.set(name, now);
      const at = this.#lostAt.get(name);
      // One that was lost and is not heard yet may be back.
      if (at !== undefined && isKnown(state)) lost.set(name, now - at);
      if (leader === undefined) continue;
      const { id, startedAt } = leader.container;
      const last = this.#starts.get(id);
      const start = last?.startedAt === startedAt ? last : { startedAt, seenAt: last === undefined ? -Infinity : now };
      this.#starts.set(id, start);
      const startsFor = start.seenAt + startTime - now;
      if (state !== 'hangs') this.#hangsSince.delete(id);
      else if (!this.#hangsSince.has(id))
        this.#hangsSince.set(id, isListening || snapshot.silent.has(id) ? -Infinity : now);
      // One that was just started does not answer yet; who listens has waited for it before it asks.
      if (now - (this.#hangsSince.get(id) ?? Infinity) < hangsAfter) continue;
      if (startsFor <= 0) hung.add(id);
      else rechecks.push(startsFor);
    }
    // One that takes connections and reports nothing may stop doing that unnoticed.
    const isDoubtful = states.some(
      ({ state, leader }) => state === 'serves' && snapshot.silent.has(leader.container.id),
    );
    const changes = await Promise.all(
      states.map(async ({ name, source }) => {
        // Who listens learns it in good time: where it counts, it is known.
        const at = isListening || lost.has(name) ? await this.#lastChange(engine, name, source) : undefined;
        return at === undefined ? [] : [[name, Date.now() - at] as const];
      }),
    );
    const settlesIn = new Map(
      [...lost.keys()]
        .filter((name) => !this.#settled.has(name))
        .map((name) => [name, Math.max(0, this.#settledAt - now)]),
    );
    return {
      lost,
      hung,
      sinceChange: new Map(changes.flat()),
      settlesIn,
      recheck: earliest(rechecks),
      doubt: earliest([isDoubtful ? doubtAfter : undefined, replicas.doubt]),
    };
  }

  /** In one that ends nothing can be run either, and it is soon seen to have ended: others are asked about it after a while. */
  async #askOthers(engine: Engine, snapshot: Snapshot, leader: ObservedNode, found: LeaderState): Promise<LeaderState> {
    const { id } = leader.container;
    const since = this.#unaskedSince.get(id) ?? this.#now();
    if (found === 'unasked') this.#unaskedSince.set(id, since);
    else this.#unaskedSince.delete(id);
    return found === 'unasked' && this.#now() - since >= hangsAfter ? askNeighbours(engine, snapshot, leader) : found;
  }

  /**
   * Those that have been silent for long, and gave no answer. The question is not waited for: leaders come first, and its
   * answer is found by a later look.
   */
  #findHungReplicas(
    engine: Engine,
    snapshot: Snapshot,
    leaders: ReadonlySet<string>,
  ): { readonly hung: readonly string[]; readonly recheck: number | undefined; readonly doubt: number | undefined } {
    const now = this.#now();
    const silences = new Map<string, Silence>();
    const hung: string[] = [];
    const rechecks: number[] = [];
    const doubts: number[] = [];
    for (const node of snapshot.nodes) {
      const { container, facts } = node;
      const key = `${container.id} ${String(container.startedAt)}`;
      if (snapshot.reports.has(container.id)) this.#spoken.add(key);
      const isReplica = !leaders.has(container.id) && facts.serves === 'follow' && facts.state.is === 'data';
      if (!isReplica || container.state !== 'running' || !snapshot.silent.has(container.id)) continue;
      const before = this.#silences.get(key);
      // A word that fell between two looks counts.
      const heardAt = snapshot.past.get(nodeKey(node))?.at ?? -Infinity;
      const silence = before !== undefined && heardAt <= before.since ? before : { since: now };
      silences.set(key, silence);
      if (silence.answer === 'hangs') {
        hung.push(container.id);
        continue;
      }
      const left = silence.since + (this.#spoken.has(key) ? replicaAskedAfter : newcomerAskedAfter) - now;
      if (left <= 0 && silence.isAsked !== true) this.#askLater(engine, snapshot, node, silence);
      // One that has answered before, as one that recovers does, is no reason to interrupt anything.
      (silence.answer === undefined ? rechecks : doubts).push(Math.max(left, askAgain));
    }
    this.#silences = silences;
    return { hung, recheck: earliest(rechecks), doubt: earliest(doubts) };
  }

  #askLater(engine: Engine, snapshot: Snapshot, node: ObservedNode, silence: Silence): void {
    silence.isAsked = true;
    const asked = ask(engine, node.container.id, '127.0.0.1').then(
      (own) => own ?? askNeighbours(engine, snapshot, node),
    );
    void asked.then((state) => {
      silence.isAsked = false;
      silence.answer = state;
      if (state !== 'hangs') silence.since = this.#now();
    });
  }

  async #lastChange(engine: Engine, group: string, source: ObservedNode | undefined): Promise<number | undefined> {
    const record = source?.facts.record;
    if (source === undefined || record === undefined) return undefined;
    const name = formatRecordName(record);
    const known = this.#changes.get(group);
    if (known?.record === name) return known.at;
    const files = await engine.readArchive(source.container.id, `${source.layout.home}/${recordsFolder}/${name}`);
    const [last] = parseRecord([...(files?.values() ?? [])][0] ?? '')?.changes ?? [];
    const at = last === undefined ? undefined : Date.parse(last.at);
    this.#changes.set(group, { record: name, at });
    return at;
  }
}

/** What is known of a leader, by its own word or the lack of it. */
export type LeaderState = 'serves' | 'lost' | 'hangs' | 'unknown' | 'unasked';

function isKnown(state: LeaderState): boolean {
  return state !== 'unknown' && state !== 'unasked';
}

async function findState(
  engine: Engine,
  snapshot: Snapshot,
  { container, facts }: ObservedNode,
  { isListening, isDoubted }: { readonly isListening: boolean; readonly isDoubted: boolean },
): Promise<LeaderState> {
  // One that begins has led nobody; a container made again, or a promotion that does not come to its end, have their time.
  if (facts.state.is !== 'data') return 'unknown';
  if (container.state !== 'running' || facts.serves === 'follow' || facts.serves === 'promoting') return 'lost';
  if (snapshot.reports.get(container.id)?.recovery === false) return 'serves';
  if (!snapshot.silent.has(container.id)) {
    if (isListening) return 'unknown';
    if (container.health.status === 'healthy') return 'serves';
    if (container.health.status === 'starting' && !isDoubted) return 'unknown';
  }
  return (await ask(engine, container.id, '127.0.0.1')) ?? 'unasked';
}

/** Where nothing can be run in it, as where no process can begin there any more, its neighbours tell whether it answers. */
async function askNeighbours(
  engine: Engine,
  snapshot: Snapshot,
  { container, group: of }: ObservedNode,
): Promise<LeaderState> {
  const neighbours = snapshot.nodes.flatMap(({ group, container: from }) => {
    const address = group === of ? findAddress(container, from) : undefined;
    return address === undefined ? [] : [{ id: from.id, address }];
  });
  const answers = await Promise.all(neighbours.map(({ id, address }) => ask(engine, id, address)));
  return (['serves', 'lost', 'hangs'] as const).find((state) => answers.includes(state)) ?? 'unasked';
}

/** Where a container is reached from another one that runs: on a network that both are in. */
function findAddress({ id, networks }: Container, from: Container): string | undefined {
  if (from.id === id || from.state !== 'running') return undefined;
  const shared = Object.keys(networks).filter((name) => from.networks[name] !== undefined);
  return shared.map((name) => networks[name]?.address).find((address) => address !== undefined);
}

// A new connection through TCP, where the heartbeat is an old one through the socket; undefined: it could not be asked.
async function ask(engine: Engine, container: string, host: string): Promise<LeaderState | undefined> {
  const command = serverProgram('pg_isready', '-q', '-h', host, '-t', '3');
  try {
    const { code } = await engine.exec(container, { command, deadline: askDeadline });
    // 1: it refuses for now, since it starts or stops; 2: no answer; others: it could not be asked.
    return ({ 0: 'serves', 1: 'lost', 2: 'hangs' } as const)[code];
  } catch (error) {
    // Whether it is the server or the engine that does not answer, nobody knows.
    if (error instanceof PgherdError) return undefined;
    throw error;
  }
}
