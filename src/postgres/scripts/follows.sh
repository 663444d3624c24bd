# PostgreSQL knows a timeline by its number alone. Of two leaders that both began one of the same number, a follower takes the
# WAL of the second for that of the first: it writes it over its own, and replays it onto pages that are not those it is of.
# is_astray REIGN: this volume followed in another one before, and has WAL of a `timeline` later than the `fork`, the one from
# which this one's leader began.
is_astray() {
  before=$(readlink "$home/follows" || :)
  [ -n "$before" ] && [ "$before" != "$1" ] || return 1
  for segment in "$data"/pg_wal/????????????????????????; do :; done
  fork=${1#*.}
  # Who led from the beginning comes from no other timeline.
  [ -e "$segment" ] && [ "$fork" != "$1" ] || return 1
  fork=${fork%.*}
  segment=${segment##*/}
  timeline=$((0x${segment%????????????????}))
  [ "$timeline" -gt "$fork" ]
}
set_aside() {
  mark state diverged
  say "it has WAL of timeline $timeline from another leader, and the one that leads now began after timeline $fork: the volume is set aside"
}
