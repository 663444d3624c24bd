# Ends a bootstrap, with SQL on standard input: the first part up to a line `-- last` runs before the init scripts,
# the rest after them. Only when the server then answers over TCP does the volume count as holding data.
superuser=$(cat "$rev/superuser")
database=$(cat "$rev/database")
export PGHOST=/var/run/postgresql PGUSER=$superuser PGDATABASE=postgres PGCONNECT_TIMEOUT=5
export PGOPTIONS='-c synchronous_commit=local -c statement_timeout=0'
# Ends with the container where the server never comes up.
until pg_isready -q; do sleep 0.05; done
sql=$(cat)
# It ends early when who writes it dies.
case $sql in *'-- end') ;; *) say 'the SQL was cut short'; exit 1 ;; esac
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
printf '%s\n' "${sql%%-- last*}" | run
PGDATABASE=$database
# As the official image's entrypoint gives them to scripts.
export POSTGRES_USER="$superuser" POSTGRES_DB="$database"
# Doing the same again does not help where a script fails, and the exit code says so.
trap 'exit 65' EXIT
for script in "$home"/init/* /docker-entrypoint-initdb.d/*; do
  [ -e "$script" ] || continue
  say "running ${script##*/}"
  case $script in
    *.sql) run -f "$script" ;;
    *.sql.gz) gunzip -t "$script"; gunzip -c "$script" | run ;;
    *.sh) if [ -x "$script" ]; then "$script"; else sh "$script"; fi ;;
    *) say "ignoring $script" ;;
  esac
done
trap - EXIT
PGDATABASE=postgres
printf '%s\n' "${sql#*-- last}" | run
system=$(pg_controldata -D "$data" | sed -n 's/^Database system identifier: *//p')
sh "$rev/await" 60 >/dev/null
rm -rf "$home/init"
sync
mark state "data.$system"
echo "$system"
