# What `detach` has the server do, it does by settings of ALTER SYSTEM, which go before the configuration. While nobody is
# detached only the first of them is pgherd's.
detached_settings() {
  echo "primary_conninfo$([ ! -L "$home/detached" ] || echo '|max_standby_streaming_delay|max_standby_archive_delay|recovery_min_apply_delay')"
}
# Prints the SQL that takes them back.
resets() {
  [ ! -e "$data/postgresql.auto.conf" ] ||
    sed -nE "s/^($(detached_settings)) *=.*/alter system reset \\1;/p" "$data/postgresql.auto.conf"
}
