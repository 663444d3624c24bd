import apply from './scripts/apply.sh';
import attached from './scripts/attached.sh';
import awaitReady from './scripts/await.sh';
import bootstrap from './scripts/bootstrap.sh';
import caughtUp from './scripts/caught-up.sh';
import detach from './scripts/detach.sh';
import heartbeat from './scripts/heartbeat.sh';
import health from './scripts/health.sh';
import header from './scripts/prelude.sh';
import programs from './scripts/programs.sh';
import promote from './scripts/promote.sh';
import resume from './scripts/resume.sh';
import shutdown from './scripts/shutdown.sh';
import start from './scripts/start.sh';

const prelude = header + programs;

/** A program of the server's, to be run in its container. */
export function serverProgram(program: string, ...args: readonly string[]): readonly string[] {
  return ['sh', '-c', `${programs}exec "$0" "$@"`, program, ...args];
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
    | 'heartbeat'
    | 'detach'
    | 'promote'
    | 'caught-up'
    | 'shutdown',
    string
  >
> = {
  start: prelude + attached + start,
  bootstrap: prelude + bootstrap,
  apply: prelude + attached + apply,
  health: prelude + health,
  await: prelude + awaitReady,
  resume: prelude + resume,
  heartbeat: prelude + heartbeat,
  detach: prelude + detach,
  promote: prelude + attached + promote,
  'caught-up': prelude + caughtUp,
  shutdown: prelude + shutdown,
};
