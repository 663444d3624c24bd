#!/bin/sh
# Written by pgherd with every revision; a change here is lost.
set -eu
umask 077
rev=$(cd "${0%/*}" && pwd -P)
home=${rev%/*}
mount=${home%/*}
data=$mount/pgdata
say() { echo "pgherd ${0##*/}: $*" >&2; }
# newest: the newest record that this volume was given, as EPOCH VERSION LEADER. The link `record` may be set late by a
# controller that has lost its lock; the names cannot.
newest() {
  ls "$home/records" 2>/dev/null | sed -n 's/^record\.\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\)\..*json$/\1 \2 \3/p' |
    sort -k1,1n -k2,2n | tail -n 1
}
# guard: refuses what a controller instructs after a later one has claimed the group; leaves the newest record in `record`.
guard() {
  record=$(newest)
  [ -n "$record" ] || return 0
  [ "${record%% *}" -le "${PGHERD_EPOCH:-${record%% *}}" ] && return
  say "a later controller has taken over (epoch ${record%% *}, this one has $PGHERD_EPOCH): refusing"
  exit 75
}
# mark LINK TARGET: replaces a link at once
mark() { ln -sfn "$2" "$home/$1.new" && mv -fT "$home/$1.new" "$home/$1"; }
