import { needsRestart } from './parameters.ts';
import type { Layout, Reign } from './layout.ts';

/** The roles pgherd makes in every group, beside the superuser. */
export const replicationRole = 'pgherd_replication';
export const monitorRole = 'pgherd_monitor';

/** The port of every server, inside its container. */
export const serverPort = 5432;

/** What a node is told to be. */
export type Role =
  | { readonly is: 'bootstrap' }
  | {
      readonly is: 'lead';
      readonly systemIdentifier: string;
      readonly reign: Reign;
      readonly commits?: Commits | undefined;
    }
  | {
      readonly is: 'follow';
      readonly systemIdentifier: string;
      readonly leaderAddress: string;
      readonly slot: string;
      /** In which it follows. */
      readonly reign: Reign;
      /** Should it be promoted, by whomever, its commits wait until pgherd knows who follows it. */
      readonly held?: boolean | undefined;
    };

/** Whom commits wait for, in quorum mode: `num` of these nodes. Without names they wait for somebody who never comes. */
export type Commits = { readonly num: number; readonly names: readonly string[] } | 'local';

/** A standby that nobody is: commits wait for it. */
const nobody = 'pgherd_nobody';

export type NodeConfig = {
  readonly name: string;
  /** Its slot in the group. */
  readonly number: number;
  readonly role: Role;
  readonly superuser: string;
  readonly database: string;
  /** The file's settings. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The file's pg_hba.conf lines. */
  readonly hba: readonly string[];
  /** The version of PostgreSQL; undefined: nobody says. */
  readonly major?: number | undefined;
};

/** The name of the replication slot that the leader keeps for a node. */
export function slotName(slot: number): string {
  return `pgherd_${String(slot)}`;
}

/**
 * All settings of a node, pgherd's own included, by name.
 * Sources: https://www.postgresql.org/docs/17/runtime-config-replication.html, …/app-pgrewind.html (wal_log_hints).
 */
export function nodeSettings(config: NodeConfig, layout: Layout): Readonly<Record<string, string>> {
  return {
    max_wal_senders: '20',
    max_replication_slots: '20',
    wal_keep_size: '128MB',
    max_slot_wal_keep_size: '4GB',
    wal_retrieve_retry_interval: '500ms',
    wal_receiver_timeout: '15s',
    wal_sender_timeout: '15s',
    tcp_keepalives_idle: '10',
    tcp_keepalives_interval: '5',
    tcp_keepalives_count: '3',
    tcp_user_timeout: '20s',
    ...config.parameters,
    listen_addresses: '*',
    port: String(serverPort),
    unix_socket_directories: '/var/run/postgresql',
    hba_file: `${layout.home}/config/pg_hba.conf`,
    ident_file: `${layout.home}/config/pg_ident.conf`,
    wal_level: config.parameters['wal_level'] ?? 'replica',
    hot_standby: 'on',
    wal_log_hints: 'on',
    password_encryption: 'scram-sha-256',
    cluster_name: config.name,
    ...syncSettings(config.role),
    ...(config.role.is === 'follow'
      ? { primary_conninfo: conninfo(config, config.role.leaderAddress, layout), primary_slot_name: config.role.slot }
      : {}),
  };
}

function syncSettings(role: Role): Readonly<Record<string, string>> {
  const held: Commits = { num: 1, names: [] };
  const commits = role.is === 'lead' ? role.commits : role.is === 'follow' && role.held === true ? held : undefined;
  return commits === undefined || commits === 'local' ? {} : { synchronous_standby_names: standbyNames(commits) };
}

/**
 * The value of `synchronous_standby_names`.
 * Source: https://www.postgresql.org/docs/17/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES
 */
export function standbyNames(commits: Commits): string {
  if (commits === 'local') return '';
  const listed = commits.names.length === 0 ? [nobody] : commits.names;
  return `ANY ${String(commits.num)} (${listed.map(quoteName).join(', ')})`;
}

/** What `standbyNames` wrote; undefined: somebody else wrote it. */
export function parseStandbyNames(text: string): Commits | undefined {
  if (text === '') return 'local';
  const [, num, listed = ''] = /^ANY (\d+) \((("(?:[^"]|"")+"(?:, )?)+)\)$/.exec(text) ?? [];
  if (num === undefined) return undefined;
  const names = [...listed.matchAll(/"((?:[^"]|"")+)"/g)].map(([, name = '']) => name.replaceAll('""', '"'));
  return { num: Number(num), names: names.filter((name) => name !== nobody) };
}

/** The connection of a follower to its leader; it hangs on a vanished address for seconds, not for ever. */
export function conninfo(config: NodeConfig, leaderAddress: string, layout: Layout): string {
  return [
    `host=${leaderAddress}`,
    `port=${String(serverPort)}`,
    `user=${replicationRole}`,
    `passfile=${layout.home}/secrets/pgpass`,
    `application_name=${config.name}`,
    'connect_timeout=5',
    'keepalives_idle=5',
    'keepalives_interval=2',
    'keepalives_count=3',
    'tcp_user_timeout=10000',
  ].join(' ');
}

/** A postgresql.conf of the settings, sorted. */
export function formatSettings(settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`);
  return `# Written by pgherd from the topology file: change it there.\n${lines.join('\n')}\n`;
}

/** The settings of a file that `formatSettings` wrote. */
export function parseSettings(text: string): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^([\w.]+) = '(.*)'$/.exec(line);
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    settings[name] = value.replaceAll("''", "'").replaceAll('\\\\', '\\');
  }
  return settings;
}

/** The part of the settings that only a restart changes. */
export function restartSettings(
  settings: Readonly<Record<string, string>>,
  major: number | undefined,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => needsRestart(name, major)));
}

/** No trust over TCP; inside the container the postgres system user may be the superuser or the monitor. */
export function formatHba(config: NodeConfig): string {
  return [
    '# Written by pgherd from the topology file: change it there.',
    `local all ${quoteName(config.superuser)} peer map=pgherd`,
    `local all ${monitorRole} peer map=pgherd`,
    'local all all scram-sha-256',
    // Before the file's lines: none of them can lock these out.
    `host replication ${replicationRole} all scram-sha-256`,
    `host all ${replicationRole},${monitorRole} all scram-sha-256`,
    ...config.hba,
    'host all all all scram-sha-256',
    '',
  ].join('\n');
}

export function formatIdent(config: NodeConfig): string {
  return `pgherd postgres ${quoteName(config.superuser)}\npgherd postgres ${monitorRole}\n`;
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
