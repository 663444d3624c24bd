/** Names that pgherd sets itself, each with the reason that a user is told. A trailing `*` stands for any ending. */
type Owned = readonly (readonly [names: string, reason: string])[];

// https://www.postgresql.org/docs/current/runtime-config.html, design section 5
const ownedByPostgres: Owned = [
  [
    'listen_addresses port unix_socket_*',
    `inside the container a node always listens on 5432; publish it with the node's "port"`,
  ],
  [
    'hba_file ident_file config_file data_directory external_pid_file',
    'it places the files of a node; for access rules use "hba"',
  ],
  [
    'include include_if_exists include_dir',
    'a file of yours could override what pgherd sets; give the parameters themselves',
  ],
  ['primary_conninfo primary_slot_name', 'it says whom a replica follows, and changes with every failover'],
  ['synchronous_standby_names', 'it follows the live replicas; use "replication"'],
  ['hot_standby', 'a replica must answer queries, the balancer and the probes read from it'],
  ['wal_log_hints', 'rewinding an old leader needs it on'],
  ['password_encryption', 'passwords are kept as scram-sha-256 only'],
  ['allow_alter_system', 'a failover uses ALTER SYSTEM'],
  ['cluster_name', 'a replica is known to its leader by the name of its node'],
  [
    'recovery_target* recovery_end_command restore_command archive_cleanup_command',
    'it decides what a node recovers, and to where',
  ],
  ['standby_mode trigger_file promote_trigger_file', 'it decides who leads; use "pgherd switchover"'],
];

// https://www.pgpool.net/docs/latest/en/html/runtime-config.html, design section 6
const ownedByBalancer: Owned = [
  [
    'backend_clustering_mode replication_mode master_slave_mode master_slave_sub_mode native_replication_mode',
    `replication is PostgreSQL's own streaming replication`,
  ],
  ['backend_weight*', `readers weigh the same; for the leader's share use "weight"`],
  ['backend_*', 'backends are the write address and the readers, from "primary" and "replicas"'],
  [
    'listen_addresses port unix_socket_* socket_dir',
    'inside the container the balancer always listens on 9999; publish it with "port"',
  ],
  ['pcp_*', 'publish PCP with "pcp_port"'],
  ['enable_rest_api rest_api_* rest_*', 'publish the REST API with "rest_api_port"'],
  ['pid_file_name', 'a pid file that outlives a kill stops the balancer from starting'],
  [
    'pool_passwd enable_pool_hba allow_clear_text_frontend_auth',
    `clients authenticate with scram-sha-256, from the group's passwords`,
  ],
  [
    'health_check_* sr_check_*',
    'pgherd itself watches the nodes; a balancer that does so too takes nodes away by its own judgement',
  ],
  [
    'failover_* failback_* follow_primary_command follow_master_command fail_over_on_backend_error',
    `failover is pgherd's, without the balancer's knowledge; use "failover"`,
  ],
  [
    'auto_failback* detach_false_primary search_primary_node_timeout',
    'the balancer must never judge who leads; the write address does',
  ],
  ['recovery_*', 'replicas are cloned by pgherd, not by online recovery'],
  [
    'use_watchdog wd_* heartbeat_* trusted_servers* delegate_ip delegate_IP if_* arping_* hostname* other_* ping_path enable_consensus_with_half_votes allow_multiple_failover_requests_from_node clear_memqcache_on_escalation',
    'there is one balancer a group, kept running by the engine; the watchdog stays off',
  ],
  ['load_balance_mode_algo', 'it crashes pgBalancer; leave it out'],
];

/** Why pgherd does not take this parameter from a file, or undefined where it does. */
export function explainOwned(kind: 'postgres' | 'balancer', name: string): string | undefined {
  for (const [names, reason] of kind === 'postgres' ? ownedByPostgres : ownedByBalancer) {
    for (const pattern of names.toLowerCase().split(' ')) {
      if (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern) return reason;
    }
  }
  return undefined;
}
