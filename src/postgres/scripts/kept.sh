# A server takes nothing of a file in which it does not know a word or a value, and does not start with it.
# errors DIRECTORY: what the server says of the settings there; nothing where it takes them.
errors() {
  said=$(LC_ALL=C postgres -C data_directory -D "$data" -c "config_file=$1/postgresql.conf" 2>&1 >/dev/null) && return
  # That it could not be asked says nothing of them.
  case $said in *'contains errors'*) echo "$said" | grep -v -e ' skipping ' -e 'contains errors' ;; esac
}
# keep: where the server refuses the settings of this revision, takes those that it has loaded in their place, but for what
# pgherd says of who leads, and goes on as a revision of its own, rev.<what a restart applies>.<what is refused>.kept. One that
# has loaded none goes without what it refuses. What was refused stands in `refused`.
keep() {
  refused=$(errors "$rev" | sed -E 's/^.*(LOG|FATAL): +//; s/ in file ".*" line [0-9]+$//' | head -n 1)
  [ -n "$refused" ] || return 1
  had=$(readlink "$home/loaded" || :)
  had=${had##*/}
  # Those of this revision are not in force, whatever a link says.
  case $had in "${rev##*/}" | '') restart=less ;; *) restart=$(echo "$had" | cut -d . -f 2) ;; esac
  kept=rev.$restart.${rev##*.}.kept
  own='^(primary_conninfo|primary_slot_name|synchronous_standby_names) = '
  if [ "$had" != "$kept" ]; then
    rm -rf "$home/keeping" "${home:?}/$kept" && cp -a "$rev" "$home/keeping" || return 1
    if [ "$restart" = less ]; then
      errors "$rev" | sed -n 's/^.* line \([0-9]*\)$/\1d/p' | sed -f - "$rev/postgresql.conf" >"$home/keeping/postgresql.conf"
    else
      grep -vE "$own" "$home/$had/postgresql.conf" >"$home/keeping/postgresql.conf"
      grep -E "$own" "$rev/postgresql.conf" >>"$home/keeping/postgresql.conf"
    fi
    [ -z "$(errors "$home/keeping")" ] && mv "$home/keeping" "$home/$kept" || return 1
  fi
  rev=$home/$kept
  # A link has no room for all words.
  mark refused "$(echo "$refused" | tr -cd ' -~' | sed 's/%/%25/g; s,/,%2F,g' | cut -c 1-300)"
}
