/**
 * Parameters that only a restart changes: context `postmaster` in pg_settings, in whichever of PostgreSQL 13 to 18. An
 * end-to-end test holds the list against servers. Source: https://www.postgresql.org/docs/17/view-pg-settings.html
 */
const restartParameters: ReadonlySet<string> = new Set(
  `archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age
  autovacuum_worker_slots bonjour bonjour_name cluster_name commit_timestamp_buffers config_file data_directory
  data_sync_retry debug_io_direct dynamic_shared_memory_type event_source external_pid_file hba_file hot_standby
  huge_page_size huge_pages ident_file ignore_invalid_pages io_max_combine_limit io_max_concurrency io_method
  jit_provider listen_addresses logging_collector max_active_replication_origins max_connections max_files_per_process
  max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages max_pred_locks_per_transaction
  max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes min_dynamic_shared_memory
  multixact_member_buffers multixact_offset_buffers notify_buffers old_snapshot_threshold port recovery_target
  recovery_target_action recovery_target_inclusive recovery_target_lsn recovery_target_name recovery_target_time
  recovery_target_timeline recovery_target_xid reserved_connections restore_command serializable_buffers shared_buffers
  shared_memory_type shared_preload_libraries subtransaction_buffers superuser_reserved_connections
  trace_connection_negotiation track_activity_query_size track_commit_timestamp transaction_buffers
  unix_socket_directories unix_socket_group unix_socket_permissions wal_buffers wal_decode_buffer_size wal_level
  wal_log_hints`.split(/\s+/),
);

/** The first version that takes them by a reload. */
const reloadedFrom: Readonly<Record<string, number>> = { restore_command: 14, autovacuum_max_workers: 18 };

/** Whether a change of the parameter takes effect only after a restart; in doubt about the version, it does. */
export function needsRestart(parameter: string, major: number | undefined): boolean {
  const isReloaded = major !== undefined && major >= (reloadedFrom[parameter] ?? Infinity);
  return restartParameters.has(parameter) && !isReloaded;
}

/**
 * Parameters of which a standby must have at least the leader's value, or it does not start.
 * Source: https://www.postgresql.org/docs/17/hot-standby.html#HOT-STANDBY-ADMIN
 */
export const standbyBoundParameters = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
] as const;
