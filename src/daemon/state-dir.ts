import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/**
 * The folder for what pgherd remembers and can do without: the flag, `$XDG_STATE_HOME/pgherd`, or
 * `~/.local/state/pgherd`.
 * Source: https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function findStateDir(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  if (flag !== undefined && flag !== '') return resolve(flag);
  const base = env['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(base) ? base : join(findHome(env), '.local', 'state'), 'pgherd');
}

// A user that only a number names has no home: no reason to fail before anything is done.
function findHome(env: NodeJS.ProcessEnv): string {
  const home = env['HOME'] ?? '';
  if (isAbsolute(home)) return home;
  try {
    return homedir();
  } catch {
    return '/';
  }
}
