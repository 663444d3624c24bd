#!/bin/sh
# Starts the balancer. A configuration that is already there is kept; a minimal one is written otherwise.
set -eu
conf=/etc/pgbalancer/pgbalancer.conf
if [ ! -f "$conf" ]; then
  cat >"$conf" <<END
listen_addresses = '*'
port = 9999
unix_socket_directories = '/var/run/pgbalancer'
pid_file_name = '/var/run/pgbalancer/pgbalancer.pid'
pcp_port = 9898
pcp_socket_dir = '/var/run/pgbalancer'
work_dir = '/var/lib/pgbalancer'
backend_hostname0 = '${BACKEND0_HOST:-localhost}'
backend_port0 = ${BACKEND0_PORT:-5432}
END
fi
exec "$@"
