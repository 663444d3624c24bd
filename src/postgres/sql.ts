import { monitorRole, replicationRole, slotName } from './config.ts';

/** SCRAM verifiers of a group's roles. */
export type Verifiers = { readonly superuser: string; readonly replication: string; readonly monitor: string };

/**
 * What ends a bootstrap: roles and the database, the init scripts (at the line `-- last`), then the superuser's
 * password, so that nobody gets in from outside before everything is there.
 * Rights of the replication role: those pg_rewind needs, https://www.postgresql.org/docs/17/app-pgrewind.html
 */
export function bootstrapSql(options: {
  readonly superuser: string;
  readonly database: string;
  readonly verifiers: Verifiers;
  readonly followers: readonly number[];
}): string {
  const { superuser, database, verifiers } = options;
  return [
    `CREATE ROLE ${replicationRole} LOGIN REPLICATION PASSWORD ${literal(verifiers.replication)};`,
    `GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO ${replicationRole};`,
    `GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO ${replicationRole};`,
    `GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO ${replicationRole};`,
    `GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO ${replicationRole};`,
    `CREATE ROLE ${monitorRole} LOGIN IN ROLE pg_monitor PASSWORD ${literal(verifiers.monitor)};`,
    ...(database === 'postgres' ? [] : [`CREATE DATABASE ${identifier(database)};`]),
    '-- last',
    ...slotsSql(options.followers),
    `ALTER ROLE ${identifier(superuser)} PASSWORD ${literal(verifiers.superuser)};`,
    '-- end',
  ].join('\n');
}

/** Makes the slots of these followers, and drops pgherd's others and those that are lost, ending what holds one. */
export function slotsSql(followers: readonly number[]): readonly string[] {
  const names = followers.map((slot) => literal(slotName(slot))).join(', ');
  const wanted = `ARRAY[${names}]::text[]`;
  // A slot whose WAL is gone serves nobody any more.
  const useless = `slot_name ~ '^pgherd_[0-9]+$' AND (slot_name <> ALL (${wanted}) OR wal_status = 'lost')`;
  return [
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND ${useless};`,
    `DO $$ BEGIN FOR i IN 1..100 LOOP EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE active AND ${useless}); PERFORM pg_sleep(0.05); END LOOP; END $$;`,
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE ${useless};`,
    `SELECT pg_create_physical_replication_slot(name, true) FROM unnest(${wanted}) name WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name);`,
  ];
}

/** Ends what the leader still sends to a follower, by the name of its node. */
export function endSendersSql(node: string): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = ${literal(node)};`;
}

/** Sets the password of the superuser. */
export function passwordSql(superuser: string, verifier: string): string {
  return `ALTER ROLE ${identifier(superuser)} PASSWORD ${literal(verifier)};`;
}

function literal(text: string): string {
  return text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
