/** Prints a line of figures, from milliseconds. */
export function report(what: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const show = (value: number | undefined): string => `${((value ?? 0) / 1000).toFixed(3)} s`;
  console.log(
    `  ${what.padEnd(44)} p50 ${show(median(milliseconds))}  min ${show(sorted[0])}  max ${show(sorted.at(-1))}`,
  );
}

/** The same for what happens seldom: how it mostly is, and how bad it can get. */
export function reportTail(what: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const show = (name: string, value: number | undefined): string => `${name} ${((value ?? NaN) / 1000).toFixed(3)} s`;
  const shares = [50, 90, 99].map((percent) => show(`p${String(percent)}`, percentile(sorted, percent)));
  console.log(`  ${what.padEnd(58)} ${[...shares, show('max', sorted.at(-1))].join('  ')}  n ${sorted.length}`);
}

/** The least of the values (ascending) that so many percent of them do not exceed. */
function percentile(sorted: readonly number[], percent: number): number | undefined {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
