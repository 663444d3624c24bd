# Waits until the health check passes, asking often, for the given number of seconds at most: an exec outlives its client.
end=$(($(date +%s) + ${1:-60}))
until is=$(sh "$rev/health" 2>&1); do
  if [ "$(date +%s)" -ge "$end" ]; then
    say "not ready: $is"
    exit 1
  fi
  sleep 0.05
done
echo "$is"
