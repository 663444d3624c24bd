# Waits until the health check passes, or, with `up` as $2, until connections are taken, asking often, for $1 seconds at most:
# an exec outlives its client. Of those that hold the lock whoever waits for the same later does it instead.
end=$(($(date +%s) + ${1:-60}))
alone=
awaiting=$home/awaiting${2:+.$2}
# Where nothing can be written, nobody can tell.
[ -z "${PGHERD_EPOCH:-}" ] || echo $$ 2>/dev/null >"$awaiting" || :
is_last() { [ -z "${PGHERD_EPOCH:-}" ] || ! read -r last <"$awaiting" || [ "$last" = $$ ]; }
passes() { [ "${2:-}" = up ] || is=$(sh "$rev/health" 2>&1); }
# A server that starts needs the machine for itself: it is asked in the cheapest way first.
until is='' && pg_isready -q -h /var/run/postgresql && passes "$@"; do
  if ! is_last; then
    say 'another one waits for this server'
    exit 75
  fi
  now=$(date +%s)
  # One that answers and has not streamed for so long may never: who asked finds out why.
  if [ "$is" = waiting ]; then alone=${alone:-$now}; else alone=; fi
  if [ "$now" -ge "$end" ] || [ "$((now - ${alone:-$now}))" -ge 20 ]; then
    say "not ready: ${is:-it takes no connections}"
    exit 1
  fi
  sleep 0.05
done
echo "$is"
