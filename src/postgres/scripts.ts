import apply from './scripts/apply.sh';
import awaitReady from './scripts/await.sh';
import bootstrap from './scripts/bootstrap.sh';
import caughtUp from './scripts/caught-up.sh';
import detach from './scripts/detach.sh';
import heartbeat from './scripts/heartbeat.sh';
import health from './scripts/health.sh';
import prelude from './scripts/prelude.sh';
import promote from './scripts/promote.sh';
import resume from './scripts/resume.sh';
import start from './scripts/start.sh';

/**
 * The shell scripts of a node's revision, by file name. They take no argument that a user wrote: names and addresses
 * reach them through files beside them.
 */
export const nodeScripts: Readonly<
  Record<
    'start' | 'bootstrap' | 'apply' | 'health' | 'await' | 'resume' | 'heartbeat' | 'detach' | 'promote' | 'caught-up',
    string
  >
> = {
  start: prelude + start,
  bootstrap: prelude + bootstrap,
  apply: prelude + apply,
  health: prelude + health,
  await: prelude + awaitReady,
  resume: prelude + resume,
  heartbeat: prelude + heartbeat,
  detach: prelude + detach,
  promote: prelude + promote,
  'caught-up': prelude + caughtUp,
};
