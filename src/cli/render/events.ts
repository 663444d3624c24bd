import type { EventType, JournalEntry } from '../../daemon/journal.ts';
import type { Paint, Style } from '../output.ts';
import { formatDuration } from './duration.ts';

const styles: Readonly<Record<EventType, Style>> = {
  started: 'green',
  stopped: 'yellow',
  topology: 'cyan',
  planned: 'cyan',
  step: 'cyan',
  'step-failed': 'red',
  converged: 'green',
  blocked: 'red',
  failed: 'red',
  condition: 'yellow',
  failover: 'red',
  switchover: 'cyan',
  lock: 'yellow',
  engine: 'yellow',
  paused: 'yellow',
  resumed: 'green',
  'restart-held': 'yellow',
};

/** Gives each entry as a line, in columns as wide as what came so far; `ahead` is what is known to come. */
export function eventRenderer(paint: Paint, ahead: readonly JournalEntry[]): (entry: JournalEntry) => string {
  const widths = [0, 0, 0];
  const widen = (entry: JournalEntry): void => {
    cellsOf(entry).forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  };
  ahead.forEach(widen);
  return (entry) => {
    widen(entry);
    const [cluster = '', resource = '', type = ''] = cellsOf(entry).map((cell, index) =>
      cell.padEnd(widths[index] ?? 0),
    );
    return [
      paint('dim', formatTime(new Date(entry.at))),
      paint('bold', cluster),
      resource,
      paint(styles[entry.type], type),
      describe(entry, paint),
    ].join('  ');
  };
}

function cellsOf({ cluster, resource, type }: JournalEntry): readonly string[] {
  return [toLine(cluster), toLine(shorten(resource ?? '')), type];
}

/** Servers as `pgherd status` names them. */
function shorten(resource: string): string {
  return resource.replace(/^(node|balancer)\//, '');
}

/** What was done, how long it took, and why. */
function describe({ message, milliseconds, reason, repeated }: JournalEntry, paint: Paint): string {
  const took = milliseconds === undefined ? '' : ` (${formatDuration(milliseconds)})`;
  const why = reason === undefined ? '' : `: ${toLine(reason)}`;
  const times = repeated === undefined ? '' : ` (after the last message repeated ${countTimes(repeated)})`;
  return `${toLine(message)}${took}${why}${times === '' ? '' : paint('dim', times)}`;
}

// Messages quote programs; what a terminal would take for a command must not reach it.
function toLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** Local time, to the second. */
function formatTime(at: Date): string {
  const pad = (number: number): string => String(number).padStart(2, '0');
  const date = [at.getFullYear(), pad(at.getMonth() + 1), pad(at.getDate())].join('-');
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(':')}`;
}

function countTimes(number: number): string {
  return number === 1 ? 'once' : `${number} times`;
}
