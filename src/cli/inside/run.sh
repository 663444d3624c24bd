# Runs a command for somebody: FOLDER COMMAND ARGS… It stays the command's parent, whatever a terminal or the guard sends.
folder=$1
shift
# Without the folder its guard has gone, and so has who asked for it.
echo $$ >"$folder/session" || exit 1
trap : HUP INT QUIT TERM
if [ -e "$folder/psql" ]; then . "$folder/psql"; fi
# Not as a word of this shell.
env -- "$@"
code=$?
rm -f "$folder/session"
exit "$code"
