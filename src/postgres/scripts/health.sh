# Docker's health check: asks the server over TCP. A leader is healthy when it answers, a replica when it streams:
# one that answers and does not replicate is what this project exists to rule out, let alone one that takes writes.
export PGPASSFILE=$home/secrets/pgpass PGCONNECT_TIMEOUT=4
# A WAL receiver says that it streams before it has got anything, and connects again and again where it gets nothing: two
# times of its last message that are one are those of its own start.
ask() {
  psql -XAtq -d postgres "$@" -c "select case when not pg_is_in_recovery() then 'leader' else coalesce((
    select 'streaming ' || received_tli from pg_stat_wal_receiver
      where status = 'streaming' and last_msg_send_time <> last_msg_receipt_time), 'waiting') end"
}
# A standby fetches the history of its leader's timeline before it streams. One whose data is beyond the end of its own
# cannot go over to that: it streams its own to its end again and again, and is turned away.
is_behind() {
  line='????????'
  for file in "$data"/pg_wal/????????.history; do
    # One without a line is of a number that was passed over.
    first=
    if [ -e "$file" ]; then read -r first <"$file" || :; fi
    case $first in [0-9]*)
      line=${file##*/}
      line=${line%.history}
      ;;
    esac
  done
  [ "$line" != '????????' ] && [ "$1" -lt "$((0x$line))" ]
}
# Where clients have all connections, those are left that a superuser may have; init scripts have the socket alone.
full() {
  pg_isready -q -h 127.0.0.1 -t 4 || exit 1
  case $(readlink "$home/state") in data.*) ask -h /var/run/postgresql -U "$(cat "$rev/superuser")" ;; *) exit 1 ;; esac
}
is=$(ask -h 127.0.0.1 -U pgherd_monitor) || is=$(full)
case $is in 'streaming '*) if is_behind "${is#* }"; then is=waiting; else is=streaming; fi ;; esac
read -r role _ number <"$rev/role"
case "$role $is" in
  'follow leader') is='takes writes, and does not lead' ;;
  'lead leader')
    record=$(newest)
    [ -z "$record" ] || [ "${record##* }" = "$number" ] || is='takes writes, and does not lead'
    ;;
esac
echo "$is"
[ "$is" = leader ] || [ "$is" = streaming ]
