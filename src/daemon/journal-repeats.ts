import type { JournalEntry } from './journal-entry.ts';

/** How long the same is not written again. */
const quietMilliseconds = 60_000;

/** Holds back what a cluster's last entry says already. */
export type Repeats = {
  /** The entry as it is to be written, undefined where it is held back. */
  readonly admit: (entry: JournalEntry) => JournalEntry | undefined;
  /** The cluster's last entry could not be written: the same one again is no repetition. */
  readonly forget: (cluster: string) => void;
  /** The last of what is held back, one a cluster. */
  readonly release: () => readonly JournalEntry[];
};

/** What a cluster's entries said since the last written one. */
type Row = {
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
  readonly held: number;
  readonly last: JournalEntry;
};

export function createRepeats(): Repeats {
  const rows = new Map<string, Row>();
  return {
    admit: (entry) => {
      const row = rows.get(entry.cluster);
      const at = Date.parse(entry.at);
      const key = keyOf(entry);
      if (row?.key === key && isWithin(at - row.writtenAt)) {
        rows.set(entry.cluster, { ...row, held: row.held + 1, last: entry });
        return undefined;
      }
      rows.set(entry.cluster, { key, writtenAt: at, held: 0, last: entry });
      return withRepeated(entry, row?.held ?? 0);
    },
    forget: (cluster) => void rows.delete(cluster),
    release: () => {
      const held = [...rows.values()].filter((row) => row.held > 0);
      rows.clear();
      return held.map((row) => withRepeated(row.last, row.held - 1));
    },
  };
}

// A clock that was set back must not hold entries back until it has caught up.
function isWithin(milliseconds: number): boolean {
  return milliseconds >= 0 && milliseconds < quietMilliseconds;
}

function withRepeated(entry: JournalEntry, repeated: number): JournalEntry {
  return repeated === 0 ? entry : { ...entry, repeated };
}

function keyOf({ type, resource, reason, message }: JournalEntry): string {
  return JSON.stringify([type, resource, reason, message]);
}
