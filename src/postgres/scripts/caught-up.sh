# Waits until these nodes have all that the server has written so far, for the given number of seconds at most.
# $1: seconds, then names of nodes.
end=$(($(date +%s) + $1))
shift
sql() { psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -U pgherd_monitor -d postgres "$@"; }
lsn=$(sql -c 'select pg_current_wal_flush_lsn()')
for name; do
  until [ "$(echo "select count(*) from pg_stat_replication where application_name = :'name' and flush_lsn >= :'lsn'" |
    sql -v "name=$name" -v "lsn=$lsn")" != 0 ]; do
    [ "$(date +%s)" -lt "$end" ] || { say "$name has not come as far as $lsn"; exit 1; }
    sleep 0.02
  done
done
