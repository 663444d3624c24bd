import { setTimeout as delay } from 'node:timers/promises';
import { docker, dockerResult } from '../e2e/support/engine.ts';
import { until } from '../e2e/support/until.ts';
import type { Fault } from './fault-sequence.ts';
import { harm, type Injected } from './injected.ts';
import { listProcesses, signal } from './processes.ts';

type CrashTwice = Extract<Fault, { kind: 'crash-twice' }>;

/** Milliseconds in which it is back, unless somebody takes it out of service. */
const returnMs = 5000;

/** Kills one of a server's processes, and the one that takes its place too. */
export async function crashTwice(fault: CrashTwice, name: string): Promise<Injected> {
  const container = await docker('inspect', '--format', '{{.Id}}', name);
  const first = find(fault.process, container);
  if (first === undefined) throw new Error(`${name} has no ${fault.process}`);
  return harm(async () => {
    signal(first, 'SIGKILL');
    const second = await awaitNext(fault, container, first);
    if (second === undefined) return undefined;
    await delay(fault.apartMs);
    signal(second, 'SIGKILL');
    if (!fault.isKilledThen) return undefined;
    if ((await awaitNext(fault, container, second)) !== undefined) await dockerResult(['kill', name]);
    return undefined;
  });
}

/** Undefined: it does not come back, since another node leads by now. */
function awaitNext(fault: CrashTwice, container: string, before: number): Promise<number | undefined> {
  return until(
    `there is another ${fault.process}`,
    () => find(fault.process, container),
    (found) => found !== undefined && found !== before,
    returnMs,
  ).catch(() => undefined);
}

function find(process: CrashTwice['process'], container: string): number | undefined {
  return listProcesses([container]).find(({ command: [program = '', first] }) =>
    process === 'postmaster' ? program === 'postgres' && first === '-D' : /^postgres: .*checkpointer/.test(program),
  )?.pid;
}
