const bytes: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const seconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** Bytes of `512MB`, `1g`, `64 MiB` (all powers of 1024, as Docker and PostgreSQL read them) or of a number. */
export function parseSize(size: number | string): number {
  if (typeof size === 'number') return size;
  const match = /^([0-9.]+) ?([a-z]?)/i.exec(size);
  return Math.round(Number(match?.[1]) * (bytes[(match?.[2] ?? '').toLowerCase()] ?? 1));
}

/** Seconds of `500ms`, `5s`, `1m30s`, `1h` or of a number. */
export function parseDuration(duration: number | string): number {
  if (typeof duration === 'number') return duration;
  if (/^[0-9.]+$/.test(duration)) return Number(duration);
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    // in thousandths, so that 500ms is 0.5 and not a sum of rounding errors
    total += Math.round(Number(amount) * (seconds[unit ?? ''] ?? 1) * 1000);
  }
  return total / 1000;
}
