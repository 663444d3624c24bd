import { setTimeout as delay } from 'node:timers/promises';
import { docker, dockerResult, pause } from '../e2e/support/engine.ts';
import { findPostmaster, isThere, type Process } from '../e2e/support/postmaster.ts';
import { crashTwice } from './crash-twice.ts';
import { die } from './deaths.ts';
import type { Fault } from './fault-sequence.ts';
import { hangReplica } from './hang-replica.ts';
import { harm, run, type Injected } from './injected.ts';
import { runReports } from './reports.ts';
import { killScripts } from './script-faults.ts';
import type { Stage } from './stage.ts';
import { stallCommand } from './stalled-command.ts';
import { suspendController } from './suspend-controller.ts';
import { useUpConnections } from './connections.ts';

/** Does it to whoever leads. */
export async function inject(fault: Fault, stage: Stage): Promise<Injected> {
  const { container } = (await stage.awaitLeader(limitMs)).node;
  switch (fault.kind) {
    case 'kill':
    case 'kill-postmaster':
    case 'remove':
    case 'out-of-memory':
      return harm(() => die(fault.kind, container));
    case 'pause':
      return harm(() => pause(container).then(() => undefined), { finish: () => unpause(container, fault.ms) });
    case 'stop-postmaster': {
      const postmaster = await findPostmaster(container);
      const stop = (): Promise<undefined> => {
        process.kill(postmaster.pid, 'SIGSTOP');
        return Promise.resolve(undefined);
      };
      return harm(stop, { finish: () => continueProcess(postmaster, fault.ms) });
    }
    case 'disconnect':
      return harm(() => disconnect(stage, container, fault.from));
    case 'kill-controller':
      return harm(() => die(fault.during, container), { finish: () => replaceController(stage, fault) });
    case 'kill-next-leader':
      await docker('kill', container);
      return harmNextLeader(stage);
    case 'kill-two':
      return harm(() => killTwo(stage, container, fault.replica));
    case 'crash-twice':
      return crashTwice(fault, container);
    case 'stalled-pause':
    case 'stalled-switchover':
    case 'stalled-failover':
      return stallCommand(fault, stage, container);
    case 'reports':
      return runReports(fault, stage, container);
    case 'connections':
      return useUpConnections(fault, stage, container);
    case 'hang-replica':
      return hangReplica(fault, stage, container);
    case 'kill-script':
      return killScripts(fault, stage, container);
    case 'suspend-controller':
      return suspendController(fault, stage, container);
    case 'restart-engine':
      return harm(() => stage.engine.end(fault.by).then(() => undefined), {
        finish: async () => {
          await delay(fault.ms);
          await stage.engine.start();
          return undefined;
        },
      });
  }
}

/** How long to wait for someone to lead. */
const limitMs = 60_000;

/** Whoever else unpauses, kills or removes it does well. */
async function unpause(container: string, ms: number): Promise<undefined> {
  await delay(ms);
  await dockerResult(['unpause', container]);
}

/** It may have been killed by then. */
async function continueProcess(postmaster: Process, ms: number): Promise<undefined> {
  await delay(ms);
  if (await isThere(postmaster)) process.kill(postmaster.pid, 'SIGCONT');
}

async function disconnect(
  stage: Stage,
  container: string,
  from: (Fault & { kind: 'disconnect' })['from'],
): Promise<undefined> {
  const own = stage.cluster.name;
  const networks = [...(from === 'write network' ? [] : [own]), ...(from === 'own network' ? [] : [`${own}_rw`])];
  for (const network of networks) await docker('network', 'disconnect', '--force', network, container);
}

async function replaceController(stage: Stage, fault: Fault & { kind: 'kill-controller' }): Promise<undefined> {
  await delay(fault.afterMs);
  await stage.daemon.kill();
  await delay(fault.awayMs);
  await stage.startDaemon();
}

async function harmNextLeader(stage: Stage): Promise<Injected> {
  const next = await stage.awaitLeader(limitMs);
  return harm(() => run('kill', next.node.container));
}

async function killTwo(stage: Stage, leader: string, replica: 0 | 1): Promise<undefined> {
  const other = stage.followers(leader)[replica];
  if (other === undefined) throw new Error(`there is no replica ${replica + 1}`);
  await Promise.all([leader, other.container].map((container) => docker('kill', container)));
}
