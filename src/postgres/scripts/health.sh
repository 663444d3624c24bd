# Docker's health check: asks the server over TCP. A leader is healthy when it answers, a replica when it streams:
# one that answers and does not replicate is what this project exists to rule out, let alone one that takes writes.
export PGPASSFILE=$home/secrets/pgpass PGCONNECT_TIMEOUT=4
# A standby fetches the history of its leader's timeline before it streams. One whose data is beyond the end of its own
# cannot go over to that: it connects every few seconds, streams to the end of its own, and is turned away.
ask() {
  line=0
  for file in "$data"/pg_wal/????????.history; do
    file=${file##*/}
    [ "$file" = '????????.history' ] || line=$((0x${file%.history}))
  done
  psql -XAtq -d postgres "$@" -c "select case when not pg_is_in_recovery() then 'leader'
    when exists (select from pg_stat_wal_receiver where status = 'streaming' and received_tli >= $line) then 'streaming'
    else 'waiting' end"
}
# Where clients have all connections, those are left that a superuser may have; init scripts have the socket alone.
full() {
  pg_isready -q -h 127.0.0.1 -t 4 || exit 1
  case $(readlink "$home/state") in data.*) ask -h /var/run/postgresql -U "$(cat "$rev/superuser")" ;; *) exit 1 ;; esac
}
is=$(ask -h 127.0.0.1 -U pgherd_monitor) || is=$(full)
read -r role _ <"$rev/role"
if [ "$role $is" = 'follow leader' ]; then is='takes writes, and does not lead'; fi
echo "$is"
[ "$is" = leader ] || [ "$is" = streaming ]
