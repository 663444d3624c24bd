#!/usr/bin/env bash
# Says where an SSH server's program is. Where there is none, it is taken out of Debian's package, without the service that
# would be started where that is installed.
set -euo pipefail
program=/usr/sbin/sshd
if [ ! -x "$program" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/pgherd-test/sshd
  program=$cache$program
  if [ ! -x "$program" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Its downloads are made by a user of apt's own.
    chmod 755 "$work"
    cd "$work"
    { apt-get download -qq openssh-server || { apt-get update -qq && apt-get download -qq openssh-server; }; } >&2
    mkdir -p "$cache"
    dpkg -x openssh-server_*.deb "$cache"
  fi
fi
echo "$program"
