# Waits until these nodes have all that the server has written so far, for the given number of seconds at most.
# $1: seconds, then names of nodes.
seconds=$1
shift
PGOPTIONS='-c statement_timeout=0' psql -XAtq -v ON_ERROR_STOP=1 -v "seconds=$seconds" -v "names=$*" -h /var/run/postgresql -U pgherd_monitor -d postgres \
  >/dev/null <<'SQL'
select set_config('pgherd.seconds', :'seconds', false), set_config('pgherd.names', :'names', false);
do $$ declare
  wanted constant pg_lsn := pg_current_wal_flush_lsn();
  until constant timestamptz := clock_timestamp() + make_interval(secs => current_setting('pgherd.seconds')::int);
  lacking text;
begin
  loop
    select string_agg(name, ', ') into lacking from regexp_split_to_table(current_setting('pgherd.names'), ' ') name
      where name not in (select application_name from pg_stat_replication where flush_lsn >= wanted);
    exit when lacking is null;
    if clock_timestamp() > until then raise '% has not come as far as %', lacking, wanted; end if;
    perform pg_sleep(0.01), pg_stat_clear_snapshot();
  end loop;
end $$;
SQL
