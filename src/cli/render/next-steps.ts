import { isByPause } from '../../reconcile/plan.ts';
import type { FullStatus } from './status.ts';

/** A command worth running next, and why. */
export type NextStep = { readonly command: string; readonly why: string };

/**
 * What a person may do next about a cluster that is not well; `paths` are those the user gave. What is blocked says its
 * remedy by itself.
 */
export function findNextSteps(status: FullStatus, paths: readonly string[]): readonly NextStep[] {
  const { groups, sync, blocked, daemon, leftovers } = status;
  const file = paths.length === 0 ? '' : ` ${quote(status.file)}`;
  const parts = groups.flatMap(({ nodes, balancer }) => [...nodes, balancer]);
  const isKept = daemon !== null;
  // Its remedy ends the pause, and all else waits for that.
  if (blocked.some(isByPause)) return [];
  if (parts.every(({ state }) => state === 'missing') && !isKept) {
    return [{ command: `pgherd reconcile --once${file}`, why: 'nothing of it runs on this engine: bring it up' }];
  }
  const steps: NextStep[] = [];
  if (sync === 'OutOfSync' && isKept) {
    steps.push({ command: `pgherd events --follow ${status.name}`, why: 'what the daemon does about it' });
  } else if (sync === 'OutOfSync') {
    steps.push({ command: `pgherd plan${file}`, why: 'what is to be done' });
    if (blocked.length === 0) steps.push({ command: `pgherd reconcile --once${file}`, why: 'have it done' });
  }
  const ailing = parts.filter(({ health, state }) => health === 'Degraded' && state === 'running');
  if (ailing.length > 0) {
    const names = ailing.map(({ name }) => name).join(' ');
    steps.push({ command: `pgherd logs --tail 20 ${names}`, why: 'what it says itself' });
  }
  const [leftover] = leftovers;
  if (leftover !== undefined && sync === 'InSync') {
    steps.push({ command: `pgherd prune ${leftover}`, why: 'remove what is not needed any more, by name; it asks' });
  }
  return steps;
}

// As a shell takes it for one word.
function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
