import { canonicalJson } from '../base/canonical.ts';
import type { LoadResult } from '../topology/load.ts';
import { isSameContent, removesSomething, type Sources } from './topology-state.ts';

/** Milliseconds that a change has to stand still: usually, and where it may be half of a file. */
export type SettleTimes = { readonly short: number; readonly long: number };

/** One load of everything, and what happened around it. Times in milliseconds. */
export type Reading = {
  readonly loaded: LoadResult;
  readonly began: number;
  readonly ended: number;
  /** How many events had come in when it began, and when it ended. */
  readonly eventsBefore: number;
  readonly eventsAfter: number;
};

/** What is kept from reading to reading. */
export type Settling = {
  /** The content that was taken in last; undefined before the first. */
  readonly taken: string | undefined;
  /** Other content, read for the first time at `since`, when `events` had come in. */
  readonly waiting: { readonly content: string; readonly since: number; readonly events: number } | undefined;
  /** Clusters and files that were broken, empty or missing in any reading since something was taken in. */
  readonly doubted: ReadonlySet<string>;
};

export type Verdict =
  /** Nothing is new. */
  | { readonly type: 'known' }
  /** What was read stood still for long enough. */
  | { readonly type: 'take' }
  /** To be read again after so many milliseconds. */
  | { readonly type: 'wait'; readonly milliseconds: number };

export const unsettled: Settling = { taken: undefined, waiting: undefined, doubted: new Set() };

/** Adds to the doubts what is wrong in a reading. */
export function addDoubts(settling: Settling, sources: Sources, loaded: LoadResult): Settling {
  return { ...settling, doubted: new Set([...settling.doubted, ...findDoubted(sources, loaded)]) };
}

/** How long what was read has to stand still. */
export function findSettleTime(
  { doubted }: Pick<Settling, 'doubted'>,
  sources: Sources,
  loaded: LoadResult,
  times: SettleTimes,
): number {
  const mayBeHalf = loaded.topologies.some((topology) => {
    const before = sources.get(topology.cluster)?.topology;
    if (before !== undefined && isSameContent(before, topology)) return false;
    if (doubted.has(nameCluster(topology.cluster)) || doubted.has(nameFile(topology.file))) return true;
    return removesSomething(before, topology);
  });
  return mayBeHalf ? times.long : times.short;
}

/** Whether to take in what was read, given how long it has to stand still. */
export function weigh(
  settling: Settling,
  reading: Reading,
  settleTime: number,
): { readonly settling: Settling; readonly verdict: Verdict } {
  const content = describeContent(reading.loaded);
  if (content === settling.taken) {
    return { settling: { ...settling, waiting: undefined }, verdict: { type: 'known' } };
  }
  const { waiting } = settling;
  const isStill = waiting?.content === content && waiting.events === reading.eventsAfter;
  const since = isStill ? waiting.since : reading.ended;
  if (settleTime <= 0 || (isStill && reading.began - since >= settleTime)) {
    return { settling: { ...settling, taken: content, waiting: undefined }, verdict: { type: 'take' } };
  }
  return {
    settling: { ...settling, waiting: { content, since, events: reading.eventsBefore } },
    verdict: { type: 'wait', milliseconds: Math.max(1, Math.ceil(since + settleTime - reading.ended)) },
  };
}

/** Drops the doubts that a reading which is now known, or taken in, has cleared. */
export function clearDoubts(settling: Settling, sources: Sources, loaded: LoadResult): Settling {
  return { ...settling, doubted: findDoubted(sources, loaded) };
}

function findDoubted(sources: Sources, { topologies, diagnostics }: LoadResult): ReadonlySet<string> {
  const good = new Set(topologies.map(({ cluster }) => cluster));
  const lost = [...sources.keys()].filter((cluster) => !good.has(cluster));
  const broken = diagnostics.filter(({ severity }) => severity === 'error');
  return new Set([...lost.map(nameCluster), ...broken.map(({ file }) => nameFile(file))]);
}

function nameCluster(cluster: string): string {
  return `cluster ${cluster}`;
}

function nameFile(file: string): string {
  return `file ${file}`;
}

function describeContent({ topologies, diagnostics, contested }: LoadResult): string {
  return canonicalJson({ topologies, diagnostics, contested });
}
