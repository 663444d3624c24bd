import type { Engine } from '../docker/engine.ts';
import type { Report } from '../postgres/report.ts';
import { newestRecord } from './group.ts';
import { nodeName } from './kinds/find-node.ts';
import { follows, isAdrift, listStreaming, type Heard, type Reports, type Streamed, type Voices } from './reports.ts';
import { nodeKey, type ObservedNode, type Snapshot } from './snapshot.ts';
import { listen } from './heartbeat.ts';

export type ListenersOptions = {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** A server said something, or does not speak any more. */
  readonly onHeard: (container: string) => void;
};

/** Milliseconds without progress after which a server counts as standing still. */
const stillAfter = 1000;

/** Milliseconds that one that was just joined may take to say something. */
const firstWordWithin = 3000;

/** Listens to the servers of a cluster, each as long as its container runs. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listening = new Map<string, { readonly node: ObservedNode; readonly controller: AbortController }>();
  readonly #reports = new Map<string, Heard>();
  /** By `nodeKey`. */
  readonly #past = new Map<string, Heard>();
  /** When a server's LSN became what it is. */
  readonly #stillSince = new Map<string, number>();
  /** By leader, over its silences. */
  readonly #streamed = new Map<string, Streamed>();
  /** Since when one that follows does not follow the leader that is heard. */
  readonly #driftsSince = new Map<string, number>();
  /** Those that were just joined and have said nothing yet, with the timers that end that. */
  readonly #awaited = new Map<string, NodeJS.Timeout>();

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** What the servers said last; none of those that are silent. */
  get reports(): Reports {
    return this.#reports;
  }

  get voices(): Voices {
    const silent = [...this.#listening.keys()].filter((id) => !this.#reports.has(id) && !this.#awaited.has(id));
    return {
      reports: new Map(this.#reports),
      silent: new Set(silent),
      past: new Map(this.#past),
      heardUntil: this.#options.now(),
    };
  }

  /** Whose silence means nothing yet. */
  isAwaited(container: string): boolean {
    return this.#awaited.has(container);
  }

  /** Listens to those that run, and to no others but those that are listened to and cannot be looked at. */
  follow(engine: Engine, { nodes, busy }: Pick<Snapshot, 'nodes' | 'busy'>): void {
    const wanted = new Map(nodes.filter(isWorthListening).map((node) => [node.container.id, node]));
    const isBusy = (id: string): boolean => busy.some((each) => each.id === id && each.state === 'running');
    for (const id of [...this.#listening.keys()]) if (!wanted.has(id) && !isBusy(id)) this.#leave(id);
    for (const [id, node] of wanted) {
      const before = this.#listening.get(id)?.node;
      const isNew = before !== undefined && !hasData(before) && hasData(node);
      // Whoever has waited for a copy to become whole asks ever more rarely.
      if (isNew && !this.#reports.has(id)) this.#leave(id);
      const joined = this.#listening.get(id);
      if (joined === undefined) this.#join(engine, id, node);
      else this.#listening.set(id, { ...joined, node });
    }
  }

  stop(): void {
    for (const id of [...this.#listening.keys()]) this.#leave(id);
  }

  #join(engine: Engine, id: string, node: ObservedNode): void {
    const controller = new AbortController();
    this.#listening.set(id, { node, controller });
    const isLate = setTimeout(() => {
      this.#awaited.delete(id);
      this.#options.onHeard(id);
    }, firstWordWithin);
    isLate.unref();
    this.#awaited.set(id, isLate);
    const options = {
      container: id,
      script: `${node.layout.home}/config/heartbeat`,
      onReport: (report: Report) => {
        if (!controller.signal.aborted) this.#hear(id, node, report);
      },
      onSilence: (isSilent: boolean) => {
        // The last word of one that was left comes late: it may have been joined again.
        if (controller.signal.aborted) return;
        if (isSilent) this.#reports.delete(id);
        this.#options.onHeard(id);
      },
    };
    void listen(engine, options, controller.signal);
  }

  #leave(id: string): void {
    this.#listening.get(id)?.controller.abort();
    this.#listening.delete(id);
    this.#awaitNoMore(id);
    this.#reports.delete(id);
    this.#stillSince.delete(id);
    this.#streamed.delete(id);
    this.#driftsSince.delete(id);
  }

  #awaitNoMore(id: string): void {
    clearTimeout(this.#awaited.get(id));
    this.#awaited.delete(id);
  }

  #hear(id: string, node: ObservedNode, report: Report): void {
    this.#awaitNoMore(id);
    const now = this.#options.now();
    if (this.#reports.get(id)?.lsn !== report.lsn) this.#stillSince.set(id, now);
    const isStill = now - (this.#stillSince.get(id) ?? now) >= stillAfter;
    const before = this.#reports.get(id);
    const heard: Heard = {
      ...report,
      at: now,
      isStill,
      streamed: this.#noteStreaming(id, report, now),
      driftsFor: this.#findDrift(id, node, report, now),
    };
    this.#reports.set(id, heard);
    this.#past.set(nodeKey(node), heard);
    if (before === undefined || isNews(before, heard)) this.#options.onHeard(id);
  }

  #findDrift(id: string, node: ObservedNode, report: Report, now: number): number | undefined {
    const peers = [...this.#listening.values()].map((each) => each.node).filter(({ group }) => group === node.group);
    const slot = newestRecord(peers)?.record.leader;
    const leader = this.#reports.get(peers.find((each) => each.slot === slot)?.container.id ?? '');
    const name = nodeName(node);
    if (!report.recovery || leader?.recovery !== false || follows(leader, report, name)) {
      this.#driftsSince.delete(id);
      return undefined;
    }
    const since = this.#driftsSince.get(id) ?? now;
    this.#driftsSince.set(id, since);
    return now - since;
  }

  #noteStreaming(id: string, { senders }: Report, now: number): Streamed {
    const { since, at } = this.#streamed.get(id) ?? { since: now, at: new Map() };
    const streamed = { since, at: new Map([...at, ...listStreaming(senders).map((name) => [name, now] as const)]) };
    this.#streamed.set(id, streamed);
    return streamed;
  }
}

// Of a server that is well, how far it has come is no news; of one that does not stream it may be.
function isNews(before: Heard, report: Heard): boolean {
  if (report.recovery && report.receiver !== 'streaming') return true;
  if (isAdrift(before) !== isAdrift(report)) return true;
  const essence = ({ recovery, timeline, receiver, slots, oldest, senders, waitsFor, unsafe }: Report): string =>
    JSON.stringify([recovery, timeline, receiver, slots, oldest, listStreaming(senders), waitsFor, unsafe]);
  return essence(before) !== essence(report);
}

function hasData({ facts }: ObservedNode): boolean {
  return facts.state.is === 'data';
}

// A volume that holds no data yet has no server to speak of; one that is cloned or rewound has as soon as that is done, while
// everybody may be waiting for somebody else.
function isWorthListening({ container, facts }: ObservedNode): boolean {
  const { is } = facts.state;
  const hasServer = is === 'data' || is === 'cloning' || is === 'rewinding';
  return container.state === 'running' && hasServer && facts.config !== undefined;
}
