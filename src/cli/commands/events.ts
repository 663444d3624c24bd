import { messageOf } from '../../base/error.ts';
import { didYouMean } from '../../base/suggest.ts';
import { isFileError } from '../../daemon/journal-files.ts';
import {
  eventTypes,
  followJournal,
  isEventType,
  readJournal,
  type EventType,
  type JournalFilter,
} from '../../daemon/journal.ts';
import { findStateDir } from '../../daemon/state-dir.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { painter, type Output } from '../output.ts';
import { interruption } from '../interruption.ts';
import { eventRenderer } from '../render/events.ts';
import type { GlobalOptions } from '../session.ts';
import { parseSince, sinceForms } from '../since.ts';

export type EventsFlags = GlobalOptions & {
  readonly follow?: boolean;
  readonly since?: string;
  /** Each may be several, with commas between. */
  readonly type?: readonly string[];
  readonly limit?: number;
  readonly stateDir?: string;
};

/** Prints what was done to clusters, and why; with --follow until the signal, which is Ctrl-C. */
export async function events(
  clusters: readonly string[],
  flags: EventsFlags,
  output: Output,
  signal?: AbortSignal,
): Promise<ExitCode> {
  const dir = findStateDir(flags.stateDir, process.env);
  const filter = parseFilter(clusters, flags, new Date());
  if ('problem' in filter) {
    output.note(`error: ${filter.problem}`);
    return exitCodes.error;
  }
  try {
    await (flags.follow === true
      ? printComing(dir, filter, output, signal ?? interruption())
      : printPast(dir, filter, output));
    return exitCodes.done;
  } catch (error) {
    if (!isFileError(error)) throw error;
    output.note(`error: the journal in ${dir} cannot be read: ${messageOf(error)}`);
    return exitCodes.error;
  }
}

type Filter = JournalFilter & { readonly limit: number };

async function printPast(dir: string, filter: Filter, output: Output): Promise<void> {
  const found = await readJournal(dir, { ...filter, limit: filter.limit + 1 });
  const entries = found.slice(Math.max(0, found.length - filter.limit));
  if (found.length === 0) output.note(`${describeNothing(filter)} (looked in ${dir})`);
  if (found.length > entries.length) output.note(`the last ${entries.length}; there are more, see --limit`);
  const render = output.format === 'json' ? JSON.stringify : eventRenderer(painter(output.colour), entries);
  for (const entry of entries) output.print(render(entry));
}

async function printComing(dir: string, filter: Filter, output: Output, signal: AbortSignal): Promise<void> {
  const past = await readJournal(dir, filter);
  if (past.length === 0) output.note(`${describeNothing(filter)} yet (looking in ${dir})`);
  const render = output.format === 'json' ? JSON.stringify : eventRenderer(painter(output.colour), past);
  for await (const entry of followJournal(dir, filter, signal)) output.print(render(entry));
}

function describeNothing({ clusters = [], types = [], since }: JournalFilter): string {
  const isWhole = clusters.length === 0 && types.length === 0 && since === undefined;
  return isWhole ? 'nothing in the journal' : 'nothing in the journal that was asked for';
}

function parseFilter(
  clusters: readonly string[],
  flags: EventsFlags,
  now: Date,
): Filter | { readonly problem: string } {
  const types = parseTypes(flags.type ?? []);
  if (typeof types === 'string') return { problem: types };
  const limit = flags.limit ?? findLimit(flags);
  if (flags.since === undefined) return { clusters, types, limit };
  const since = parseSince(flags.since, now);
  if (since === undefined) return { problem: `--since ${JSON.stringify(flags.since)}: expected ${sinceForms}` };
  return { clusters, types, limit, since };
}

/** How many past entries are shown where nothing is said; all since a time that is followed from. */
function findLimit({ follow, since }: EventsFlags): number {
  if (follow !== true) return 100;
  return since === undefined ? 10 : Infinity;
}

/** The types, or what is wrong with them. */
function parseTypes(texts: readonly string[]): readonly EventType[] | string {
  const types: EventType[] = [];
  for (const text of texts.flatMap((each) => each.split(','))) {
    if (!isEventType(text)) {
      return `--type ${JSON.stringify(text)}: ${didYouMean(text, eventTypes)}there are ${eventTypes.join(', ')}`;
    }
    types.push(text);
  }
  return types;
}
