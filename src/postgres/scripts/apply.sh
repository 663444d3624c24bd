# Puts its own revision in force on a running server, by a reload.
# Whoever waits for the one before finds its scripts until the next.
guard
before=$(basename "$(readlink "$home/config")")
mark config "$(basename "$rev")"
superuser=$(cat "$rev/superuser")
# One that follows nobody for a while does so by a setting that goes before its configuration. Who waits for names that do
# not count any more is let go at the next word of a standby, which the message makes come; else that may take 10 s.
PGOPTIONS='-c synchronous_commit=local -c statement_timeout=0' psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$superuser" -d postgres \
  >/dev/null <<'SQL'
alter system reset primary_conninfo;
select pg_reload_conf();
select pg_sleep(0.05);
select pg_logical_emit_message(true, 'pgherd', 'loaded') where not pg_is_in_recovery();
SQL
if [ "$(readlink "$home/serves" || :)" = promoting ] && [ "$(cut -d ' ' -f 1 "$rev/role")" = follow ] && [ -e "$data/standby.signal" ]; then
  mark serves follow
fi
mark loaded "$(basename "$rev")"
started=$(readlink "$home/started" || :)
for old in "$home"/rev.*; do
  case $(basename "$old") in "$(basename "$rev")" | "$before" | "$started") ;; *) rm -rf "$old" ;; esac
done
