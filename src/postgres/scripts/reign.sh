# PostgreSQL knows a timeline by its number alone. Of two leaders that both began one of the same number, a follower takes the
# WAL of the second for that of the first: it writes it over its own, and replays it onto pages that are not those it is of.
# So each volume says in which reign it took part last: LEADER.TIMELINE.LSN, or LEADER where that led from the beginning.

# fork_of REIGN: the timeline from which its leader began.
fork_of() {
  fork=${1#*.}
  [ "$fork" != "$1" ] || fork=0
  echo "${fork%.*}"
}
# is_astray REIGN: this volume took part in another reign, and has WAL of that, which the leader of this one does not come from.
is_astray() {
  was=$(readlink "$home/reign" || :)
  [ -n "$was" ] && [ "$was" != "$1" ] || return 1
  # An earlier version that has served since then says nothing of its reign.
  [ -e "$home/$(readlink "$home/loaded")/reign" ] || return 1
  for segment in "$data"/pg_wal/????????????????????????; do :; done
  [ -e "$segment" ] || return 1
  segment=${segment##*/}
  timeline=$((0x${segment%????????????????}))
  fork=$(fork_of "$1")
  [ "$timeline" -gt "$(fork_of "$was")" ] && [ "$fork" != 0 ] || return 1
  # Those before this one, the newest first; none, where the record is of an earlier version.
  read -r epoch version _ <<EOF
$(newest)
EOF
  before=$(sed -n 's/.*,"reigns":\[\([^]]*\)\].*/\1/p' "$home/records/record.$epoch.$version."*json | tr -d '"' | tr , ' ')
  case " $before " in
    *" $1 "*)
      before=" $before "
      before=" ${before#*" $1 "}"
      ;;
    *) before=" $was " ;;
  esac
  case $before in *" $was "*) ;; *) return 0 ;; esac
  for between in ${before%%" $was "*}; do
    of=$(fork_of "$between")
    if [ "$of" -lt "$fork" ]; then fork=$of; fi
  done
  [ "$timeline" -gt "$fork" ]
}
set_aside() {
  mark state diverged
  say "it has WAL of timeline $timeline from a leader that the one which leads now does not come from: the volume is set aside"
}
# take_part [CHECK]: a server goes by the revision in force, and the volume says so, after CHECK: whoever puts another one
# in force meanwhile does the same after that.
take_part() {
  reign=
  while { read -r now <"$home/config/reign"; } 2>/dev/null && [ "$now" != "$reign" ]; do
    reign=$now
    ${1:-:}
    mark reign "$reign"
  done
}
