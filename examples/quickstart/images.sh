#!/usr/bin/env bash
# Gets pgbalancer:latest and postgres:MAJOR for each MAJOR, 17 unless others are named.
# Each is taken from the engine, else pulled, else built from its Dockerfile under examples/images: on the Debian release
# that has this PostgreSQL where a registry answers, else (on Debian, as root) on a base made from that release's packages.
# Safe to run again.
#
#   DOCKER_HOST=unix:///var/run/docker.sock examples/quickstart/images.sh [MAJOR...]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$1"; say "remedy: $2"; exit 1; }
have() { docker image inspect "$1" >/dev/null 2>&1; }

# suite MAJOR: the Debian release that has this PostgreSQL
suite() {
  case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    *) return 1 ;;
  esac
}

# build TAG FOLDER BASE ARGUMENTS LOG: the classic builder, so that it also works where no builder plugin is installed
build() {
  # shellcheck disable=SC2086 # arguments without spaces
  DOCKER_BUILDKIT=0 docker build -q --build-arg "BASE=$3" $4 -t "$1" "$here/../images/$2" >"$5" 2>&1
}

# base TAG SUITE HOOK PACKAGES LOG: a root file system of Debian packages as an image
base() {
  local mirror tar
  tar=$(mktemp --suffix=.tar)
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
  # A mirror that is no longer fed is good enough.
  mmdebstrap --quiet --variant=minbase --format=tar --include="$4" --essential-hook="$3" \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$2" "$tar" ${mirror:+"$mirror"} >"$5" 2>&1 &&
    docker import "$tar" "$1" >>"$5" 2>&1
  local status=$?
  rm -f "$tar"
  return "$status"
}

# get TAG FOLDER SUITE HOOK PACKAGES ARGUMENTS
get() {
  local tag=$1 folder=$2 suite=$3 hook=$4 packages=$5 arguments=$6 log base
  if have "$tag"; then say "$tag: here already"; return; fi
  log=$(mktemp)
  say "$tag: pulling"
  if timeout 600 docker pull -q "$tag" >"$log" 2>&1; then say "$tag: pulled"; rm -f "$log"; return; fi
  say "$tag: not to be pulled ($(tail -n 1 "$log" | cut -c 1-120))"
  [ -n "$suite" ] || fail "$tag: no Debian release has it" "get the image onto this engine"
  if timeout 300 docker pull -q "debian:$suite-slim" >"$log" 2>&1; then
    base=debian:$suite-slim
    say "$tag: building on $base"
  else
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 ||
      fail "$tag: no registry answers" "get the image onto this engine, or run this as root on Debian"
    base=pgherd-base-${tag/:/-}
    say "$tag: no registry answers; building from Debian packages"
    if ! have "$base"; then
      base "$base" "$suite" "$hook" "$packages" "$log" || fail "$tag: mmdebstrap failed: $(tail -n 3 "$log")" "read $log"
    fi
  fi
  build "$tag" "$folder" "$base" "$arguments" "$log" || fail "$tag: build failed: $(tail -n 3 "$log")" "read $log"
  rm -f "$log"
  say "$tag: built"
}

command -v docker >/dev/null 2>&1 || fail "the docker command is missing" "run examples/quickstart/engine.sh first"
majors=("$@")
[ $# -gt 0 ] || majors=(17)
missing=()
for tag in pgbalancer:latest "${majors[@]/#/postgres:}"; do
  have "$tag" || missing+=("$tag")
done
if [ ${#missing[@]} -gt 0 ] && ! command -v mmdebstrap >/dev/null 2>&1 &&
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  say "installing mmdebstrap from Debian"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring >&2
fi

# The tools that make users are not there yet when the hook runs, and the package would choose another number.
postgres_user='echo postgres:x:999: >>"$1/etc/group"
echo postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash >>"$1/etc/passwd"
echo "postgres:*:1::::::" >>"$1/etc/shadow"'
no_cluster='mkdir -p "$1/etc/postgresql-common"; echo create_main_cluster=false >"$1/etc/postgresql-common/createcluster.conf"'
# Where the official image has its volume and, in it, PGDATA: version 18 moved both.
places() {
  if [ "$1" -ge 18 ]; then
    echo "--build-arg MOUNT=/var/lib/postgresql --build-arg DATA=/var/lib/postgresql/$1/docker"
  fi
}
running=()
for major in "${majors[@]}"; do
  get "postgres:$major" postgres "$(suite "$major" || :)" "$postgres_user
$no_cluster" "postgresql-$major" "--build-arg MAJOR=$major $(places "$major")" &
  running+=("$!")
done
get pgbalancer:latest pgbalancer trixie true pgpool2,postgresql-client-17 '' &
running+=("$!")
failed=0
for job in "${running[@]}"; do wait "$job" || failed=1; done
exit "$failed"
