# Ends the readers that a standby's replay waits for, within $1 seconds: it starts no WAL receiver before it has replayed what
# it has. They are cancelled at first, and their sessions ended where that does not help.
guard
superuser=$(cat "$rev/superuser")
end=$(($(date +%s) + $1))
ends=cancel
while [ "$(date +%s)" -lt "$end" ]; do
  left=$(PGCONNECT_TIMEOUT=2 PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=2s' \
    psql -XAtq -h /var/run/postgresql -U "$superuser" -d postgres -c "select case when exists (select from pg_stat_wal_receiver) then 0
      else count(case when state = 'active' and '$ends' = 'cancel' then pg_cancel_backend(pid) else pg_terminate_backend(pid) end) end
      from $readers")
  [ "$left" != 0 ] || exit 0
  sleep 0.3
  ends=end
done
say 'readers still keep it from replaying'
exit 1
