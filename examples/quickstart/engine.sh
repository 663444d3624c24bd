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

# lives PIDFILE PROGRAM: prints the process that the file names, if it is that program with $run among its arguments.
# A pid file outlives a killed engine, and its number may by now be another process's.
lives() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && grep -qF -- "$run/" "/proc/$pid/cmdline" 2>/dev/null || return 1
  printf '%s\n' "$pid"
}

# within SECONDS COMMAND...: waits until the command succeeds
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}
gone() { ! lives "$@" >/dev/null; }

mkdir -p "$root" "$run"
# One at a time: a second run waits, and finds the engine that the first one started.
exec 9>"$run/lock"
flock --timeout 180 9 || fail "another run of this script has been starting an engine for three minutes" "read $log"
if answers "$own"; then found "$own" "found an engine"; fi

if pid=$(lives "$run/dockerd.pid" dockerd); then
  say "dockerd runs as process $pid; waiting for its answer"
  if within 60 answers "$own"; then found "$own" "found an engine"; fi
  fail "dockerd, process $pid, does not answer" "end that process (kill $pid), and run this again"
fi
# An engine that was killed leaves its containerd, for a moment or for ever, and the next one does not start beside it.
containerd=$run/exec/containerd/containerd.pid
if ! within 3 gone "$containerd" containerd && pid=$(lives "$containerd" containerd); then
  say "ending the containerd that a killed engine left, process $pid"
  kill "$pid" || true
  within 10 gone "$containerd" containerd || kill -9 "$pid" || true
  within 5 gone "$containerd" containerd || fail "process $pid does not end" "end it, and run this again"
fi
rm -f "$run/dockerd.pid" "$containerd"

say "starting dockerd (data in $root, log in $log)"
setsid nohup dockerd --data-root "$root" --exec-root "$run/exec" --pidfile "$run/dockerd.pid" --host "$own" \
  >>"$log" 2>&1 </dev/null 9>&- &
pid=$!
answered_or_ended() { answers "$own" || ! kill -0 "$pid" 2>/dev/null; }
# Containers that outlived a killed engine are stopped before it answers, ten seconds each where they take their time.
within 120 answered_or_ended || fail "dockerd, process $pid, does not answer after two minutes" "read $log"
answers "$own" || fail "dockerd ended: $(grep -aE '^failed|level=(error|fatal)' "$log" | tail -n 1)" "read $log"
found "$own" "started an engine, process $pid"
