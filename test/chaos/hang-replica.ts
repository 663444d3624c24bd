import { docker, dockerResult, pause } from '../e2e/support/engine.ts';
import { until } from '../e2e/support/until.ts';
import type { Fault } from './fault-sequence.ts';
import { dieLater, harm, orUndo, type Injected } from './injected.ts';
import { isOfServer, listProcesses, signal, inspectProcess } from './processes.ts';
import type { Stage } from './stage.ts';

type HangReplica = Extract<Fault, { kind: 'hang-replica' }>;

/** Has a replica stand still until there was a write. */
export async function hangReplica(fault: HangReplica, stage: Stage, leader: string): Promise<Injected> {
  const replica = stage.followers(leader)[fault.replica];
  if (replica === undefined) throw new Error(`there is no replica ${fault.replica + 1}`);
  const release = await hang(fault.by, replica.container);
  return orUndo(() => harm(() => dieLater(fault.death, leader), { release }), release);
}

/** Gives what ends it. */
async function hang(by: HangReplica['by'], name: string): Promise<() => Promise<void>> {
  if (by === 'docker pause') {
    await pause(name);
    // Whoever else unpauses it does well.
    return async () => {
      await dockerResult(['unpause', name]);
    };
  }
  const container = await docker('inspect', '--format', '{{.Id}}', name);
  const stopped = new Set<number>();
  await until(
    `all of the server in ${name} stands still`,
    () => {
      const found = listProcesses([container]).filter(isOfServer);
      const more = found.filter(({ pid }) => !stopped.has(pid));
      for (const { pid } of more) {
        signal(pid, 'SIGSTOP');
        stopped.add(pid);
      }
      return more.length;
    },
    (more) => more === 0,
  );
  return () => {
    for (const pid of stopped) if (inspectProcess(pid, [container]) !== undefined) signal(pid, 'SIGCONT');
    return Promise.resolve();
  };
}
