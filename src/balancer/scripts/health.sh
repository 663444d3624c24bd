#!/bin/sh
# Written by pgherd with every revision; a change here is lost. Docker's health check: a query for the writer and one
# that may go to a reader, through the balancer's own port, since a balancer that hangs still has a process.
set -eu
rev=$(cd "$(dirname "$0")" && pwd -P)
export PGPASSFILE=$rev/pgpass PGCONNECT_TIMEOUT=4
ask() { psql -XAtq -F ' ' -h 127.0.0.1 -p 9999 -U pgherd_monitor -d postgres -c "$1"; }
writer=$(ask "/*NO LOAD BALANCE*/ SELECT host(inet_server_addr()), (SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery()")
# Stable functions only: a volatile one would be taken for a write.
reader=$(ask "SELECT host(inet_server_addr()), current_setting('transaction_read_only')")
echo "writer $writer reader $reader"
case $writer in *' f') ;; *) exit 1 ;; esac
