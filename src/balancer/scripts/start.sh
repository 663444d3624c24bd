#!/bin/sh
# Written by pgherd with every revision; a change here is lost. The container's command: runs the balancer in front.
set -eu
umask 077
rev=$(cd "${0%/*}" && pwd -P)
home=${rev%/*}
ln -sfn "${rev##*/}" "$home/started.new" && mv -fT "$home/started.new" "$home/started"
mkdir -p /tmp/pgherd
# The official pgpool image does not put its programs on the path.
PATH=$PATH:/usr/sbin:/opt/pgpool-II/bin
sh "$rev/watch" &
exec "$(cat "$rev/binary")" -n -D -f "$rev/pgbalancer.conf"
