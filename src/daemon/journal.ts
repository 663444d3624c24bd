import { appendLine } from './journal-append.ts';
import { formatLine, type JournalEntry } from './journal-entry.ts';
import { createRepeats } from './journal-repeats.ts';

export { eventTypes, isEventType } from './journal-entry.ts';
export type { EventType, JournalEntry, JournalFilter } from './journal-entry.ts';
export { followJournal, readJournal } from './journal-read.ts';

/** An entry as it is handed in: when it happened and how often is for the journal to say. */
export type NewEntry = Omit<JournalEntry, 'at' | 'repeated'>;

/**
 * What was done to clusters, and why. Losing it harms nothing, and it stops nothing: neither call ever fails, and work
 * need not wait for them.
 */
export type Journal = {
  /** Writes an entry, after those of earlier calls; one that repeats the cluster's last is written once a minute. */
  readonly append: (entry: NewEntry) => Promise<void>;
  /** Writes what is held back, and ends when all is written. Later entries are dropped. */
  readonly close: () => Promise<void>;
};

export type JournalOptions = {
  readonly now: () => Date;
  /** Told of the first failure only; each next entry is tried all the same. */
  readonly onError: (error: unknown) => void;
  /** Of one file; 1 MiB. */
  readonly maxBytes?: number;
  /** How many files, the current one included; 3. */
  readonly keep?: number;
};

/** Entries that wait for a slow disk; more are dropped. */
const maxWaiting = 1000;

/** The journal in a folder, which is made with the first entry. */
export function openJournal(dir: string, options: JournalOptions): Journal {
  const { now, onError, maxBytes = 1024 * 1024, keep = 3 } = options;
  const repeats = createRepeats();
  const queue = createQueue();
  const report = callOnce(onError);
  let isClosed = false;

  const write = async (entry: JournalEntry): Promise<void> => {
    try {
      await appendLine(dir, formatLine(entry), { maxBytes, keep });
    } catch (error) {
      repeats.forget(entry.cluster);
      report(error);
    }
  };

  return {
    append: async (entry) => {
      if (isClosed) return;
      if (queue.waiting() >= maxWaiting) {
        report(new Error(`${dir}: the disk is too slow for the journal`));
        return;
      }
      const stamped = { ...entry, at: now().toISOString() };
      await queue.add(async () => {
        const admitted = repeats.admit(stamped);
        if (admitted !== undefined) await write(admitted);
      });
    },
    close: async () => {
      isClosed = true;
      await queue.add(async () => {
        for (const entry of repeats.release()) await write(entry);
      });
    },
  };
}

type Queue = { readonly add: (task: () => Promise<void>) => Promise<void>; readonly waiting: () => number };

/** Runs one task after the other. */
function createQueue(): Queue {
  let last = Promise.resolve();
  let waiting = 0;
  return {
    add: (task) => {
      waiting += 1;
      last = last.then(task).finally(() => {
        waiting -= 1;
      });
      return last;
    },
    waiting: () => waiting,
  };
}

function callOnce(callback: (error: unknown) => void): (error: unknown) => void {
  let isCalled = false;
  return (error) => {
    if (isCalled) return;
    isCalled = true;
    callback(error);
  };
}
