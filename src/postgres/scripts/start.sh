# The container's command. `role` beside it holds what to be: `bootstrap -`, `lead SYSTEM_IDENTIFIER` or
# `follow SYSTEM_IDENTIFIER`; in doubt it refuses, and never empties anything.
refuse() { say "$*"; exit 78; }

serve() {
  # The container is alone on its volume, so a lock file is a leftover; it would name process 1, which lives.
  rm -f "$data/postmaster.pid"
  printf "include '%s/config/postgresql.conf'\n" "$home" >"$data/postgresql.conf"
  if [ "$role" = follow ]; then : >"$data/standby.signal"; fi
  mark started "$(basename "$rev")"
  mark loaded "$(basename "$rev")"
  exec postgres -D "$data"
}

bootstrap() {
  [ ! -e "$data" ] || refuse "$data exists, and nothing says what it is: not initialising it"
  mark state bootstrapping
  # No password yet: connections from outside fail until the bootstrap script sets one as its last act.
  initdb -D "$data" -U "$(cat "$rev/superuser")" -E UTF8 --data-checksums --auth-local=peer --auth-host=reject >&2
  serve
}

clone() {
  [ ! -e "$data" ] || refuse "$data exists, and nothing says what it is: not cloning into it"
  conninfo=$(cat "$rev/conninfo")
  slot=$(cat "$rev/slot")
  until found=$(psql -XAtq -F ' ' -d "$conninfo replication=true dbname=replication" -c IDENTIFY_SYSTEM); do
    say 'the leader does not answer yet'
    sleep 0.2
  done
  [ "${found%% *}" = "$system" ] || refuse "the leader is system ${found%% *}, expected $system: not cloning it"
  mark state cloning
  say 'cloning the leader'
  until pg_basebackup -D "$data" -d "$conninfo" -S "$slot" -X stream -c fast --no-password; do
    # It takes away what it wrote when it fails; where it could not, the volume is half and stays so.
    if [ -e "$data" ] && [ -n "$(ls -A "$data")" ]; then mark state half; refuse 'the clone was cut short'; fi
    say 'cloning failed, trying again'
    sleep 1
  done
  rm -f "$data/postgresql.auto.conf" "$data/pg_hba.conf"
  : >"$data/postgresql.auto.conf"
  : >"$data/standby.signal"
  sync
  mark state "data.$system"
  say 'cloned'
  serve
}

read -r role system <"$rev/role"
state=$(readlink "$home/state" || :)
case "$role $state" in
  *' 'data.*)
    [ "$system" = - ] || [ "$state" = "data.$system" ] || refuse "the volume holds $state, expected data.$system"
    serve
    ;;
  'bootstrap ') bootstrap ;;
  'follow ') clone ;;
  'lead ') refuse 'told to lead, and the volume is empty: a leader is never made from nothing twice' ;;
  *) refuse "the volume is marked '$state': it was cut short, and is set aside, not resumed" ;;
esac
