import { setTimeout as sleep } from 'node:timers/promises';
import { matchesFilter, parseLine, takeLast, type JournalEntry, type JournalFilter } from './journal-entry.ts';
import { closeFiles, openFiles, readLines, type FileId, type OpenFile } from './journal-files.ts';

/** How often a followed journal is looked at. */
const pollMilliseconds = 200;

/** An open file, and how far it was read. */
type Followed = OpenFile & { readonly offset: number };

/** The wanted entries, oldest first; none where there is no journal. Broken lines are skipped. */
export async function readJournal(dir: string, filter: JournalFilter): Promise<readonly JournalEntry[]> {
  const files = await openFiles(dir);
  try {
    const entries: JournalEntry[] = [];
    for (const file of files) entries.push(...selectEntries((await readLines(file, 0)).lines, filter));
    // Processes that write at once are in order each; times have one length, and order as text.
    entries.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
    return takeLast(entries, filter.limit);
  } finally {
    await closeFiles(files);
  }
}

/**
 * The wanted entries that are there (the last ones, where there is a limit), then those that come, until the signal.
 * Files may be rotated, truncated and removed, and need not be there yet. They are kept open, so that no new file is
 * taken for one that was removed.
 */
export async function* followJournal(
  dir: string,
  filter: JournalFilter,
  signal: AbortSignal,
): AsyncGenerator<JournalEntry, void> {
  const followed = new Map<FileId, Followed>();
  try {
    yield* takeLast(await readNew(dir, followed, filter), filter.limit);
    while (await pauses(signal)) yield* await readNew(dir, followed, filter);
  } finally {
    await closeFiles(followed.values());
  }
}

/** What was added since the last call. */
async function readNew(
  dir: string,
  followed: Map<FileId, Followed>,
  filter: JournalFilter,
): Promise<readonly JournalEntry[]> {
  const present = await openFiles(dir);
  const ids = new Set(present.map(({ id }) => id));
  const gone = [...followed.values()].filter(({ id }) => !ids.has(id));
  for (const file of present) {
    if (followed.has(file.id)) await file.handle.close();
    else followed.set(file.id, { ...file, offset: 0 });
  }
  const entries: JournalEntry[] = [];
  for (const file of followed.values()) {
    const { lines, offset } = await readLines(file, file.offset);
    followed.set(file.id, { ...file, offset });
    entries.push(...selectEntries(lines, filter));
  }
  for (const { id } of gone) followed.delete(id);
  await closeFiles(gone);
  return entries;
}

function selectEntries(lines: readonly string[], filter: JournalFilter): readonly JournalEntry[] {
  return lines.flatMap((line) => {
    const entry = parseLine(line);
    return entry !== undefined && matchesFilter(entry, filter) ? [entry] : [];
  });
}

/** Waits for the next look; whether there is to be one. */
async function pauses(signal: AbortSignal): Promise<boolean> {
  await sleep(pollMilliseconds, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
