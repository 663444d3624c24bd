#!/bin/sh
# Written by pgherd with every revision; a change here is lost.
# Waits until the health check passes, for the given number of seconds at most: an exec outlives its client.
set -eu
rev=$(cd "${0%/*}" && pwd -P)
end=$(($(date +%s) + ${1:-60}))
until is=$(sh "$rev/health" 2>&1); do
  if [ "$(date +%s)" -ge "$end" ]; then
    echo "not ready: $is" >&2
    exit 1
  fi
  sleep 0.05
done
echo "$is"
