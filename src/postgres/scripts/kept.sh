# A server takes nothing of a file in which it does not know a word or a value, and does not start with it.
# errors DIRECTORY: what the server says of the settings there; nothing where it takes them.
errors() {
  said=$(LC_ALL=C postgres -C data_directory -D "$data" -c "config_file=$1/postgresql.conf" -c lc_messages=C \
    -c log_min_messages=warning 2>&1 >/dev/null) && return
  # That it could not be asked says nothing of them.
  case $said in *'contains errors'*) ;; *) return 0 ;; esac
  printf '%s\n' "$said" | grep -v -e ' skipping ' -e 'contains errors' || printf '%s\n' "$said"
}
# The settings by which pgherd names the leader and the replicas that commits wait for, and that make commits durable.
own='^(primary_conninfo|primary_slot_name|synchronous_standby_names|synchronous_commit|fsync|full_page_writes) = '
# build HAD DIRECTORY: writes into a copy of this revision the settings of another one, but for those. Without one, what is
# refused is left out, by its name; the server names some only when others are gone.
build() {
  if [ -n "$1" ]; then
    sed -E "/$own/d" "$home/$1/postgresql.conf" >"$2/postgresql.conf" &&
      sed -nE "/$own/p" "$rev/postgresql.conf" >>"$2/postgresql.conf" || return 1
  else
    for _ in 1 2 3 4 5 6 7 8; do
      names=$(errors "$2" | sed -nE 's/.*parameter "([a-zA-Z0-9_.]+)".*/\1/p' | sort -u)
      [ -n "$names" ] || break
      for name in $names; do
        sed "/^$name = /d" "$2/postgresql.conf" >"$2/rest" && mv "$2/rest" "$2/postgresql.conf" || return 1
      done
    done
  fi
  # One that is not whole is taken as well.
  grep -q '^hba_file = ' "$2/postgresql.conf" && [ -z "$(errors "$2")" ]
}
# What the server refuses of this revision, and whether nothing was found to go on with.
refused=
is_stuck=
# keep: where the server refuses the settings of this revision, takes those that it has loaded in their place, but for
# pgherd's own, and goes on as a revision of its own, rev.<what a restart applies>.<what is refused>.kept.
keep() {
  refused=$(errors "$rev" | sed -E 's/^.*(LOG|FATAL|WARNING): +//; s/ in file ".*" line [0-9]+$//' | head -n 1)
  [ -n "$refused" ] || return 1
  is_stuck=yes
  had=$(readlink "$home/loaded" || :)
  had=${had##*/}
  # Those of this revision are not in force, whatever a link says.
  if [ "$had" = "${rev##*/}" ] || [ ! -e "$home/$had/postgresql.conf" ]; then had=; fi
  if [ -n "$had" ] && [ -n "$(errors "$home/$had")" ]; then had=; fi
  restart=$(printf '%s\n' "${had:-rev.less}" | cut -d . -f 2)
  kept=rev.$restart.${rev##*.}.kept
  if [ "$had" != "$kept" ] && ! is_kept; then
    rm -rf "$home/keeping.$$" && cp -a "$rev" "$home/keeping.$$" && build "$had" "$home/keeping.$$" &&
      rm -rf "${home:?}/$kept" && mv -T "$home/keeping.$$" "$home/$kept" || {
      rm -rf "$home/keeping.$$"
      return 1
    }
  fi
  rev=$home/$kept
  is_stuck=
  # A link has no room for all words: a name in a path has 255 bytes.
  mark refused "$(printf '%s\n' "$refused" | tr -cd ' -~' | sed 's/%/%25/g; s,/,%2F,g' | cut -c 1-200)"
}
# The one that is in force is not touched.
is_kept() {
  [ "$(readlink "$home/config" || :)" = "$kept" ] && [ -e "$home/$kept/postgresql.conf" ] && [ -z "$(errors "$home/$kept")" ]
}
