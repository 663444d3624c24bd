import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError } from '../../base/error.ts';
import { keepRecord } from '../../daemon/keep-record.ts';
import type { Engine } from '../../docker/engine.ts';
import { readPasswords } from '../../reconcile/passwords.ts';
import { reconcile as reconcileCluster } from '../../reconcile/reconcile.ts';
import type { Result, World } from '../../reconcile/work.ts';
import { createStepQueue } from '../../reconcile/step-queue.ts';
import type { Topology } from '../../topology/model.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { exitByHangup } from '../hangup.ts';
import { openCommandJournal } from '../journal.ts';
import { formatError, painter, type Output } from '../output.ts';
import { renderPlan } from '../render/plan.ts';
import { openProgress } from '../render/progress.ts';
import { errorEvent } from '../render/progress-events.ts';
import { outliveReader } from '../reader.ts';
import { connect, loadOrReport, readBytes, readText, type GlobalOptions } from '../session.ts';

export type ReconcileFlags = GlobalOptions & {
  readonly timeout: number;
  readonly parallel: number;
  readonly stateDir?: string;
};

/** The real clock, randomness and files. */
export const world: World = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal });
  },
  randomBytes,
  readFile: readBytes,
};

export async function reconcile(paths: readonly string[], flags: ReconcileFlags, output: Output): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const engine = await connect(flags, output);
  const isConverged = await converge({ engine, topologies, by: 'reconcile --once' }, flags, output);
  return isConverged ? exitCodes.done : exitCodes.notConverged;
}

type Work = { readonly engine: Engine; readonly topologies: readonly Topology[]; readonly by: string };

/** Brings clusters to what their files say, tells of it, and gives whether all of them are there. */
export async function converge(
  { engine, topologies, by }: Work,
  flags: ReconcileFlags,
  output: Output,
): Promise<boolean> {
  const signal = interruptSignal(output);
  const journal = openCommandJournal(flags.stateDir, output);
  const queue = createStepQueue(flags.parallel);
  const startedAt = performance.now();
  const display = await openProgress(output, signal);
  const work = topologies.map(async (topology) => {
    const { cluster } = topology;
    const run = randomBytes(4).toString('hex');
    const record = keepRecord(journal, { cluster, run, by });
    let holder: string | undefined;
    const passwords = await readPasswords(topology, { env: process.env, readFile: readText });
    const result = await reconcileCluster(engine, topology, passwords, world, {
      timeout: flags.timeout * 1000,
      signal,
      queue,
      onProgress: (progress) => {
        if (progress.type === 'planned' && progress.round === 1 && output.format === 'text') {
          output.print(renderPlan(progress.plan, painter(output.colour)));
        }
        if (progress.type === 'waiting-for-lock') holder = progress.holder;
        display.report(cluster, progress);
        record(progress);
      },
    });
    display.end(cluster, result.converged);
    return { result, holder };
  });
  const results = await Promise.all(work).finally(display.close);
  await journal.close();
  for (const { result, holder } of results) printResult(result, output, performance.now() - startedAt, holder);
  return results.every(({ result }) => result.converged);
}

/**
 * Aborted by the first Ctrl-C or SIGTERM; the second ends the process at once. A terminal that is closed tells so more
 * than once (the system does, and the shell), and never asks twice. For work that is finished whoever reads of it.
 */
export function interruptSignal(output: Output): AbortSignal {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      if (name === 'SIGHUP') return;
      output.note('stopped at once; run the same command again to go on');
      process.exit(name === 'SIGINT' ? 130 : 143);
    }
    if (name === 'SIGHUP') exitByHangup();
    output.note('stopping: what has begun is finished, nothing new is started (again to stop at once)');
    controller.abort(new InterruptedError('stopped by the user'));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  outliveReader();
  return controller.signal;
}

/** Tells how a run ended; `holder` is who had the lock meanwhile. */
export function printResult(result: Result, output: Output, milliseconds: number, holder?: string): void {
  if (output.format === 'json') {
    const failures = result.failures.map(({ resource, error }) => ({ resource, ...errorEvent(error) }));
    output.print(JSON.stringify({ ...result, event: 'result', failures }));
    return;
  }
  const took = `${(milliseconds / 1000).toFixed(1)} s`;
  if (result.converged) {
    const byOther =
      holder === undefined
        ? 'nothing was changed'
        : `what there was to do was done by ${holder.replace(/, since .*$/, '')}`;
    const what =
      result.done === 0 ? byOther : `${String(result.done)} ${result.done === 1 ? 'step' : 'steps'} done in ${took}`;
    output.print(`${result.cluster}: ${painter(output.colour)('green', 'converged')}, ${what}.`);
    return;
  }
  const stopped =
    result.stopped === undefined ? '' : ` (${result.stopped === 'timed-out' ? 'timed out' : 'interrupted'})`;
  output.note(`${result.cluster}: ${painter(output.noteColour)('red', 'not converged')} after ${took}${stopped}`);
  for (const { resource, reason, remedy } of result.blocked) {
    output.note(`  ${resource} is blocked: ${reason.detail} [${reason.code}]\n    remedy: ${remedy}`);
  }
  for (const { resource, error } of result.failures) output.note(`  ${resource}: ${indent(formatError(error))}`);
  if (result.stopped !== undefined) output.note('  run the same command again to go on');
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
