import { parseJson } from '../base/json.ts';

/** What a server says of itself. */
export type Report = {
  readonly recovery: boolean;
  readonly timeline: number;
  /** Bytes from 0/0: written by a leader, replayed by a follower. */
  readonly lsn: number;
  /** Bytes from 0/0 that a follower has received and need not have replayed; null: nothing since it was started. */
  readonly received?: number | null;
  /** Bytes of WAL that a leader would have to replay if it ended now; null: it is none. */
  readonly redo?: number | null;
  /** State of the WAL receiver; null: there is none. */
  readonly receiver: string | null;
  /** pgherd's slots on a leader, by name, with their wal_status: `reserved`, `extended`, `unreserved` or `lost`. */
  readonly slots: Readonly<Record<string, string>>;
  /** Where a leader's WAL begins, bytes from 0/0; told only while a slot is not in use. */
  readonly oldest: number | null;
};

/**
 * Asks for a report, as one JSON object. pgherd's monitor may run it. The timeline of a standby that receives nothing is
 * that of its newest WAL file where it has come to: its last checkpoint may be of a timeline before.
 * Sources: https://www.postgresql.org/docs/17/view-pg-replication-slots.html, …/functions-admin.html
 */
export const reportSql = `SELECT json_build_object(
  'recovery', recovery,
  'timeline', CASE WHEN recovery
    THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
      (SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir(),
        (SELECT (greatest(pg_last_wal_replay_lsn() - '0/0', 1) - 1)::bigint AS at,
          pg_size_bytes(current_setting('wal_segment_size')) AS segment) AS last
        WHERE substr(name, 9) = upper(lpad(to_hex(at / 4294967296), 8, '0') || lpad(to_hex(at % 4294967296 / segment), 8, '0'))),
      (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
  'lsn', (CASE WHEN recovery THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END - '0/0')::bigint,
  'received', (pg_last_wal_receive_lsn() - '0/0')::bigint,
  'redo', CASE WHEN NOT recovery
    THEN pg_current_wal_lsn() - (SELECT redo_lsn FROM pg_control_checkpoint()) END,
  'receiver', (SELECT status FROM pg_stat_wal_receiver),
  'slots', CASE WHEN recovery THEN '{}' ELSE (SELECT coalesce(json_object_agg(slot_name, wal_status), '{}')
    FROM pg_replication_slots WHERE slot_name LIKE 'pgherd\\_%') END,
  'oldest', CASE WHEN NOT recovery AND EXISTS (SELECT FROM pg_replication_slots WHERE NOT active)
    THEN (SELECT min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
      + ('x' || substr(name, 17, 8))::bit(32)::bigint * pg_size_bytes(current_setting('wal_segment_size')))
      FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$') END)
  FROM (SELECT pg_is_in_recovery() AS recovery) AS is_in`;

/**
 * Reports every half second, for `psql -f`. What an earlier one left behind is ended first; roles may end their own.
 */
export const heartbeatSql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE application_name = 'pgherd_heartbeat' AND pid <> pg_backend_pid() \\g /dev/null
${reportSql} \\watch 0.5
`;

/** Reads what `reportSql` gave; undefined where it is no report. */
export function parseReport(text: string): Report | undefined {
  const value: unknown = parseJson(text);
  return isReport(value) ? value : undefined;
}

function isReport(value: unknown): value is Report {
  return (
    value !== null &&
    typeof value === 'object' &&
    'recovery' in value &&
    typeof value.recovery === 'boolean' &&
    'timeline' in value &&
    typeof value.timeline === 'number' &&
    'lsn' in value &&
    typeof value.lsn === 'number' &&
    'receiver' in value &&
    'slots' in value &&
    'oldest' in value
  );
}
