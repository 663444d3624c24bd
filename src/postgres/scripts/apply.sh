# Puts its own revision in force on a running server, by a reload.
mark config "$(basename "$rev")"
read -r role system <"$rev/role"
kill -HUP 1
mark loaded "$(basename "$rev")"
started=$(readlink "$home/started" || :)
for old in "$home"/rev.*; do
  case $(basename "$old") in "$(basename "$rev")" | "$started") ;; *) rm -rf "$old" ;; esac
done
