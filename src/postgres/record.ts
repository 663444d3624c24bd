import type { ArchiveEntry } from '../base/archive.ts';
import { canonicalJson } from '../base/canonical.ts';
import { monitorRole, replicationRole } from './config.ts';
import { formatRecordName, formatReign, formatSecretsName, type Fork, type Reign, type SyncList } from './layout.ts';
import { parseJson } from '../base/json.ts';

/** Passwords of a group's roles, and the version they were made in. */
export type Secrets = {
  readonly version: number;
  /** Tells a change of a password that the user gives; `generated` where pgherd made it. */
  readonly fingerprint: string;
  readonly superuser: string;
  readonly replication: string;
  readonly monitor: string;
};

/**
 * What a group knows of itself, kept in the volume of every node: the highest epoch and version holds. Only the holder of
 * the cluster's lock writes it. Later kinds of knowledge are members that a reader of this version keeps as they are.
 */
export type GroupRecord = {
  readonly format: 2;
  readonly epoch: number;
  readonly version: number;
  /** Undefined until the bootstrap has ended. */
  readonly systemIdentifier: string | undefined;
  /** Slot of the leader. */
  readonly leader: number;
  /** Slots of all members, ascending. */
  readonly members: readonly number[];
  readonly secrets: Secrets;
  /** Where the leader began to lead; absent: it led from the beginning. */
  readonly fork?: Fork | undefined;
  /** The number of the timeline that the leader begins, of which nobody else was to begin one; absent: nobody took over yet. */
  readonly timeline?: number | undefined;
  /** The reign of its leader and those before, newest first, as `formatReign` has them; absent: nobody took over yet. */
  readonly reigns?: readonly string[] | undefined;
  /** In quorum mode: who may hold what the leader has acknowledged. */
  readonly sync?: SyncList | undefined;
  /** The last changes of leaders, newest first. */
  readonly changes?: readonly LeaderChange[] | undefined;
  readonly [later: string]: unknown;
};

/** One change of leaders. */
export type LeaderChange = {
  /** ISO 8601, when it was decided. */
  readonly at: string;
  readonly kind: 'failover' | 'switchover';
  /** Why. */
  readonly cause: string;
  /** Names of nodes. */
  readonly from: string;
  readonly to: string;
  /** Where the new leader began to lead: the timeline before, and bytes from 0/0. */
  readonly timeline: number;
  readonly lsn: number;
  /** Bytes of WAL that the old leader is known to have written and the new one has not; null: nobody knows. */
  readonly lostBytes: number | null;
};

/** Changes of leaders that a record keeps. */
export const keptChanges = 10;

/** Reigns that a record keeps: who was away for more of them is cloned again. */
const keptReigns = 64;

/** The reigns of a record after this one, in which another leader reigns. */
export function nextReigns(old: GroupRecord, reign: Reign): readonly string[] {
  const { reigns = [formatReign(old)] } = old;
  return [formatReign(reign), ...reigns].slice(0, keptReigns);
}

/** Where a volume keeps its records, below `pgherd/`. */
export const recordsFolder = 'records';

/** The name of its file, which tells who leads. */
export function nameOfRecord(record: GroupRecord): string {
  return formatRecordName(record);
}

/** The record and the secrets as entries below `pgherd/`. */
export function recordEntries(record: GroupRecord): readonly ArchiveEntry[] {
  const name = nameOfRecord(record);
  const secrets = formatSecretsName(record.secrets);
  const { superuser, replication, monitor } = record.secrets;
  const file = (path: string, content: string): ArchiveEntry => ({ type: 'file', path, content, mode: 0o600 });
  const passwords = `*:*:*:${replicationRole}:${escape(replication)}\n*:*:*:${monitorRole}:${escape(monitor)}\n`;
  return [
    { type: 'directory', path: secrets, mode: 0o700 },
    file(`${secrets}/superuser`, superuser),
    file(`${secrets}/pgpass`, passwords),
    { type: 'link', path: 'secrets', target: secrets },
    { type: 'directory', path: recordsFolder, mode: 0o700 },
    file(
      `${recordsFolder}/${name}`,
      `${canonicalJson(JSON.parse(JSON.stringify(record)) as Parameters<typeof canonicalJson>[0])}\n`,
    ),
    { type: 'link', path: 'record', target: `${recordsFolder}/${name}` },
  ];
}

/** Reads a record's text; undefined where it is none that this version understands. */
export function parseRecord(text: string): GroupRecord | undefined {
  const value: unknown = parseJson(text);
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is GroupRecord {
  if (value === null || typeof value !== 'object') return false;
  const has = (key: string, type: string): boolean =>
    Object.entries(value).some(([name, member]) => name === key && typeof member === type);
  const format = 'format' in value ? value.format : undefined;
  return (
    format === 2 &&
    has('epoch', 'number') &&
    has('version', 'number') &&
    has('leader', 'number') &&
    has('members', 'object') &&
    has('secrets', 'object')
  );
}

// Source: https://www.postgresql.org/docs/17/libpq-pgpass.html
function escape(field: string): string {
  return field.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
