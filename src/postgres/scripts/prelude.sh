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
  most='' top=-1 last=-1
  for name in "$home"/records/record.*.*.*.*json; do
    leader=${name##*/record.}
    epoch=${leader%%.*} leader=${leader#*.}
    version=${leader%%.*} leader=${leader#*.}
    leader=${leader%%.*}
    case .$epoch.$version.$leader. in *..* | *[!0-9.]*) continue ;; esac
    if [ "$epoch" -gt "$top" ] || { [ "$epoch" -eq "$top" ] && [ "$version" -ge "$last" ]; }; then
      top=$epoch last=$version most="$epoch $version $leader"
    fi
  done
  echo "$most"
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
