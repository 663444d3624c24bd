# Stays beside a command that somebody runs here, until its standard input closes: an exec outlives its client, whose death
# closes that. Then it ends what is left of the command, and removes what was put down for it. FOLDER [HOME [ADDRESS PORT]]
set -eu
umask 077
folder=$1
mkdir "$folder"
# For psql: whom to be and where to go by itself, and the password for that alone.
if [ $# -gt 1 ]; then
  config=$2/config
  printf 'export PGUSER="$(cat %s/superuser)" PGDATABASE="$(cat %s/database)"\n' "$config" "$config" >"$folder/psql"
fi
if [ $# -gt 2 ]; then
  escape() { sed 's/[\\:]/\\&/g' "$1"; }
  password=$(escape "$2/secrets/superuser")
  printf '%s:%s:*:%s:%s\n' "$3" "$4" "$(escape "$config/superuser")" "$password" >"$folder/pgpass"
fi
echo ready
cat >/dev/null

# Processes of the command's session that are nobody's parent in it: children go first.
leaves() {
  cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) \([0-9]*\) [0-9]* \([0-9]*\) .*/\1 \2 \3 \4/p' |
    while read -r pid state parent of; do
      if [ "$of" = "$session" ] && [ "$state" != Z ]; then echo "$pid $parent"; fi
    done >"$folder/processes"
  while read -r pid _; do
    if [ "$pid" != "$session" ] && ! grep -q " $pid\$" "$folder/processes"; then echo "$pid"; fi
  done <"$folder/processes"
}

# A tenth of a second each: psql has its query called off first, and time to do so.
round=0
while [ -s "$folder/session" ] && [ "$round" -lt 100 ]; do
  session=$(cat "$folder/session") || break
  [ -d "/proc/$session" ] || break
  case $round in
    0) signal=INT ;;
    ? | 1? | 2?) signal='' ;;
    30) signal=HUP ;;
    3? | 4?) signal=TERM ;;
    *) signal=KILL ;;
  esac
  if [ -n "$signal" ]; then
    for pid in $(leaves); do kill -s "$signal" "$pid" 2>/dev/null || :; done
  fi
  sleep 0.1
  round=$((round + 1))
done
rm -rf "$folder"
