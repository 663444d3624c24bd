#!/usr/bin/env bash
# Gets Docker Compose v2 for comparisons, from the package docker-compose of Debian trixie, without installing it.
# Prints the path of the plugin on standard output; `DOCKER_CONFIG=$(dirname …)/.. docker compose` finds it there.
#
#   compose=$(test/bench/compose.sh) && "$compose" version
#
# Safe to run again: the plugin is kept in ${XDG_CACHE_HOME:-~/.cache}/pgherd-bench. Exits 3 where it cannot be had.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pgherd-bench
plugin=$cache/cli-plugins/docker-compose

say() { printf 'compose: %s\n' "$*" >&2; }
unavailable() { say "Docker Compose v2 cannot be had: $1"; exit 3; }
works() { [ -x "$1" ] && "$1" version >/dev/null 2>&1; }

if works "$plugin"; then
  say "here already: $("$plugin" version --short)"
  printf '%s\n' "$plugin"
  exit 0
fi

command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || unavailable "this is not Debian"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || unavailable "$keyring is missing (package debian-archive-keyring)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,sources,deb} "$cache/cli-plugins"

# The mirror this machine is set up for; the system's own lists and sources are not touched.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "${mirror:-http://deb.debian.org/debian}" >"$work/trixie.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/trixie.list" -o "Dir::Etc::SourceParts=$work/sources"
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o "Dir::Cache::Archives=$work/archives"
  -o APT::Sandbox::User= -o Acquire::Languages=none)

say "downloading from Debian trixie"
"${apt[@]}" update >"$work/log" 2>&1 || unavailable "apt-get update: $(tail -n 1 "$work/log")"
(cd "$work/deb" && "${apt[@]}" download docker-compose) >"$work/log" 2>&1 ||
  unavailable "apt-get download docker-compose: $(tail -n 1 "$work/log")"
dpkg-deb --extract "$work"/deb/docker-compose_*.deb "$work/root"
found=$work/root/usr/libexec/docker/cli-plugins/docker-compose
[ -x "$found" ] || unavailable "the package has no $(basename "$found") plugin"
works "$found" || unavailable "it does not run here: $("$found" version 2>&1 | head -n 1)"
mv "$found" "$plugin.new.$$"
mv "$plugin.new.$$" "$plugin"
say "got $("$plugin" version --short)"
printf '%s\n' "$plugin"
