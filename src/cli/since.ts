/** What `--since` takes, for messages. */
export const sinceForms =
  'a time ago (90s, 10m, 2h, 3d) or a date and time (2026-11-23, 2026-11-23T13:45, 2026-11-23T12:45:02Z)';

const unitMilliseconds = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The moment that a text names; undefined where it names none. */
export function parseSince(text: string, now: Date): Date | undefined {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd') {
    return new Date(now.getTime() - Number(count) * unitMilliseconds[unit]);
  }
  const [, day, time, zone = ''] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  // Without a zone it is local time, as what is printed; JavaScript takes a date alone for UTC.
  const date = new Date(`${day}T${time ?? '00:00'}${zone}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
