import type { Answer } from './classify.ts';

/** How a writer reaches the servers. */
export type Path = 'balancer' | 'direct';

/** `failed`: it is certain that nothing was committed; `unknown`: nobody can tell. */
export type Outcome = 'acknowledged' | 'failed' | 'unknown';

/** From when to when, in milliseconds of the one monotonic clock of the test's process. */
export type Interval = { readonly begin: number; readonly end: number };

/** One try to insert a value, which is never tried again. */
export type Attempt = Interval & {
  readonly value: number;
  readonly path: Path;
  /** Whether a session was opened for it, in the time it took. */
  readonly isNewSession: boolean;
  /** What kind of answer there was. */
  readonly answer: Answer['is'];
  readonly outcome: Outcome;
};

/** How a prober reaches a node. */
export type Way = 'kept session' | 'new session' | 'socket';

/** A write that one node has committed: what it takes to be writable. */
export type AcceptedProbe = Interval & {
  readonly node: string;
  readonly way: Way;
  /** On which the node wrote it. */
  readonly timeline: number;
};

/** Two nodes of which both were writable. */
export type Double = {
  readonly kind: 'older-after-newer' | 'same-timeline';
  /** The node that ought to have been written to no more; of two on one timeline, the one that was there first. */
  readonly old: AcceptedProbe;
  readonly other: AcceptedProbe;
};

export type Verdict = {
  readonly attempts: number;
  readonly acknowledged: number;
  readonly failed: number;
  readonly unknown: number;
  /** Values that were acknowledged and are not there. */
  readonly lost: readonly Attempt[];
  /** Values of failed attempts that are there all the same: then it is the checker that is wrong. */
  readonly risen: readonly Attempt[];
  readonly probes: number;
  readonly doubles: readonly Double[];
  /** The longest time without an acknowledgement through the balancer. */
  readonly longestGapMs: number;
};

export type Evidence = {
  /** When the writers ran. */
  readonly ran: Interval;
  readonly attempts: readonly Attempt[];
  readonly probes: readonly AcceptedProbe[];
  /** All values that the leader has, read after the last attempt ended. */
  readonly values: ReadonlySet<number>;
};

/** What the evidence proves. */
export function judge({ ran, attempts, probes, values }: Evidence): Verdict {
  const count = (outcome: Outcome): number => attempts.filter((each) => each.outcome === outcome).length;
  return {
    attempts: attempts.length,
    acknowledged: count('acknowledged'),
    failed: count('failed'),
    unknown: count('unknown'),
    lost: findLost(attempts, values),
    risen: attempts.filter(({ outcome, value }) => outcome === 'failed' && values.has(value)),
    probes: probes.length,
    doubles: findDoubles(probes),
    longestGapMs: longestGap(acknowledgedThrough('balancer', attempts), ran),
  };
}

export function findLost(attempts: readonly Attempt[], values: ReadonlySet<number>): readonly Attempt[] {
  return attempts.filter(({ outcome, value }) => outcome === 'acknowledged' && !values.has(value));
}

/** What several clusters, one after the other, come to together. */
export function joinVerdicts(verdicts: readonly Verdict[]): Verdict {
  const sum = (count: (verdict: Verdict) => number): number => verdicts.reduce((total, each) => total + count(each), 0);
  return {
    attempts: sum(({ attempts }) => attempts),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    failed: sum(({ failed }) => failed),
    unknown: sum(({ unknown }) => unknown),
    lost: verdicts.flatMap(({ lost }) => lost),
    risen: verdicts.flatMap(({ risen }) => risen),
    probes: sum(({ probes }) => probes),
    doubles: verdicts.flatMap(({ doubles }) => doubles),
    longestGapMs: Math.max(0, ...verdicts.map(({ longestGapMs }) => longestGapMs)),
  };
}

/** When acknowledgements came, in any order. */
export function acknowledgedThrough(path: Path, attempts: readonly Attempt[]): readonly number[] {
  return attempts.filter((each) => each.path === path && each.outcome === 'acknowledged').map(({ end }) => end);
}

