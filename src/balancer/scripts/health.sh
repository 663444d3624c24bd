#!/bin/sh
# Written by pgherd with every revision; a change here is lost. Docker's health check: a query for the writer and one
# that may go to a reader, through the balancer's own port, since a balancer that hangs still has a process.
set -eu
rev=$(cd "${0%/*}" && pwd -P)
export PGPASSFILE=$rev/pgpass PGCONNECT_TIMEOUT=4
# Debian has a wrapper of psql on the path, in Perl, which takes four times as long.
for bin in /usr/lib/postgresql/*/bin; do [ ! -x "$bin/psql" ] || PATH=$bin:$PATH; done
# Of a reader, stable functions only: a volatile one would be taken for a write.
answers=$(psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -h 127.0.0.1 -p 9999 -U pgherd_monitor -d postgres \
  -c "SELECT 'reader', host(inet_server_addr()), current_setting('transaction_read_only')" \
  -c "/*NO LOAD BALANCE*/ SELECT 'writer', host(inet_server_addr()), (SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery()")
# shellcheck disable=SC2086 # a line for both
echo $answers
case $answers in *' f') ;; *) exit 1 ;; esac
