# Ends the WAL receiver, which the server starts anew at once: one whose connection lost its address would wait for its
# timeout, 15 s, and count as streaming meanwhile.
superuser=$(cat "$rev/superuser")
pid=$(PGOPTIONS='-c search_path=pg_catalog' psql -XAtq -h /var/run/postgresql -U "$superuser" -d postgres -c 'select pid from pg_stat_wal_receiver')
[ -n "$pid" ] || exit 0
kill "$pid" 2>/dev/null || exit 0
while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
