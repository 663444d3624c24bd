import { isHeldExpression } from './report.ts';
import apply from './scripts/apply.sh';
import attached from './scripts/attached.sh';
import awaitReady from './scripts/await.sh';
import bootstrap from './scripts/bootstrap.sh';
import caughtUp from './scripts/caught-up.sh';
import detach from './scripts/detach.sh';
import free from './scripts/free.sh';
import heartbeat from './scripts/heartbeat.sh';
import health from './scripts/health.sh';
import header from './scripts/prelude.sh';
import programs from './scripts/programs.sh';
import kept from './scripts/kept.sh';
import promote from './scripts/promote.sh';
import readerSql from './scripts/readers.sh';
import reign from './scripts/reign.sh';
import resume from './scripts/resume.sh';
import shutdown from './scripts/shutdown.sh';
import start from './scripts/start.sh';

const prelude = header + programs;
const readers = `held="${isHeldExpression}"\n${readerSql}`;

/** A program of the server's, to be run in its container. */
export function serverProgram(program: string, ...args: readonly string[]): readonly string[] {
  return ['sh', '-c', `${programs}exec "$0" "$@"`, program, ...args];
}

/**
 * psql with these arguments, as the superuser of the node whose files are in `home`. Where clients hold every connection, and
 * try for more, those of WAL senders are left, which are counted apart:
 * https://www.postgresql.org/docs/17/runtime-config-replication.html#GUC-MAX-WAL-SENDERS
 */
export function ownPsql(home: string, ...args: readonly string[]): readonly string[] {
  const script = `${programs}PGUSER=$(cat ${home}/config/superuser) PGHOST=/var/run/postgresql
PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0'
export PGUSER PGHOST PGOPTIONS
"$0" "$@" -d postgres && exit
code=$?
[ "$code" = 2 ] || exit "$code"
set -- "$@" -d 'dbname=postgres replication=database'
exec "$0" "$@"`;
  return ['sh', '-c', script, 'psql', ...args];
}

/**
 * The shell scripts of a node's revision, by file name. They take no argument that a user wrote: names and addresses
 * reach them through files beside them.
 */
export const nodeScripts: Readonly<
  Record<
    | 'start'
    | 'bootstrap'
    | 'apply'
    | 'health'
    | 'await'
    | 'resume'
    | 'free'
    | 'heartbeat'
    | 'detach'
    | 'promote'
    | 'caught-up'
    | 'shutdown',
    string
  >
> = {
  start: prelude + attached + kept + reign + start,
  bootstrap: prelude + bootstrap,
  apply: prelude + attached + kept + reign + apply,
  health: prelude + health,
  await: prelude + awaitReady,
  resume: prelude + resume,
  free: prelude + readers + free,
  heartbeat: prelude + heartbeat,
  detach: prelude + readers + detach,
  promote: prelude + attached + kept + promote,
  'caught-up': prelude + caughtUp,
  shutdown: prelude + shutdown,
};
