# Waits until so many of these nodes have on disk all that the server has written so far, for the given number of seconds
# at most. $1: seconds; $2: how many; $3: whom commits are to wait for meanwhile, as `synchronous_standby_names` has it; then
# names of nodes.
superuser=$(cat "$rev/superuser")
seconds=$1 num=$2 meanwhile=$3
shift 3
# What is acknowledged later must be so by that setting, or what they have now says nothing. No snapshot is held while it waits.
# One that was called off goes on until somebody asks again.
ask() {
  PGAPPNAME=pgherd_caught_up PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0 -c lc_messages=C' psql -XAtq -v ON_ERROR_STOP=1 \
    -v "seconds=$seconds" -v "num=$num" -v "meanwhile=$meanwhile" -v "names=$*" -h /var/run/postgresql -U "$superuser" -d "$database" <<'SQL'
select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = 'pgherd_caught_up' and pid <> pg_backend_pid() \g /dev/null
select set_config('pgherd.seconds', :'seconds', false), set_config('pgherd.num', :'num', false),
  set_config('pgherd.meanwhile', :'meanwhile', false), set_config('pgherd.names', :'names', false) \g /dev/null
do $$ declare
  wanted constant pg_lsn := pg_current_wal_flush_lsn();
  until constant timestamptz := clock_timestamp() + make_interval(secs => current_setting('pgherd.seconds')::int);
  names constant text[] := string_to_array(current_setting('pgherd.names'), ' ');
  has int;
begin
  if current_setting('synchronous_standby_names') <> current_setting('pgherd.meanwhile') then
    raise 'synchronous_standby_names is %, expected %', quote_literal(current_setting('synchronous_standby_names')),
      quote_literal(current_setting('pgherd.meanwhile'));
  end if;
  loop
    select count(distinct application_name) into has from pg_stat_replication
      where application_name = any (names) and flush_lsn >= wanted;
    exit when has >= current_setting('pgherd.num')::int;
    if clock_timestamp() > until then raise '% of % have come as far as %', has, names, wanted; end if;
    commit;
    perform pg_sleep(0.01);
  end loop;
end $$;
select 'caught up';
SQL
}
# Where clients hold every connection, and try for more, those of WAL senders are left, which are counted apart.
for database in postgres 'dbname=postgres replication=database'; do
  said=$(ask "$@" 2>&1) || :
  case $said in *'caught up') exit 0 ;; *ERROR:* | *'terminating connection'*) break ;; esac
done
say "$said"
exit 1
