export const eventTypes = [
  'started',
  'stopped',
  'topology',
  'planned',
  'step',
  'step-failed',
  'converged',
  'blocked',
  'failed',
  'condition',
  'failover',
  'switchover',
  'lock',
  'engine',
  'paused',
  'resumed',
  'restart-held',
] as const;

export type EventType = (typeof eventTypes)[number];

/** One thing that was done or seen. */
export type JournalEntry = {
  /** ISO 8601, UTC, with milliseconds. */
  readonly at: string;
  readonly cluster: string;
  /** The reconcile run it belongs to. */
  readonly run?: string;
  /** `daemon`, or the command, e.g. `reconcile --once`. */
  readonly by: string;
  readonly type: EventType;
  /** e.g. `node/lb1-replica1`. */
  readonly resource?: string;
  readonly reason?: string;
  readonly message: string;
  readonly milliseconds?: number;
  /** How often this cluster's entry before this one happened again without being written. */
  readonly repeated?: number;
};

/** Which entries are wanted; what is absent or empty excludes nothing. */
export type JournalFilter = {
  readonly clusters?: readonly string[];
  readonly since?: Date;
  readonly types?: readonly EventType[];
  /** The last so many. */
  readonly limit?: number;
};

export const maxLineBytes = 16 * 1024;

/** Of each text but the message, so that there is always room for that. */
const maxFieldBytes = 2 * 1024;

const ellipsis = '…';

/** The entry as a line of at most 16 KiB; what is too long ends with an ellipsis. */
export function formatLine(entry: JournalEntry): string {
  const { at, cluster, run, by, type, resource, reason, message, milliseconds, repeated } = entry;
  const clip = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : cutText(text, maxFieldBytes);
  const format = (text: string): string =>
    JSON.stringify({
      at,
      cluster: clip(cluster),
      run: clip(run),
      by: clip(by),
      type,
      resource: clip(resource),
      reason: clip(reason),
      message: text,
      milliseconds: Number.isFinite(milliseconds) ? milliseconds : undefined,
      repeated,
    });
  const room = maxLineBytes - Buffer.byteLength(`${format('')}\n`);
  return `${format(cutText(message, room))}\n`;
}

/** The entry of a line, or undefined where the line is broken or of a kind this version does not know. */
export function parseLine(line: string): JournalEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isEventType(value: unknown): value is EventType {
  return eventTypes.some((type) => type === value);
}

/** Whether the entry is wanted, the limit aside. */
export function matchesFilter(entry: JournalEntry, { clusters = [], types = [], since }: JournalFilter): boolean {
  if (clusters.length > 0 && !clusters.includes(entry.cluster)) return false;
  if (types.length > 0 && !types.includes(entry.type)) return false;
  return since === undefined || Date.parse(entry.at) >= since.getTime();
}

/** The last so many, all without a limit. */
export function takeLast<T>(items: readonly T[], limit: number | undefined): readonly T[] {
  return limit === undefined ? items : items.slice(Math.max(0, items.length - limit));
}

// Whole characters only: half of a UTF-16 pair is no text.
function cutText(text: string, room: number): string {
  if (text.length <= room && countJsonBytes(text) <= room) return text;
  let bytes = Buffer.byteLength(ellipsis);
  let end = 0;
  for (const character of text) {
    bytes += countJsonBytes(character);
    if (bytes > room) break;
    end += character.length;
  }
  return text.slice(0, end) + ellipsis;
}

/** How much a text takes within a JSON string, escapes included. */
function countJsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

function isEntry(value: unknown): value is JournalEntry {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const at = fields.get('at');
  return (
    typeof at === 'string' &&
    !Number.isNaN(Date.parse(at)) &&
    isEventType(fields.get('type')) &&
    ['cluster', 'by', 'message'].every((name) => typeof fields.get(name) === 'string') &&
    ['run', 'resource', 'reason'].every((name) => isOptional(fields.get(name), 'string')) &&
    ['milliseconds', 'repeated'].every((name) => isOptional(fields.get(name), 'number'))
  );
}

function isOptional(value: unknown, type: 'string' | 'number'): boolean {
  return value === undefined || typeof value === type;
}
