import { setTimeout as delay } from 'node:timers/promises';
import { nodeScripts, type NodeScript } from './fault-sequence.ts';
import { inspectProcess, listPids, type ContainerProcess } from './processes.ts';

/** Milliseconds between two looks at what runs. */
const paceMs = 8;

/** Looks at a new process until it counts as known: between its fork and its program it is not yet what it will be. */
const looks = 6;

/** Which of pgherd's scripts a shell in a node runs; undefined: none. */
export function scriptOf(command: readonly string[]): NodeScript | undefined {
  const [program = '', path = ''] = command;
  const name = /\/pgherd\/(?:config|rev\.[^/]+)\/([a-z-]+)$/.exec(path)?.[1];
  return program.endsWith('sh') ? nodeScripts.find((each) => each === name) : undefined;
}

/**
 * Waits for a shell that begins to run the script in one of the containers (ids, asked for anew as they change), and
 * gives its process; undefined: none did until the signal.
 */
export async function awaitScript(
  script: NodeScript,
  containers: () => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<ContainerProcess | undefined> {
  const seen = new Map<number, number>();
  for (let count = 0, ids: readonly string[] = []; !signal.aborted; count += 1) {
    if (count % 50 === 0) ids = await containers();
    const pids = listPids();
    for (const pid of seen.keys()) if (!pids.includes(pid)) seen.delete(pid);
    for (const pid of pids) {
      const times = seen.get(pid) ?? 0;
      seen.set(pid, times + 1);
      if (times >= looks) continue;
      const found = inspectProcess(pid, ids);
      if (found !== undefined && scriptOf(found.command) === script) return found;
    }
    await delay(paceMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}
