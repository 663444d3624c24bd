# Waits, while the engine has the server shut down, until nothing more comes of that: its shutdown checkpoint is written,
# and for two seconds nothing was sent to anybody. Says then what keeps it from ending, an archive_command that hangs or
# somebody who takes nothing. Where the server ends, so does this; $1: seconds after which it is killed anyway.
processes() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | sed -nE "s/^postgres: (.*: )?($1)/\\2/p"; }
ticks=$((${1:-60} * 10))
until LC_ALL=C pg_controldata -D "$data" | grep -q '^Database cluster state: *shut down'; do
  [ "$ticks" -gt 0 ] || exit 1
  ticks=$((ticks - 1))
  sleep 0.1
done
senders=
still=0
while [ "$still" -lt 20 ]; do
  sleep 0.1
  now=$(processes walsender)
  if [ "$now" = "$senders" ]; then still=$((still + 1)); else still=0; fi
  senders=$now
done
# In the server's log, which outlives it.
say "the server is shut down, and does not end: $(processes 'walsender|archiver' | tr '\n' ';')" 2>/proc/1/fd/2
