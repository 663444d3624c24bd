#!/usr/bin/env bash
# Gets the images that the examples name: postgres:17 and pgbalancer:latest.
# Each is taken from the engine, else pulled, else built from its Dockerfile under examples/images: on debian:trixie-slim
# where a registry answers, else (on Debian, as root) on a base made from Debian packages. Safe to run again.
#
#   DOCKER_HOST=unix:///var/run/docker.sock examples/quickstart/images.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$1"; say "remedy: $2"; exit 1; }
have() { docker image inspect "$1" >/dev/null 2>&1; }

# build TAG FOLDER BASE LOG: the classic builder, so that it also works where no builder plugin is installed
build() {
  DOCKER_BUILDKIT=0 docker build -q --build-arg "BASE=$3" -t "$1" "$here/../images/$2" >"$4" 2>&1
}

# base TAG HOOK PACKAGES LOG: a root file system of Debian packages as an image
base() {
  local mirror tar
  tar=$(mktemp --suffix=.tar)
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
  mmdebstrap --quiet --variant=minbase --format=tar --include="$3" --essential-hook="$2" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' trixie "$tar" ${mirror:+"$mirror"} >"$4" 2>&1 &&
    docker import "$tar" "$1" >>"$4" 2>&1
  local status=$?
  rm -f "$tar"
  return "$status"
}

# get TAG FOLDER HOOK PACKAGES
get() {
  local tag=$1 folder=$2 hook=$3 packages=$4 log
  if have "$tag"; then say "$tag: here already"; return; fi
  log=$(mktemp)
  say "$tag: pulling"
  if timeout 600 docker pull -q "$tag" >"$log" 2>&1; then say "$tag: pulled"; rm -f "$log"; return; fi
  say "$tag: not to be pulled ($(tail -n 1 "$log" | cut -c 1-120))"
  if timeout 300 docker pull -q debian:trixie-slim >"$log" 2>&1; then
    say "$tag: building on debian:trixie-slim"
    build "$tag" "$folder" debian:trixie-slim "$log" || fail "$tag: build failed: $(tail -n 3 "$log")" "read $log"
  else
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 ||
      fail "$tag: no registry answers" "get the image onto this engine, or run this as root on Debian"
    say "$tag: no registry answers; building from Debian packages"
    if ! have "pgherd-base-$folder"; then
      base "pgherd-base-$folder" "$hook" "$packages" "$log" || fail "$tag: mmdebstrap failed: $(tail -n 3 "$log")" "read $log"
    fi
    build "$tag" "$folder" "pgherd-base-$folder" "$log" || fail "$tag: build failed: $(tail -n 3 "$log")" "read $log"
  fi
  rm -f "$log"
  say "$tag: built"
}

command -v docker >/dev/null 2>&1 || fail "the docker command is missing" "run examples/quickstart/engine.sh first"
if { ! have postgres:17 || ! have pgbalancer:latest; } && ! command -v mmdebstrap >/dev/null 2>&1 &&
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
get postgres:17 postgres "$postgres_user
$no_cluster" postgresql-17 &
first=$!
get pgbalancer:latest pgbalancer true pgpool2,postgresql-client-17 &
second=$!
failed=0
wait "$first" || failed=1
wait "$second" || failed=1
exit "$failed"
