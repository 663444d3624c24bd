#!/bin/sh
# Written by pgherd with every revision; a change here is lost. Ends sessions whose server is gone and whose process does
# not see it: one that waits for a word of another server just then waits for ever, and its client with it. Their sockets
# stay half closed (state 08) where they stand for a moment only otherwise. The balancer begins another process for one
# that is killed; one that has no client now (`wait for connection request`) looks at its sockets before the next.
set -eu
halfclosed() { awk '$4 == "08" && $3 ~ /:1538$/ { printf " %s ", $10 }' /proc/net/tcp; }
before=
while sleep 1; do
  now=$(halfclosed)
  for inode in $now; do
    case $before in *" $inode "*) ;; *) continue ;; esac
    for link in /proc/[0-9]*/fd/*; do
      [ "$(readlink "$link" 2>/dev/null)" = "socket:[$inode]" ] || continue
      process=${link#/proc/}
      process=${process%%/*}
      case $(tr '\0' ' ' <"/proc/$process/cmdline") in *'wait for connection request'*) continue ;; esac
      echo "pgherd: process $process does not see that its server is gone: ending its session" >&2
      kill -KILL "$process" || :
    done
  done
  before=$now
done
