# Has a standby follow nobody from now on, and replay what it has; says how far it came, which then does not change:
# `detached.TIMELINE.LSN.shut` where the last it has is its leader's shutdown, `….open` where it is not.
guard
superuser=$(cat "$rev/superuser")
end=$(($(date +%s) + ${1:-30}))
# One that somebody else has promoted follows nobody already. What it has in common with the others ends where its timeline
# began: with that it is compared, and what it wrote since is kept with it where it is to lead.
if [ ! -e "$data/standby.signal" ]; then
  until [ "$(psql -XAtq -h /var/run/postgresql -U "$superuser" -d postgres -c 'select pg_is_in_recovery()')" = f ]; do
    [ "$(date +%s)" -lt "$end" ] || { say 'it is no standby, and does not answer'; exit 1; }
    sleep 0.05
  done
  for history in "$data"/pg_wal/????????.history; do :; done
  read -r timeline lsn _ <<EOF
$(grep '^[0-9]' "$history" | tail -n 1)
EOF
  [ -n "$timeline" ] || { say 'it is no standby, and was never promoted'; exit 1; }
  position=$timeline.$((0x${lsn%/*} * 4294967296 + 0x${lsn#*/})).open
  mark loaded "detached.$position"
  echo "detached.$position"
  exit
fi
# What was received is replayed, also where nobody sends any more; then the startup process has nothing left to do. A
# history that it has of a timeline it has not reached yet says where it is itself.
export PGOPTIONS='-c statement_timeout=0'
until position=$(psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$superuser" -d postgres 2>&1 <<'SQL'
select 1 / pg_is_in_recovery()::int \g /dev/null
alter system set primary_conninfo = '';
select pg_reload_conf(), pg_wal_replay_resume() \g /dev/null
do $$ begin
  for i in 1..2500 loop
    exit when not exists (select from pg_stat_wal_receiver)
      and exists (select from pg_stat_activity where backend_type = 'startup'
        and wait_event in ('RecoveryRetrieveRetryInterval', 'RecoveryWalStream'));
    perform pg_sleep(0.01), pg_stat_clear_snapshot();
    if i = 2500 then raise 'it does not come to the end of what it has'; end if;
  end loop;
end $$;
with history as (select ('x' || left(name, 8))::bit(32)::int as timeline, pg_read_file('pg_wal/' || name) as lines
    from pg_ls_waldir() where name ~ '^[0-9A-F]{8}\.history$' order by name desc limit 1),
  forks as (select split_part(line, E'\t', 1)::int as timeline, split_part(line, E'\t', 2)::pg_lsn as at
    from history, regexp_split_to_table(lines, E'\n') line where line ~ '^[0-9]+\t')
  select coalesce((select min(timeline) from forks where at > pg_last_wal_replay_lsn()), (select timeline from history),
    (select timeline_id from pg_control_checkpoint())), pg_last_wal_replay_lsn() - '0/0',
    pg_last_wal_replay_lsn(), greatest(before, '0/0'::pg_lsn + div(pg_last_wal_replay_lsn() - '0/0' - 1, segment) * segment),
    before
    from pg_size_bytes(current_setting('wal_segment_size')) segment,
      greatest(pg_last_wal_replay_lsn() - 16384, '0/0'::pg_lsn + 1) before;
SQL
); do
  [ "$(date +%s)" -lt "$end" ] || { say "$position"; exit 1; }
  sleep 0.05
done
read -r timeline bytes lsn within before <<EOF
$position
EOF
# What is waited for 5 s by pg_waldump is a segment that is not there: a clone begins with one, and so does a timeline. The
# one before is asked only where the last record begins in it.
for from in "$within" "$before"; do
  last=$(pg_waldump -p "$data/pg_wal" -t "$timeline" -s "$from" -e "$lsn" 2>/dev/null | tail -n 1)
  [ -z "$last" ] || break
done
case $last in *CHECKPOINT_SHUTDOWN*) shut=shut ;; *) shut=open ;; esac
mark loaded "detached.$timeline.$bytes.$shut"
echo "detached.$timeline.$bytes.$shut"
