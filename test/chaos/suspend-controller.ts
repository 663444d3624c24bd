import { setTimeout as delay } from 'node:timers/promises';
import { lockName } from '../../src/reconcile/names.ts';
import { dockerResult } from '../e2e/support/engine.ts';
import type { Fault } from './fault-sequence.ts';
import { harm, type Injected } from './injected.ts';
import { signal } from './processes.ts';
import { changeLeaders } from './script-faults.ts';
import { awaitScript } from './script-watch.ts';
import type { Stage } from './stage.ts';

type SuspendController = Extract<Fault, { kind: 'suspend-controller' }>;

/** Milliseconds in which a script is waited for. */
const watchMs = 8000;

/**
 * Has the daemon stand still while leaders change, takes its lock away, so that another one goes on with it, and has the
 * first one go on as well, which may believe that it has the lock.
 */
export async function suspendController(fault: SuspendController, stage: Stage, leader: string): Promise<Injected> {
  const standby = await stage.startStandby();
  const first = stage.controller;
  const { pid } = first.daemon.running.child;
  if (pid === undefined) throw new Error('the daemon has not started');
  const moment = awaitMoment(fault, stage);
  return harm(
    async () => {
      const began = performance.now();
      const { began: later = began } = (await changeLeaders(fault.during, stage, leader)) ?? {};
      await moment;
      signal(pid, 'SIGSTOP');
      stage.takeOver(standby);
      await dockerResult(['rm', '--force', lockName(stage.cluster.name)]);
      return { began: later };
    },
    {
      finish: async () => {
        await delay(fault.ms);
        signal(pid, 'SIGCONT');
        // By then it has done what harm it does.
        await stage.awaitStandby(first);
        return undefined;
      },
      // A process that stands still would outlive the test.
      release: () => {
        signal(pid, 'SIGCONT');
        return Promise.resolve();
      },
    },
  );
}

async function awaitMoment({ at }: SuspendController, stage: Stage): Promise<void> {
  if (typeof at === 'number') await delay(at);
  else await awaitScript(at, () => stage.containerIds(), AbortSignal.timeout(watchMs));
}
