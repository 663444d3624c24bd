#!/usr/bin/env bash
# Finds a Docker engine, or installs and starts one on Debian, and prints its address on standard output.
#
#   DOCKER_HOST=$(examples/quickstart/engine.sh)
#
# Looks in this order: DOCKER_HOST, the current docker context, /var/run/docker.sock, the rootless socket,
# the engine an earlier run of this script started. Where none answers, on Debian and as root, it installs
# docker.io and starts dockerd with a data root and a socket of its own. Safe to run again.
set -euo pipefail

root=${PGHERD_ENGINE_ROOT:-/var/lib/pgherd-engine}
run=${PGHERD_ENGINE_RUN:-/run/pgherd-engine}
log=${PGHERD_ENGINE_LOG:-/var/log/pgherd-engine.log}
own="unix://$run/docker.sock"

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$1"; say "remedy: $2"; exit 1; }

# answers ADDRESS: whether an engine answers there (Node is at hand, curl and the docker client may not be).
answers() {
  node -e '
    const [address] = process.argv.slice(1);
    const at = address.startsWith("unix://")
      ? { socketPath: address.slice(7) }
      : (({ hostname, port }) => ({ hostname, port: port || 2375 }))(new URL(address.replace(/^tcp:/, "http:")));
    const request = require("node:http").get({ ...at, path: "/_ping", timeout: 5000 }, (reply) => {
      reply.resume();
      process.exit(reply.statusCode === 200 ? 0 : 1);
    });
    request.on("timeout", () => process.exit(1)).on("error", () => process.exit(1));
  ' "$1" 2>/dev/null
}

found() { say "$2: $1"; printf '%s\n' "$1"; exit 0; }

if [ -n "${DOCKER_HOST:-}" ]; then
  case $DOCKER_HOST in
    unix://* | tcp://* | http://*) if answers "$DOCKER_HOST"; then found "$DOCKER_HOST" "using DOCKER_HOST"; fi ;;
    *) if docker version >/dev/null 2>&1; then found "$DOCKER_HOST" "using DOCKER_HOST"; fi ;;
  esac
  fail "DOCKER_HOST is set to $DOCKER_HOST, and no engine answers there" "start that engine, or unset DOCKER_HOST"
fi

candidates=()
if command -v docker >/dev/null 2>&1; then
  context=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
  if [ -n "$context" ]; then candidates+=("$context"); fi
fi
candidates+=(unix:///var/run/docker.sock "unix://${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock" "$own")
for address in "${candidates[@]}"; do
  if answers "$address"; then found "$address" "found an engine"; fi
done

[ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can install one" \
  "install and start Docker, or run this as root on Debian"
command -v apt-get >/dev/null 2>&1 || fail "no Docker engine answers, and this is not Debian" "install and start Docker"

if ! command -v dockerd >/dev/null 2>&1 || ! command -v docker >/dev/null 2>&1; then
  say "installing docker.io from Debian"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >&2
  command -v docker >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends docker-cli >&2
  if answers unix:///var/run/docker.sock; then found unix:///var/run/docker.sock "Debian started the engine"; fi
fi

mkdir -p "$root" "$run"
say "starting dockerd (data in $root, log in $log)"
setsid nohup dockerd --data-root "$root" --exec-root "$run/exec" --pidfile "$run/dockerd.pid" --host "$own" \
  >>"$log" 2>&1 </dev/null &
pid=$!
until answers "$own"; do
  kill -0 "$pid" 2>/dev/null || fail "dockerd ended: $(tail -n 1 "$log")" "read $log"
  sleep 0.2
done
found "$own" "started an engine, process $pid"
