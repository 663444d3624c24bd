# Prints a report every half second, a line each, until its standard input ends: an exec outlives its client, whose death
# closes that. What another pgherd left behind is ended first.
exec 3<&0
(
  until pg_isready -q -h /var/run/postgresql; do sleep 0.1; done
  export PGAPPNAME=pgherd_heartbeat PGCONNECT_TIMEOUT=5
  exec psql -XAtq -h /var/run/postgresql -U pgherd_monitor -d postgres -f "$rev/report.sql" </dev/null
) &
beats=$!
# Where the server ends, so does this, and with it the exec; the reader is left to its input, which then ends.
{ cat <&3; kill "$beats"; } >/dev/null 2>&1 &
wait "$beats"
