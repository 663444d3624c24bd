# Has a standby follow nobody from now on, and replay what it has, within $1 seconds whatever hangs; says how far it came.
# The link `detached`: `pending`, before anything is done to the server; TIMELINE.LSN.shut where the last it has is its
# leader's shutdown, ….open where it is not: nothing can come after that; ….replaying: it has that much at most.
guard
superuser=$(cat "$rev/superuser")
left=${1:-30}
end=$(($(date +%s) + left))
# Whoever attaches it again meanwhile writes another one: then nothing is said of it any more.
own=pending.$$
mark detached "$own"
# A server that was just started has removed the mark by the time that it takes connections: it is set again by the session
# that then acts.
begin="select 1 / pg_is_in_recovery()::int \\g /dev/null
\\! ln -sfn $own '$home/detached.new' && mv -fT '$home/detached.new' '$home/detached'
select clock_timestamp() + interval '0.3 s' as soon, current_setting('recovery_min_apply_delay') <> '0' as is_delayed \\gset
\\set is_patient 1
alter system set primary_conninfo = '';
\\if :is_delayed
alter system set recovery_min_apply_delay = 0;
\\endif
select pg_reload_conf(), pg_wal_replay_resume() \\g /dev/null"
# Each question is a statement of its own: a snapshot that is held keeps the startup process from replaying. Conflicting
# readers are cancelled, and ended where that does not help soon. The startup process may sleep before it reads what was
# received last. A history that it has of a timeline it has not reached yet says where it is itself.
begin="$begin
prepare look as select bool_or(wait_event = 'RecoveryRetrieveRetryInterval') is true and bool_and(backend_type = 'startup')
      and current_setting('primary_conninfo') = '' as is_idle,
    current_setting('primary_conninfo') = '' as is_cut,
    bool_or($held) is true as is_blocked,
    bool_or(backend_type = 'walreceiver') as receives, max(wait_event) as event, pg_last_wal_receive_lsn() - '0/0' as received
  from pg_stat_activity where backend_type in ('walreceiver', 'startup');"
question="execute look \\gset
\\if :is_idle
with history as (select ('x' || left(name, 8))::bit(32)::int as timeline, pg_read_file('pg_wal/' || name) as lines
    from pg_ls_waldir() where name ~ '^[0-9A-F]{8}\.history\$' and pg_read_file('pg_wal/' || name) ~ '^[0-9]'
    order by name desc limit 1),
  forks as (select split_part(line, E'\t', 1)::int as timeline, split_part(line, E'\t', 2)::pg_lsn as at
    from history, regexp_split_to_table(lines, E'\n') line where line ~ '^[0-9]+\t')
  select 'end', coalesce((select min(timeline) from forks where at > pg_last_wal_replay_lsn()), (select timeline from history),
    (select timeline_id from pg_control_checkpoint())), pg_last_wal_replay_lsn() - '0/0',
    greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0', pg_size_bytes(current_setting('wal_segment_size'));
\\q
\\elif :is_blocked
select count(case when state = 'active' and clock_timestamp() < :'soon' then pg_cancel_backend(pid)
    else pg_terminate_backend(pid) end)
  from $readers \\g /dev/null
\\if :is_patient
\\set is_patient 0
alter system set max_standby_streaming_delay = 0;
alter system set max_standby_archive_delay = 0;
select pg_reload_conf() \\g /dev/null
\\endif
\\endif
\\if :is_cut
\\echo replaying :receives :received :event
\\else
\\echo its server does not take the setting, it follows on
\\endif
select pg_sleep(0.01) \\g /dev/null"
plain() {
  PGCONNECT_TIMEOUT=$1 PGOPTIONS="-c statement_timeout=${1}s" timeout -s KILL "$1" \
    psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$superuser" -d postgres 2>&1
}
ask() {
  { printf '%s\n' "$begin" && while printf '%s\n' "$question" 2>/dev/null; do :; done; } | plain "$1"
}
lsn() { printf '%X/%X' $(($1 >> 32)) $(($1 & 4294967295)); }
dump() { timeout -s KILL "$1" pg_waldump -p "$data/pg_wal" -t "$timeline" -s "$(lsn "$2")" -e "$(lsn "$3")" 2>/dev/null || :; }
is_final() {
  found=$(ask "$left" | tail -n 1)
  read -r is timeline bytes received segment <<EOF
$found
EOF
  [ "$is" = end ] || return 1
  # A part of a record may have come last.
  [ "$bytes" = "$received" ] || [ -z "$(dump "$left" "$bytes" "$received")" ]
}
tell() {
  [ "$(readlink "$home/detached")" = "$own" ] || { say 'it was attached again meanwhile'; exit 1; }
  mark detached "$1"
  echo "$1"
  exit 0
}
# One that somebody else has promoted follows nobody already. What it has in common with the others ends where its timeline
# began: with that it is compared, and what it wrote since is kept with it where it is to lead.
if [ ! -e "$data/standby.signal" ]; then
  until [ "$(echo 'select pg_is_in_recovery()' | plain 2)" = f ]; do
    [ "$(date +%s)" -lt "$end" ] || { say 'it is no standby, and does not answer'; exit 1; }
    sleep 0.05
  done
  for history in "$data"/pg_wal/????????.history; do :; done
  read -r timeline lsn _ <<EOF
$(grep '^[0-9]' "$history" | tail -n 1)
EOF
  [ -n "$timeline" ] || { say 'it is no standby, and was never promoted'; exit 1; }
  tell "$timeline.$((0x${lsn%/*} * 4294967296 + 0x${lsn#*/})).open"
fi
until is_final; do
  left=$((end - $(date +%s)))
  if [ "$left" -le 0 ]; then
    case $found in
      'replaying f '[0-9]*)
        newest=$(for file in "$data"/pg_wal/????????*[0-9A-F]; do echo "${file##*/}"; done | cut -c 1-8 | sort | tail -n 1)
        tell "$((0x$newest)).$bytes.replaying"
        ;;
      'end '*) tell "$timeline.$received.replaying" ;;
      '' | Killed*) found='it does not answer' ;;
    esac
    say "$found"
    exit 1
  fi
  sleep 0.02
done
# What is waited for 5 s by pg_waldump is a segment that is not there: a clone begins with one, and so does a timeline. The
# one before is asked only where the last record begins in it.
before=$((bytes > 16384 ? bytes - 16384 : 1))
within=$(((bytes - 1) / segment * segment))
for from in "$((within > before ? within : before))" "$before"; do
  last=$(dump "$left" "$from" "$bytes" | tail -n 1)
  [ -z "$last" ] || break
done
case $last in *CHECKPOINT_SHUTDOWN*) tell "$timeline.$bytes.shut" ;; *) tell "$timeline.$bytes.open" ;; esac
