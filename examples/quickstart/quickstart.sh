#!/usr/bin/env bash
# From a fresh clone to PostgreSQL with replicas behind a balancer, and a row through it: `npm run quickstart`.
# Safe to run again: it keeps what is there and adds a row. What it made goes away with `pgherd destroy`.
#
#   TOPOLOGY   the topology file (examples/short.yaml)
#   CLUSTER, GROUP, PORT, DATABASE, POSTGRES_USER   what that file says of its first balancer
set -euo pipefail
cd "$(dirname "$0")/../.."

topology=${TOPOLOGY:-examples/short.yaml}
cluster=${CLUSTER:-shop}
group=${GROUP:-lb1}
port=${PORT:-19999}
database=${DATABASE:-shop}
user=${POSTGRES_USER:-postgres}

step() { printf '\n==> %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

step 'Packages and build'
src/build/install.sh
npm run --silent build

step 'A Docker engine, and the images'
DOCKER_HOST=$(examples/quickstart/engine.sh)
export DOCKER_HOST
examples/quickstart/images.sh

step "pgherd reconcile --once $topology"
node dist/pgherd.js reconcile --once "$topology"

# Any running node of the group: its image has psql.
node=$(docker ps --quiet --filter "label=pgherd.cluster=$cluster" --filter "label=pgherd.group=$group" \
  --filter 'label=pgherd.kind=node' | head -n 1)
[ -n "$node" ] || fail "no node of $cluster/$group is running"
image=$(docker inspect --format '{{.Config.Image}}' "$node")
password=$(node dist/pgherd.js password show "$group" --cluster "$cluster") || fail "the superuser's password is not to be had"

# through_balancer SQL: psql on the balancer's published port, from a container in the engine's own network, so that it
# needs no psql here. The password goes in by standard input: neither arguments nor environment show it.
through_balancer() {
  printf '%s\n%s\n' "$password" "$1" | docker run --rm --interactive --network host --entrypoint sh "$image" -c '
    read -r password
    (umask 077 && printf "*:*:*:*:%s\n" "$password" >/tmp/pgpass)
    PGPASSFILE=/tmp/pgpass exec psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
  ' psql --host=127.0.0.1 --port="$port" --username="$user" --dbname="$database" --file=-
}

step "A row written through the balancer, port $port"
written=$(through_balancer "
  set client_min_messages = warning;
  create table if not exists visits (id bigint generated always as identity, at timestamptz not null default now());
  insert into visits default values
    returning id, at, inet_server_addr() as written_on, current_setting('in_hot_standby') as on_a_replica;")
printf '%s\n' "$written"
id=$(printf '%s\n' "$written" | sed -n '3s/^ *\([0-9]*\) .*/\1/p')

step 'Read back through the same port: the balancer asks a replica'
for _ in {1..20}; do
  read_back=$(through_balancer "
    select id, at, inet_server_addr() as read_on, current_setting('in_hot_standby') as on_a_replica from visits where id = $id;")
  # A replica follows some milliseconds behind.
  case $read_back in *'(1 row)'*) break ;; esac
  sleep 0.2
done
printf '%s\n' "$read_back"
case $read_back in *'| on'*) ;; *) fail 'the row was not read from a replica' ;; esac

# A comment in front sends a statement to the primary, which alone knows who follows it.
step 'Who follows the primary'
through_balancer '/*NO LOAD BALANCE*/ select application_name, client_addr, state, sync_state
  from pg_stat_replication order by application_name;'

cat <<END

It runs. Next, with DOCKER_HOST=$DOCKER_HOST:
  node dist/pgherd.js status $topology
  node dist/pgherd.js plan $topology       # edit the file first
  node dist/pgherd.js destroy $topology    # keeps the data
END
