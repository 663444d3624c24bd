# Docker's health check: asks the server over TCP. A leader is healthy when it answers, a replica when it streams:
# one that answers and does not replicate is what this project exists to rule out.
export PGPASSFILE=$home/secrets/pgpass PGCONNECT_TIMEOUT=4
is=$(psql -XAtq -h 127.0.0.1 -U pgherd_monitor -d postgres -c "select case when not pg_is_in_recovery() then 'leader'
  when exists (select from pg_stat_wal_receiver where status = 'streaming') then 'streaming' else 'waiting' end") || exit 1
echo "$is"
[ "$is" != waiting ]
