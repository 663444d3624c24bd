# Puts its own revision in force on a running server, by a reload.
# Whoever waits for the one before finds its scripts until the next.
guard
answers_within=10
database=postgres
superuser=$(cat "$rev/superuser")
ask() {
  PGCONNECT_TIMEOUT=$answers_within PGOPTIONS='-c synchronous_commit=local -c statement_timeout=20s' \
    psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$superuser" -d "$database"
}
# Whether the newest of the marks that leaders write when they begin is the same here and there. One that has not got so far
# has nothing to show for its WAL.
is_of_reign() {
  marks="select shobj_description('pgherd_monitor'::regrole, 'pg_authid')"
  here=$(echo "$marks" | ask) && there=$(timeout -s KILL 5 psql -XAtq -d "$(cat "$rev/conninfo") dbname=postgres" -c "$marks") || {
    say "it has WAL of timeline $timeline, and nobody says whether that is its leader's"
    exit 1
  }
  here=${here%%[ @]*}
  [ -n "$here" ] && [ "$here" = "${there%%[ @]*}" ]
}
if [ -e "$rev/conninfo" ] && [ -e "$data/standby.signal" ] && read -r reign <"$rev/reign" && is_astray "$reign" && ! is_of_reign; then
  # It has taken a while.
  guard
  if [ "${record##* }" = "${reign%%.*}" ] && [ -e "$data/standby.signal" ]; then set_aside; fi
  exit 1
fi
before=$(readlink "$home/config" || :)
before=${before##*/}
wanted=${rev##*/}
# The leader to follow, and the replicas that commits wait for, are loaded all the same.
if ! keep; then
  if [ -n "$refused" ]; then
    say "its server refuses the configuration: $refused"
    exit 78
  fi
  rm -f "$home/refused"
fi
mark config "${rev##*/}"
take_part
# From now on it may come further than was said.
own=
if [ -L "$home/detached" ]; then own=pending.$$; mark detached "$own"; fi
began=$(date +%s)
# One that follows nobody for a while does so by a setting that goes before its configuration. Who waits for names that do
# not count any more is let go at the next word of a standby, which the message makes come; else that may take 10 s.
follows="select current_setting('primary_conninfo') <> '' or not pg_is_in_recovery()"
load() {
  ask <<SQL
$(resets)
select pg_reload_conf() \g /dev/null
select pg_sleep(0.05) \g /dev/null
select pg_logical_emit_message(true, 'pgherd', 'loaded') where not pg_is_in_recovery() \g /dev/null
$follows
SQL
}
# Where clients hold every connection, and try for more, those of WAL senders are left, which are counted apart.
is=0
does=$(load) || is=$?
if [ "$is" = 2 ]; then
  if [ "$(($(date +%s) - began))" -ge "$answers_within" ]; then say 'its server does not answer'; exit 1; fi
  database='dbname=postgres replication=database'
  does=$(load)
elif [ "$is" != 0 ]; then
  exit 1
fi
# What a server has loaded, a new session begins with.
tries=0
until [ "$does" = t ]; do
  [ "$tries" -lt 50 ] || { say 'its server does not take the configuration: it follows nobody'; exit 1; }
  tries=$((tries + 1))
  sleep 0.05
  does=$(echo "$follows" | ask)
done
# Whoever tells it again to follow nobody sets a mark of their own.
[ "$(readlink "$home/detached" || :)" != "$own" ] || rm -f "$home/detached"
if [ "$(readlink "$home/serves" || :)" = promoting ] && [ "$(cut -d ' ' -f 1 "$rev/role")" = follow ] && [ -e "$data/standby.signal" ]; then
  mark serves follow
fi
mark loaded "${rev##*/}"
started=$(readlink "$home/started" || :)
# A run that comes late removes nothing that came after it: another revision is in force by now.
if [ "$(readlink "$home/config" || :)" = "${rev##*/}" ]; then
  for old in "$home"/rev.*; do
    case ${old##*/} in "${rev##*/}" | "$wanted" | "$before" | "$started") ;; *) rm -rf "$old" ;; esac
  done
fi
# Who would be restarted for it is not.
if [ -n "$refused" ] && [ "$had" != "${rev##*/}" ] && [ "$restart" != "$(echo "$wanted" | cut -d . -f 2)" ]; then
  say "its server refuses the configuration: $refused"
  exit 79
fi
