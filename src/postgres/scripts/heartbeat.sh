# Prints a report every half second, a line each, until its standard input ends: an exec outlives its client, whose death
# closes that. What another pgherd left behind is ended first.
exec 3<&0
(
  until pg_isready -q -h /var/run/postgresql; do sleep 0.1; done
  PGUSER=$(cat "$rev/superuser") PGHOST=/var/run/postgresql PGAPPNAME=pgherd_heartbeat PGCONNECT_TIMEOUT=5
  PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0'
  export PGUSER PGHOST PGAPPNAME PGCONNECT_TIMEOUT PGOPTIONS
  # Where clients hold every connection, and try for more, those of WAL senders are left, which are counted apart.
  database=postgres
  psql -XAtq -d postgres -c 'select' </dev/null >/dev/null 2>&1 || database='dbname=postgres replication=database'
  exec psql -XAtq -d "$database" -f "$rev/report.sql" </dev/null
) &
beats=$!
# Where the server ends, so does this, and with it the exec; the reader is left to its input, which then ends.
{ cat <&3; kill "$beats"; } >/dev/null 2>&1 &
# A connection that stands says nothing of new ones, and those are what clients need: where it takes none, it is silent.
# Where not even this can be asked, since no process can begin any more, it takes none either.
{
  trap 'kill "$beats"' EXIT
  while sleep 5; do
    pg_isready -q -h /var/run/postgresql -t 3 || kill "$beats"
  done
} >/dev/null 2>&1 &
asks=$!
wait "$beats" || :
# Nobody outlives this.
kill "$asks"
wait "$asks" || :
