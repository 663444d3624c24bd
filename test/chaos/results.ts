import type { Verdict } from './verdict.ts';

/** What one fault came to. */
export type RoundResult = {
  readonly kind: string;
  /** From the fault to the next acknowledged write through the balancer, milliseconds. */
  readonly writeMs: number;
  /** From the fault to all being well again by the daemon's word; undefined: it never said otherwise. */
  readonly readyMs: number | undefined;
  /** Whether another server led afterwards. */
  readonly moved: boolean;
  readonly lost: number;
  readonly doubles: number;
};

/** The value that a share of all (0 to 1) does not exceed; undefined of none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** A table with a line for each kind of fault, and one for all. */
export function formatResults(results: readonly RoundResult[]): string {
  const kinds = [...new Set(results.map(({ kind }) => kind))].toSorted();
  const rows = [
    ...kinds.map((kind) =>
      row(
        kind,
        results.filter((each) => each.kind === kind),
      ),
    ),
    row('all', results),
  ];
  return [headings, ...rows].map(formatRow).join('');
}

const headings = [
  'seconds to',
  'count',
  'moved',
  'write p50',
  'p99',
  'max',
  'ready p50',
  'p99',
  'max',
  'lost',
  'doubles',
] as const;

function row(kind: string, results: readonly RoundResult[]): readonly string[] {
  const writes = results.map(({ writeMs }) => writeMs);
  const readies = results.flatMap(({ readyMs }) => (readyMs === undefined ? [] : [readyMs]));
  const sum = (count: (each: RoundResult) => number): string =>
    String(results.reduce((total, each) => total + count(each), 0));
  return [
    kind,
    String(results.length),
    sum(({ moved }) => Number(moved)),
    ...figures(writes),
    ...figures(readies),
    sum(({ lost }) => lost),
    sum(({ doubles }) => doubles),
  ];
}

function figures(values: readonly number[]): readonly string[] {
  return [0.5, 0.99, 1].map((share) => formatSeconds(percentile(values, share)));
}

export function formatSeconds(ms: number | undefined): string {
  return ms === undefined ? '-' : (ms / 1000).toFixed(2);
}

function formatRow(cells: readonly string[]): string {
  return `${cells.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(9))).join(' ')}\n`;
}

/** The whole run in a few lines. */
export function formatVerdict(verdict: Verdict): string {
  const { attempts, acknowledged, failed, unknown, lost, risen, probes, doubles, longestGapMs } = verdict;
  return [
    `${attempts} writes: ${acknowledged} acknowledged, ${failed} failed, ${unknown} unknown`,
    `${lost.length} acknowledged and lost, ${risen.length} failed and there all the same`,
    `${probes} probes that were accepted, ${doubles.length} pairs of writable primaries`,
    `longest time without an acknowledged write through the balancer: ${formatSeconds(longestGapMs)} s`,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

export type RunOutcome = {
  readonly mode: 'quorum' | 'async';
  /** Why it ended early, if it did. */
  readonly failure: string | undefined;
  /** Undefined where nobody led at the end. */
  readonly verdict: Verdict | undefined;
};

/** Why a run has failed; nothing if it has not. */
export function findComplaints({ mode, failure, verdict }: RunOutcome): readonly string[] {
  const early = failure === undefined ? [] : ['it did not come back from a fault, see above'];
  if (verdict === undefined) return [...early, 'nobody knows what is lost: no server led at the end'];
  const { acknowledged, lost, risen, doubles } = verdict;
  return [
    ...early,
    ...(acknowledged === 0 ? ['nothing was written'] : []),
    ...(lost.length > 0 && mode === 'quorum' ? [`${lost.length} acknowledged writes are lost`] : []),
    ...(doubles.length > 0 ? ['two primaries were writable side by side'] : []),
    ...(risen.length > 0 ? ['writes that had failed are there: the checker is wrong'] : []),
  ];
}
