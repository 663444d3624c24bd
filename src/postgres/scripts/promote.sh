# Puts its own revision in force on a server that is to lead, and has it lead: where it does already, nothing is left to do.
# $1: seconds that it may take; $2: the number of the timeline that it begins; then the slots of those who are to follow it.
end=$(($(date +%s) + ${1:-15}))
superuser=$(cat "$rev/superuser")
slot=$(cut -d ' ' -f 3 "$rev/role")
# Whoever claims the group from now on sees that this node may lead; who claimed it before is seen here.
before=$(readlink "$home/serves" || :)
[ "$before" = lead ] || mark serves promoting
trap 'mark serves "$before"' EXIT
guard
if [ "${record##* }" != "$slot" ]; then
  say "the record names slot ${record##* } as the leader, and this is slot $slot: refusing"
  exit 75
fi
trap - EXIT
# What it acknowledges will be on disk: where the host fails, nobody may lead by a record of before.
of=${record% *}
{ mark reign "$(cat "$rev/reign")"; sync "$home"/records/record."${of% *}.${of#* }".* "$home/records" 2>/dev/null || sync; } >/dev/null 2>&1 &
synced=$!
keep || :
mark config "${rev##*/}"
number=${2:-0}
shift 2
# One that starts says so (1), or has not come so far; one that is there and does not answer hangs, and another one may lead
# sooner.
answered=$(date +%s)
until pg_isready -q -h /var/run/postgresql -t 1; do
  is=$?
  now=$(date +%s)
  if [ "$is" = 1 ] || [ ! -e "$data/postmaster.pid" ]; then answered=$now; fi
  if [ "$now" -ge "$end" ] || [ "$((now - answered))" -ge 5 ]; then
    say 'its server does not answer'
    exit 1
  fi
  sleep 0.05
done
# PostgreSQL takes the number after the last one that it has a history of. Those before may be another node's, whose history
# has not come here, or who never led: a history without a line is of a timeline that this one does not come from.
last=$(pg_controldata -D "$data" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
while [ "${last:=$number}" -lt "$((number - 1))" ]; do
  last=$((last + 1))
  history=$data/pg_wal/$(printf %08X "$last").history
  [ -e "$history" ] || echo '# the number was given to another node of the group' >"$history"
done
# Its own revision names nobody to follow. That it takes writes is seen by a write.
slots=$(for slot; do
  echo "select pg_create_physical_replication_slot('$slot', true) where not exists (select from pg_replication_slots where slot_name = '$slot');"
done)
wait "$synced"
PGCONNECT_TIMEOUT=5 PGOPTIONS='-c synchronous_commit=local -c statement_timeout=0' timeout -s KILL "$((end - $(date +%s) + 1))" psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$superuser" -d postgres \
  >/dev/null <<SQL
$(resets)
select pg_reload_conf(), case when pg_is_in_recovery() then pg_promote(false) end;
do \$\$ begin
  for i in 1..6000 loop
    exit when not pg_is_in_recovery();
    perform pg_sleep(0.005);
    if i = 6000 then raise 'it was not promoted within 30 s'; end if;
  end loop;
end \$\$;
select pg_logical_emit_message(true, 'pgherd', 'leads');
$slots
\set ON_ERROR_STOP off
$(cat "$rev/reign.sql")
SQL
mark serves lead
rm -f "$home/detached"
[ -n "$is_stuck" ] || mark loaded "${rev##*/}"
# Before 16, nobody is rewound to a leader before its first checkpoint, and PostgreSQL takes minutes over that one.
if [ "$(cat "$data/PG_VERSION")" -lt 16 ]; then
  psql -XAtq -h /var/run/postgresql -U "$superuser" -d postgres -c 'checkpoint' </dev/null >/dev/null 2>&1 &
fi