/** The longest time in which none of the moments lies. */
export function findLongestGap(moments: readonly number[], { begin, end }: Interval): Interval {
  let longest: Interval = { begin, end: begin };
  let last = begin;
  for (const moment of [...moments, end].sort((a, b) => a - b)) {
    if (moment - last > longest.end - longest.begin) longest = { begin: last, end: moment };
    last = moment;
  }
  return longest;
}

export function longestGap(moments: readonly number[], ran: Interval): number {
  const { begin, end } = findLongestGap(moments, ran);
  return end - begin;
}

/** The writes of one node on one timeline: only the first to end and the last to begin can matter. */
type Reign = {
  readonly node: string;
  readonly timeline: number;
  readonly firstEnded: AcceptedProbe;
  readonly lastBegun: AcceptedProbe;
};

/**
 * The pairs of nodes that were writable side by side, each once, with the writes that prove it best.
 *
 * A node's timeline grows only when it is promoted, so a write on an older timeline that began after one on a newer
 * timeline of another node had ended came to a leader that had been replaced by then. Leadership that goes from A to B
 * and back to A proves nothing: A's second time is on a newer timeline than B's. One timeline on two nodes is wrong
 * whenever it was: both were promoted from the same past, and neither rewind nor a follower can tell their WAL apart.
 */
export function findDoubles(probes: readonly AcceptedProbe[]): readonly Double[] {
  const reigns = findReigns(probes);
  return reigns.flatMap((old) =>
    reigns.flatMap((other) => {
      const double = compareReigns(old, other);
      return double === undefined ? [] : [double];
    }),
  );
}

function findReigns(probes: readonly AcceptedProbe[]): readonly Reign[] {
  const reigns = new Map<string, Reign>();
  for (const probe of probes) {
    const { node, timeline } = probe;
    const key = `${String(timeline)} ${node}`;
    const { firstEnded, lastBegun } = reigns.get(key) ?? { firstEnded: probe, lastBegun: probe };
    reigns.set(key, {
      node,
      timeline,
      firstEnded: probe.end < firstEnded.end ? probe : firstEnded,
      lastBegun: probe.begin > lastBegun.begin ? probe : lastBegun,
    });
  }
  return [...reigns.values()];
}

function compareReigns(old: Reign, other: Reign): Double | undefined {
  if (old.node === other.node) return undefined;
  if (old.timeline === other.timeline) {
    const isFirst = isBefore(old, other);
    return isFirst ? { kind: 'same-timeline', old: old.firstEnded, other: other.firstEnded } : undefined;
  }
  const isProven = old.timeline < other.timeline && old.lastBegun.begin > other.firstEnded.end;
  return isProven ? { kind: 'older-after-newer', old: old.lastBegun, other: other.firstEnded } : undefined;
}

/** An order of any two reigns, so that a pair is told once. */
function isBefore(one: Reign, other: Reign): boolean {
  const difference = one.firstEnded.end - other.firstEnded.end;
  return difference === 0 ? one.node < other.node : difference < 0;
}

/** A line for people. */
export function describeDouble({ kind, old, other }: Double): string {
  const [first, second] = [describeProbe(old), describeProbe(other)];
  return kind === 'same-timeline'
    ? `two leaders on one timeline: ${first}; ${second}`
    : `two writable primaries: ${first}, which began ${(old.begin - other.end).toFixed(1)} ms after ${second}`;
}

function describeProbe({ node, timeline, way, begin, end }: AcceptedProbe): string {
  return `${node} took a write on timeline ${timeline} (${way}, ${begin.toFixed(1)} to ${end.toFixed(1)} ms)`;
}

/** Names a double, so that one that is known already can be told from a new one. */
export function doubleKey({ kind, old, other }: Double): string {
  return [kind, old.node, old.timeline, other.node, other.timeline].join(' ');
}
