import { parseJson } from '../base/json.ts';
import type { Fork } from './layout.ts';
import { reignsExpression } from './reigns.ts';

/** What a server says of itself. */
export type Report = {
  readonly recovery: boolean;
  readonly timeline: number;
  /** Marks of the leaders that what it has comes from, the newest first; null or absent: it has none. */
  readonly reigns?: string | null;
  /** Where the timelines ended that a leader's own comes from; null: it is none, absent: an earlier version reports. */
  readonly forks?: readonly Fork[] | null;
  /** Bytes from 0/0: written by a leader, replayed by a follower. */
  readonly lsn: number;
  /** Bytes from 0/0 that a follower has received and need not have replayed; null: nothing since it was started. */
  readonly received?: number | null;
  /** Bytes of WAL that a leader would have to replay if it ended now; null: it is none. */
  readonly redo?: number | null;
  /** State of the WAL receiver; null: there is none. */
  readonly receiver: string | null;
  /** A follower's replay waits for a reader, who may keep it from that for as long as max_standby_streaming_delay allows. */
  readonly isHeld?: boolean;
  /** pgherd's slots on a leader, by name, with their wal_status: `reserved`, `extended`, `unreserved` or `lost`. */
  readonly slots: Readonly<Record<string, string>>;
  /** Where a leader's WAL begins, bytes from 0/0; told only while a slot is not in use. */
  readonly oldest: number | null;
  /** Whom a leader sends WAL to, by application_name; null: it is none, absent: a revision of an earlier version reports. */
  readonly senders?: Readonly<Record<string, Sender>> | null;
  /** What `synchronous_standby_names` is in force; absent as `senders` is. */
  readonly waitsFor?: string;
  /** Settings by which an acknowledged commit may be lost: `fsync=off`, `role app: synchronous_commit=off`. */
  readonly unsafe?: readonly string[];
};

/** A standby as its leader sees it. */
export type Sender = {
  /** `startup`, `catchup`, `streaming`, `backup` or `stopping`. */
  readonly state: string;
  /** Bytes from 0/0 that it has reported to be on its disk. */
  readonly lsn: number | null;
};

/** Whether the startup process, as pg_stat_activity shows it, waits for a reader. */
export const isHeldExpression = "wait_event_type IN ('Lock', 'BufferPin') OR wait_event LIKE 'RecoveryConflict%'";

/**
 * Asks for a report, as one JSON object; for a superuser. The timeline of a standby that receives nothing is
 * that of its newest WAL file where it has come to: its last checkpoint may be of a timeline before. Two senders of one
 * name are a connection that has ended without notice and its successor.
 * Sources: https://www.postgresql.org/docs/17/view-pg-replication-slots.html, …/functions-admin.html,
 * …/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
 *
 * What counts of `synchronous_commit` is what sessions begin with: the server's value, unless its own role or database
 * has another, and those of roles and databases. Sources: …/runtime-config-wal.html, …/catalog-pg-db-role-setting.html
 */
export const reportSql = `SELECT json_build_object(
  'recovery', recovery,
  'reigns', ${reignsExpression},
  'timeline', CASE WHEN recovery
    THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
      (SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir(),
        (SELECT (greatest(pg_last_wal_replay_lsn() - '0/0', 1) - 1)::bigint AS at,
          pg_size_bytes(current_setting('wal_segment_size')) AS segment) AS last
        WHERE substr(name, 9) = upper(lpad(to_hex(at / 4294967296), 8, '0') || lpad(to_hex(at % 4294967296 / segment), 8, '0'))),
      (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
  'forks', CASE WHEN NOT recovery THEN (SELECT coalesce(json_agg(json_build_object('timeline', line[1]::int,
      'lsn', (line[2]::pg_lsn - '0/0')::bigint)), '[]')
    FROM regexp_matches(coalesce(pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history', 0, 1000000, true),
      ''), '^([0-9]+)\\t([0-9A-F]+/[0-9A-F]+)', 'gn') AS line) END,
  'lsn', (CASE WHEN recovery THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END - '0/0')::bigint,
  'received', (pg_last_wal_receive_lsn() - '0/0')::bigint,
  'redo', CASE WHEN NOT recovery
    THEN pg_current_wal_lsn() - (SELECT redo_lsn FROM pg_control_checkpoint()) END,
  'receiver', (SELECT status FROM pg_stat_wal_receiver),
  'isHeld', recovery AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND (${isHeldExpression})),
  'slots', CASE WHEN recovery THEN '{}' ELSE (SELECT coalesce(json_object_agg(slot_name, wal_status), '{}')
    FROM pg_replication_slots WHERE slot_name LIKE 'pgherd\\_%') END,
  'oldest', CASE WHEN NOT recovery AND EXISTS (SELECT FROM pg_replication_slots WHERE NOT active)
    THEN (SELECT min(('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
      + ('x' || substr(name, 17, 8))::bit(32)::bigint * pg_size_bytes(current_setting('wal_segment_size')))
      FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$') END,
  'senders', CASE WHEN NOT recovery THEN (SELECT coalesce(json_object_agg(application_name,
      json_build_object('state', state, 'lsn', (flush_lsn - '0/0')::bigint)), '{}')
    FROM (SELECT DISTINCT ON (application_name) application_name, state, flush_lsn FROM pg_stat_replication
      ORDER BY application_name, state = 'streaming' DESC, flush_lsn DESC NULLS LAST) AS sender) END,
  'waitsFor', current_setting('synchronous_standby_names'),
  'unsafe', (SELECT coalesce(json_agg(found ORDER BY found), '[]') FROM (
      SELECT name || '=off' AS found FROM unnest(ARRAY['fsync', 'full_page_writes']) AS name WHERE current_setting(name) = 'off'
      UNION ALL SELECT 'synchronous_commit=' || current_setting('synchronous_commit')
        WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') AND NOT EXISTS (SELECT FROM pg_db_role_setting,
          unnest(setconfig) AS setting WHERE setting LIKE 'synchronous\\_commit=%'
            AND setrole IN (0, current_user::regrole)
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
      UNION ALL SELECT concat_ws(' in ', CASE WHEN setrole <> 0 THEN 'role ' || setrole::regrole WHEN setdatabase = 0 THEN 'all roles' END,
          (SELECT 'database ' || quote_ident(datname) FROM pg_database WHERE oid = setdatabase)) || ': ' || setting
        FROM pg_db_role_setting, unnest(setconfig) AS setting
        WHERE setting ~* '^synchronous_commit=(off|local|remote_write|false|no|0)$') AS settings))
  FROM (SELECT pg_is_in_recovery() AS recovery) AS is_in`;

/**
 * Reports every half second, for `psql -f`, planned once. What an earlier one left behind is ended first.
 */
export const heartbeatSql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE application_name = 'pgherd_heartbeat' AND pid <> pg_backend_pid() \\g /dev/null
PREPARE report AS ${reportSql};
EXECUTE report \\watch 0.5
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
