# The container's command. `role` beside it holds what to be: `bootstrap - SLOT`, `lead SYSTEM_IDENTIFIER SLOT` or
# `follow SYSTEM_IDENTIFIER SLOT`; in doubt it refuses, and never empties anything.
refuse() { say "$*"; exit 78; }

# One server a volume, also where the engine has lost track of a container that still runs: the lock is held by this
# process, then by the server it becomes, and goes with it.
exec 9>"$home/running"
if command -v flock >/dev/null && ! flock -n 9; then refuse 'another server runs on this volume'; fi

# One that is to follow in `reign`, and whose WAL is of another one that this does not come from, does not start.
stay_out() {
  if [ "$role" = follow ] && is_astray "$reign"; then
    set_aside
    exit 78
  fi
}

serve() {
  # The container is alone on its volume, so a lock file is a leftover; it may name a process that lives.
  rm -f "$data/postmaster.pid"
  printf "include '%s/config/postgresql.conf'\n" "$home" >"$data/postgresql.conf"
  raised=
  take_part stay_out
  if [ "$role" = follow ]; then
    : >"$data/standby.signal"
    raised=$(raise)
    # Nobody follows it any more: the slots of those that did would keep its WAL. Others may be a user's.
    for old in "$data"/pg_replslot/pgherd_*; do
      case ${old##*/pgherd_} in '' | *[!0-9]*) ;; *) rm -rf "$old" ;; esac
    done
  fi
  # A standby looks for the newest timeline that it has a history of. What was to be passed over, by a promotion that came to
  # nothing or by a leader whose own history did not come any more, is none.
  if [ -e "$data/standby.signal" ]; then
    for history in $(cd "$data/pg_wal" && ls -r ????????.history 2>/dev/null); do
      if grep -q '^[0-9]' "$data/pg_wal/$history"; then break; fi
      rm "$data/pg_wal/$history"
    done
  fi
  # Whom it was told not to follow for a while is another one by now, or is the one it follows.
  if [ -L "$home/detached" ]; then mark detached pending; fi
  if [ -e "$data/postgresql.auto.conf" ]; then sed -i -E "/^($(detached_settings)) *=/d" "$data/postgresql.auto.conf"; fi
  rm -f "$home/detached"
  # One that is to lead and has only followed so far is promoted by who knows that nobody else leads. Nobody leads whom the
  # newest record does not name, whoever started it.
  if [ -e "$data/standby.signal" ]; then mark serves follow; else
    leader=$(newest)
    [ "${leader##* }" = "$number" ] || refuse "the record names slot ${leader##* } as the leader, and this is slot $number: not starting"
    mark serves lead
  fi
  # Whatever is older than these was written long before any controller that may still be there.
  ls "$home/records" | sort -t . -k 2,2nr -k 3,3nr | tail -n +33 | while read -r old; do rm -f "$home/records/$old"; done
  mark started "$(echo "${rev##*/}" | sed "${raised:+s/\.[^.]*/.raised/}")"
  [ -n "$is_stuck" ] || mark loaded "${rev##*/}"
  take_part stay_out
  # shellcheck disable=SC2086 # options without spaces
  exec postgres -D "$data" $raised
}

# A standby does not start with less of these than the leader had when it wrote the WAL replayed so far. It takes that
# much until it has replayed the leader's new value, and says that it still wants a restart: `started` is rev.raised.B.
raise() {
  pg_controldata -D "$data" | awk -F ' setting: *|:' -v file="$rev/postgresql.conf" '
    BEGIN {
      split("max_worker_processes 8 max_wal_senders 10 max_connections 100 max_prepared_transactions 0 max_locks_per_transaction 64", defaults, " ")
      for (i = 1; i in defaults; i += 2) wanted[defaults[i]] = defaults[i + 1]
      while ((getline line < file) > 0) if (split(line, part, / = .|.$/) && part[1] in wanted) wanted[part[1]] = part[2]
    }
    / setting:/ { sub(/_xacts$/, "_transactions", $1); sub(/_xact$/, "_transaction", $1) }
    / setting:/ && $1 in wanted && $2 + 0 > wanted[$1] + 0 { print "-c", $1 "=" $2 }'
}

bootstrap() {
  [ ! -e "$data" ] || refuse "$data exists, and nothing says what it is: not initialising it"
  mark state bootstrapping
  # No password yet: connections from outside fail until the bootstrap script sets one as its last act.
  initdb -D "$data" -U "$(cat "$rev/superuser")" -E UTF8 --data-checksums --auth-local=peer --auth-host=reject >&2
  serve
}

# The leader may be another node by the time that it answers: then this script begins again with what the volume says now.
leader_of() { cat "$1/role" "$1/conninfo" "$1/slot" "$1/reign" 2>/dev/null || :; }
followed=$(leader_of "$rev")
is_current() {
  now=$(leader_of "$home/config")
  [ -z "$now" ] || [ "$now" = "$followed" ]
}
renew() {
  if is_current; then return; fi
  say 'the leader has changed'
  exec sh "$home/config/start"
}

clone() {
  [ ! -e "$data" ] || refuse "$data exists, and nothing says what it is: not cloning into it"
  before=$(ls -A "$mount")
  tries=5
  pause=1
  until copy; do
    # Whatever it leaves behind, such as tablespaces, makes every further attempt fail: the next one needs a clean volume.
    [ "$(ls -A "$mount")" = "$before" ] || cut_short "$failure"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || cut_short "$failure"
    rm -f "$home/state"
    say "trying again in $pause s"
    sleep "$pause"
    pause=$((pause * 2))
  done
  rm -f "$data/postgresql.auto.conf" "$data/pg_hba.conf"
  : >"$data/postgresql.auto.conf"
  : >"$data/standby.signal"
  sync
  mark state "data.$system"
  say 'cloned'
  exec sh "$home/config/start"
}

# The volume is useless from now on, and each start reports why.
cut_short() {
  echo "$*" >"$home/why"
  mark state half
  refuse "$*"
}

copy() {
  renew
  conninfo=$(cat "$rev/conninfo")
  slot=$(cat "$rev/slot")
  until found=$(psql -XAtq -F ' ' -d "$conninfo replication=true dbname=replication" -c IDENTIFY_SYSTEM); do
    say 'the leader does not answer yet'
    sleep 0.2
    renew
  done
  [ "${found%% *}" = "$system" ] || refuse "the leader is system ${found%% *}, expected $system: not cloning it"
  mark reign "$(cat "$rev/reign")"
  mark state cloning
  say 'cloning the leader'
  # It confirms WAL before there is a copy that could replay it: by the node's name it would count as a standby.
  pg_basebackup -D "$data" -d "$conninfo application_name=pgherd_clone" -S "$slot" -X stream -c fast --no-password 2>"$home/why" &
  copying=$!
  # A leader that hangs never ends it. The subshell must not keep the lock of the volume.
  { while is_current; do sleep 1; done; kill -9 "$copying"; } 9>&- &
  watching=$!
  code=0
  wait "$copying" || code=$?
  kill "$watching" 2>/dev/null || :
  wait "$watching" 2>/dev/null || :
  cat "$home/why" >&2
  is_current || cut_short 'the leader changed while it was cloned'
  failure="the clone failed: $({ grep 'error:' "$home/why" || tail -n 3 "$home/why"; } | tr '\n' ' ')"
  rm -f "$home/why"
  return "$code"
}

# It led, and follows from now on. What it wrote after its successor began is taken back, unless there are transactions
# among it: those are kept as they are, in a volume that is set aside.
rejoin() {
  rm -f "$data/postmaster.pid"
  # One that followed was promoted by somebody else, and one that led was away when another one took over. It takes no writes
  # from now on, and what it wrote may count.
  case $(readlink "$home/serves") in follow | lead | promoting) mark serves kept ;; esac
  reign=$(cat "$rev/reign")
  stay_out
  conninfo=$(cat "$rev/conninfo")
  ask() { psql -XAtq -F ' ' -d "$conninfo replication=true dbname=replication" -c "$1"; }
  # Where it had just been promoted, only the history tells which timeline it began.
  own=$({
    pg_controldata -D "$data" | sed -n "s/^Latest checkpoint's TimeLineID: *//p"
    for file in "$data"/pg_wal/????????.history; do
      id=${file##*/}
      if grep -q '^[0-9]' "$file" 2>/dev/null; then echo $((0x${id%.history})); fi
    done
  } | sort -n | tail -n 1)
  leads() { [ "$(psql -XAtq -d "$conninfo dbname=postgres" -c 'select pg_is_in_recovery()')" = f ]; }
  until leads && found=$(ask IDENTIFY_SYSTEM) && timeline=$(echo "$found" | cut -d ' ' -f 2); do
    say 'who leads now does not answer yet'
    sleep 0.2
    renew
  done
  [ "${found%% *}" = "$system" ] || refuse "the leader is system ${found%% *}, expected $system: not following it"
  # No server starts from such a volume, and whoever repairs it finds in it what it held.
  if [ -z "$own" ]; then
    mark state diverged
    refuse 'its control file says nothing of a timeline: the volume is set aside'
  fi
  fork=
  if [ "$timeline" -gt "$own" ]; then
    history=$(ask "TIMELINE_HISTORY $timeline")
    fork=$(echo "$history" | sed 's/^[^ ]*\.history //' | awk -v own="$own" '$1 == own { print $2 }')
  fi
  # Two that were promoted one after the other may both have begun a timeline of the same number.
  if [ -z "$fork" ]; then
    mark state diverged
    refuse "timeline $timeline of the leader does not come from timeline $own of this one: the volume is set aside"
  fi
  # Where commits waited for a quorum, what its successor lacks was never acknowledged, unless somebody forced the change. What
  # it had loaded says so: the file may want something else by now.
  kept=0
  waited() { grep -q '^synchronous_standby_names = ' "$home/$(readlink "$home/loaded")/postgresql.conf" 2>/dev/null; }
  if ! waited || [ "$(readlink "$home/serves")" != ended ]; then
    kept=$(pg_waldump -p "$data/pg_wal" -t "$own" -s "$fork" -r Transaction 2>/dev/null | grep -cE 'desc: (COMMIT|PREPARE)' || :)
  fi
  if [ "$kept" != 0 ]; then
    mark state diverged
    refuse "$kept transactions after $fork never reached the leader: the volume is set aside with them"
  fi
  # Before 16, pg_rewind takes the timeline of the leader's last checkpoint for the one that it leads on: it leaves what must
  # be taken back, or has the server look for what it needs on the wrong timeline.
  is_checkpointed() {
    [ "$(psql -XAtq -d "$conninfo dbname=postgres" -c "select timeline_id >= $timeline or current_setting('server_version_num')::int >= 160000 from pg_control_checkpoint()")" = t ]
  }
  if ! is_checkpointed; then
    say "waiting until the leader has written a checkpoint of timeline $timeline"
    until is_checkpointed; do
      sleep 0.2
      renew
    done
  fi
  printf "include '%s/config/postgresql.conf'\n" "$home" >"$data/postgresql.conf"
  # It cannot be run twice: what is cut short is set aside.
  mark state rewinding
  if ! rewound=$(pg_rewind --target-pgdata="$data" --source-server="$conninfo dbname=postgres" 2>&1); then
    mark state diverged
    refuse "it cannot be rewound, and the volume is set aside: $rewound"
  fi
  : >"$data/postgresql.auto.conf"
  mark reign "$(cat "$rev/reign")"
  : >"$data/standby.signal"
  sync
  mark state "data.$system"
  case $rewound in
    *'no rewind required'*) say "nothing to rewind: its successor began at its end, $fork" ;;
    *) say "rewound to $fork" ;;
  esac
}

case $(readlink "$home/serves" || :) in fenced*) refuse 'another node leads or is to: not starting' ;; esac
read -r role system number <"$rev/role"
state=$(readlink "$home/state" || :)
# What is new may be what no server starts with, nor is rewound with.
case $state in data.*)
  rm -rf "$home"/keeping.*
  if [ "$(readlink "$home/loaded" || :)" != "${rev##*/}" ] && keep; then
    say "its server refuses the configuration: $refused"
    mark config "${rev##*/}"
  fi
  ;;
esac
case "$role $state" in
  *' 'data.*)
    [ "$system" = - ] || [ "$state" = "data.$system" ] || refuse "the volume holds $state, expected data.$system"
    if [ "$role" = follow ] && [ ! -e "$data/standby.signal" ]; then rejoin; fi
    serve
    ;;
  'bootstrap ') bootstrap ;;
  'follow ') clone ;;
  'lead ') refuse 'told to lead, and the volume is empty: a leader is never made from nothing twice' ;;
  *' half') refuse "$(cat "$home/why" 2>/dev/null || echo 'the clone was cut short'): it begins again in another volume" ;;
  *) refuse "the volume is marked '$state': it was cut short, and is set aside, not resumed" ;;
esac
