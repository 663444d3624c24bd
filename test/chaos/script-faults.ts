import { setTimeout as delay } from 'node:timers/promises';
import { die } from './deaths.ts';
import type { DeathKind, Fault } from './fault-sequence.ts';
import { harm, type Began, type Injected } from './injected.ts';
import { inspectProcess, listFamily, signal } from './processes.ts';
import { awaitScript } from './script-watch.ts';
import type { Stage } from './stage.ts';

type KillScript = Extract<Fault, { kind: 'kill-script' }>;

/** Milliseconds in which scripts are waited for. */
const watchMs = 15_000;

/** Changes leaders, and kills scripts that this has run. */
export async function killScripts(fault: KillScript, stage: Stage, leader: string): Promise<Injected> {
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort();
  }, watchMs);
  const killed = killEach(fault, stage, over.signal);
  // Whoever waits for its end is told.
  killed.catch(() => undefined);
  return harm(() => changeLeaders(fault.during, stage, leader), {
    finish: async () => `${await killed} killed`,
    release: () => {
      clearTimeout(timer);
      over.abort();
      return Promise.resolve();
    },
  });
}

async function killEach(fault: KillScript, stage: Stage, ended: AbortSignal): Promise<number> {
  let count = 0;
  while (count < fault.times) {
    const found = await awaitScript(fault.script, () => stage.containerIds(), ended);
    if (found === undefined) break;
    await delay(fault.afterMs);
    // It may be done by then.
    if (inspectProcess(found.pid, [found.container]) === undefined) continue;
    for (const pid of fault.isWhole ? listFamily(found.pid) : [found.pid]) signal(pid, 'SIGKILL');
    count += 1;
  }
  return count;
}

/** By a death, or by a switchover that goes on by itself. */
export async function changeLeaders(
  by: DeathKind | 'switchover',
  stage: Stage,
  leader: string,
): Promise<Began | undefined> {
  if (by !== 'switchover') return die(by, leader);
  const command = ['switchover', stage.group, stage.cluster.file, '--timeout', '30'];
  void stage.tell(command, { timeoutMs: 90_000 }).catch(() => undefined);
  return undefined;
}
