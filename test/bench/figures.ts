/** Prints a line of figures, from milliseconds. */
export function report(what: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const show = (value: number | undefined): string => `${((value ?? 0) / 1000).toFixed(3)} s`;
  console.log(
    `  ${what.padEnd(44)} p50 ${show(median(milliseconds))}  min ${show(sorted[0])}  max ${show(sorted.at(-1))}`,
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
