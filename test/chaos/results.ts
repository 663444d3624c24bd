import type { Verdict } from './verdict.ts';

/** What one fault came to. */
export type RoundResult = {
  readonly kind: string;
  /** From the fault to the next acknowledged write through the balancer, milliseconds. */
  readonly writeMs: number;
  /** From the fault to all being well again by the daemon's word; undefined: it never said otherwise. */
  readonly readyMs: number | undefined;
  /** The longest time without an acknowledgement through the balancer, from the rest before the fault to its end. */
  readonly gapMs: number;
  /** Whether another server led afterwards. */
  readonly moved: boolean;
  /** Writes that were acknowledged. */
  readonly writes: number;
  readonly lost: number;
  /** Those of the lost that must not be lost in this mode. */
  readonly inexcusable: number;
  readonly doubles: number;
};

/** The value that a share of all (0 to 1) does not exceed; undefined of none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** A table in Markdown with a line for each kind of fault, and one for all; times in seconds. */
export function formatResults(results: readonly RoundResult[]): string {
  const kinds = [...new Set(results.map(({ kind }) => kind))].toSorted();
  const rows = kinds.map((kind) =>
    formatRow(
      kind,
      results.filter((each) => each.kind === kind),
    ),
  );
  return formatTable([headings, ...rows, formatRow('all', results)]);
}

const headings = [
  'fault',
  'count',
  'another led',
  'writes',
  'lost',
  'doubles',
  'write p50',
  'write max',
  'ready max',
  'longest gap',
] as const;

function formatRow(kind: string, results: readonly RoundResult[]): readonly string[] {
  const times = (time: (each: RoundResult) => number | undefined): readonly number[] =>
    results.map(time).filter((ms) => ms !== undefined);
  const sum = (count: (each: RoundResult) => number): string =>
    String(results.reduce((total, each) => total + count(each), 0));
  return [
    kind,
    String(results.length),
    sum(({ moved }) => Number(moved)),
    sum(({ writes }) => writes),
    sum(({ lost }) => lost),
    sum(({ doubles }) => doubles),
    formatSeconds(
      percentile(
        times(({ writeMs }) => writeMs),
        0.5,
      ),
    ),
    formatSeconds(
      percentile(
        times(({ writeMs }) => writeMs),
        1,
      ),
    ),
    formatSeconds(
      percentile(
        times(({ readyMs }) => readyMs),
        1,
      ),
    ),
    formatSeconds(
      percentile(
        times(({ gapMs }) => gapMs),
        1,
      ),
    ),
  ];
}

/** As prettier would have it, so that it can go into a file as it is. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('');
}

export function formatSeconds(ms: number | undefined): string {
  return ms === undefined ? '-' : (ms / 1000).toFixed(2);
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
  /** Why rounds ended early, where they did. */
  readonly failures: readonly string[];
  readonly results: readonly RoundResult[];
  /** Lost after their own round had found them there. */
  readonly lostLater: number;
  /** Undefined where nobody led at the end. */
  readonly verdict: Verdict | undefined;
};

/** Why a run has failed; nothing if it has not. */
export function findComplaints({ failures, results, lostLater, verdict }: RunOutcome): readonly string[] {
  const early = failures.map((failure) => `it did not come back from a fault: ${failure}`);
  if (verdict === undefined) return [...early, 'nobody knows what is lost: no server led at the end'];
  const { acknowledged, risen, doubles } = verdict;
  const inexcusable = results.reduce((sum, each) => sum + each.inexcusable, 0);
  return [
    ...early,
    ...(acknowledged === 0 ? ['nothing was written'] : []),
    ...(inexcusable > 0 ? [`${inexcusable} acknowledged writes are lost that must not be`] : []),
    ...(lostLater > 0 ? [`${lostLater} acknowledged writes were lost later than in their own round`] : []),
    ...(doubles.length > 0 ? ['two primaries were writable side by side'] : []),
    ...(risen.length > 0 ? ['writes that had failed are there: the checker is wrong'] : []),
  ];
}
