#!/bin/sh
# Written by pgherd with every revision; a change here is lost. Ends sessions whose leader is gone and whose process does
# not see it: one that waits for a word of a reader just then waits for ever, and its client with it. Such a one is idle,
# its connection to the write address is half closed, and what its client has sent lies unread, for a second and more.
# The balancer begins another process for one that is killed.
set -eu
rev=$(cd "${0%/*}" && pwd -P)
address=$(sed -n "s/^backend_hostname0 = '\([0-9.]*\)'$/\1/p" "$rev/pgbalancer.conf")
# As the kernel writes it: https://docs.kernel.org/networking/proc_net_tcp.html
leader=$(echo "$address" | awk -F . '{ printf "%02X%02X%02X%02X:1538", $4, $3, $2, $1 }')

# Sockets by inode, a line each: `gone` to the leader, half closed; `unread` of a client (port 9999 is 270F).
suspects() {
  awk -v leader="$leader" '
    $4 == "08" && $3 == leader { print "gone " $10 }
    $2 ~ /:270F$/ && ($4 == "01" || $4 == "08") && $5 !~ /:00000000$/ { print "unread " $10 }' /proc/net/tcp
}

# Processes that have one of each.
holders() {
  ls -l /proc/[0-9]*/fd 2>/dev/null | suspects=$1 awk '
    BEGIN { for (i = split(ENVIRON["suspects"], word); i > 1; i -= 2) kind[word[i]] = word[i - 1] }
    /^\/proc\// { split($1, part, "/"); process = part[3] }
    match($0, /socket:\[[0-9]+/) { has[process, kind[substr($0, RSTART + 8, RLENGTH - 8)]] = 1; all[process] = 1 }
    END { for (process in all) if ((process, "gone") in has && (process, "unread") in has) print process }' || :
}

before=
while sleep 1; do
  now=$(suspects)
  # Those that were suspect a second ago already.
  still=
  if [ -n "$before" ] && [ -n "$now" ]; then still=$(printf '%s\n' "$before" "$now" | sort | uniq -d); fi
  before=$now
  case $still in *gone*unread*) ;; *) continue ;; esac
  for process in $(holders "$still"); do
    title=$(tr -d '\0' <"/proc/$process/cmdline") || continue
    case $title in *' idle' | *' idle in transaction') ;; *) continue ;; esac
    echo "pgherd: process $process ($title) does not see that its leader at $address is gone: ending its session" >&2
    kill -KILL "$process" || :
  done
done
