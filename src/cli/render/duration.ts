/** Milliseconds as a person reads them. */
export function formatDuration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** How long something has lasted, in milliseconds, by its largest unit or two: `42s`, `5m`, `3h12m`, `2d4h`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (days > 0) return `${String(days)}d${partOf(hours % 24, 'h')}`;
  if (hours > 0) return `${String(hours)}h${partOf(minutes % 60, 'm')}`;
  return minutes > 0 ? `${String(minutes)}m` : `${String(seconds)}s`;
}

function partOf(number: number, unit: string): string {
  return number === 0 ? '' : `${String(number)}${unit}`;
}
