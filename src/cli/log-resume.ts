import type { LogLine } from '../docker/operator.ts';

/** Seconds before the newest line that are asked for again: two streams may be written a little out of order. */
const overlap = 1;

/** Where a log that is asked for again goes on. */
export type Resume = {
  /** As the engine takes it; undefined: no line has come. */
  readonly since: () => string | undefined;
  /** The log is asked for again, from `since` on. */
  readonly reopen: () => void;
  /** Whether a line is none of those that came before. */
  readonly isNew: (line: LogLine) => boolean;
};

/** Remembers the last second of a log, so that going on neither loses a line nor tells one twice. */
export function createResume(): Resume {
  let newest: string | undefined;
  let recent: { readonly at: string; readonly key: string }[] = [];
  let repeated = new Map<string, number>();
  const oldest = (): string => (newest === undefined ? '' : shift(newest));
  return {
    since: () => (newest === undefined ? undefined : toSeconds(shift(newest))),
    reopen: () => {
      repeated = new Map();
      const from = oldest();
      for (const { at, key } of recent) if (at >= from) repeated.set(key, (repeated.get(key) ?? 0) + 1);
    },
    isNew: (line) => {
      const key = `${line.at} ${line.stream} ${line.text}`;
      const left = repeated.get(key) ?? 0;
      if (left > 0) {
        repeated.set(key, left - 1);
        return false;
      }
      recent.push({ at: line.at, key });
      if (newest === undefined || line.at > newest) newest = line.at;
      if (recent.length % 1024 === 0) recent = recent.filter(({ at }) => at >= oldest());
      return true;
    },
  };
}

/** A moment as the engine writes it, so much earlier. */
function shift(at: string): string {
  const whole = new Date(Date.parse(`${at.slice(0, 19)}Z`) - overlap * 1000).toISOString().slice(0, 19);
  return `${whole}${at.slice(19)}`;
}

function toSeconds(at: string): string {
  return `${String(Date.parse(`${at.slice(0, 19)}Z`) / 1000)}${at.slice(19).replace('Z', '')}`;
}
