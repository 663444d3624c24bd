#!/usr/bin/env bash
# Starts PostgreSQL, creating the database cluster first where PGDATA is empty.
# Honours POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (each also
# as NAME_FILE) and the scripts in /docker-entrypoint-initdb.d.
set -euo pipefail

setting() { # setting NAME DEFAULT: $NAME, or the content of the file $NAME_FILE, or DEFAULT
  local file_variable="$1_FILE"
  if [ -n "${!file_variable:-}" ]; then cat "${!file_variable}"; else printf '%s' "${!1:-$2}"; fi
}

run_init_script() {
  case $1 in
    *.sh) if [ -x "$1" ]; then "$1"; else (set +eu; . "$1"); fi ;;
    *.sql) psql -v ON_ERROR_STOP=1 -f "$1" ;;
    *.sql.gz) gunzip -c "$1" | psql -v ON_ERROR_STOP=1 ;;
    *.sql.xz) xz -cd "$1" | psql -v ON_ERROR_STOP=1 ;;
    *.sql.zst) zstd -cd "$1" | psql -v ON_ERROR_STOP=1 ;;
    *) echo "docker-entrypoint: ignoring $1" ;;
  esac
}

initialise() {
  local user password database method
  user=$(setting POSTGRES_USER postgres)
  password=$(setting POSTGRES_PASSWORD '')
  database=$(setting POSTGRES_DB "$user")
  method=$(setting POSTGRES_HOST_AUTH_METHOD scram-sha-256)
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo 'docker-entrypoint: POSTGRES_PASSWORD is not set: give one with -e POSTGRES_PASSWORD=...' >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  initdb -D "$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "$password") ${POSTGRES_INITDB_ARGS:-}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  export PGUSER=$user PGPASSWORD=$password PGDATABASE=postgres
  if [ "$database" != postgres ]; then
    psql -v ON_ERROR_STOP=1 -v name="$database" <<<'CREATE DATABASE :"name";'
  fi
  export PGDATABASE=$database
  for script in /docker-entrypoint-initdb.d/*; do
    [ ! -e "$script" ] || run_init_script "$script"
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
}

case ${1:-postgres} in
  -*) set -- postgres "$@" ;;
esac
if [ "${1:-}" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then (initialise); fi
  set -- "$@" -c listen_addresses='*'
fi
exec "$@"
