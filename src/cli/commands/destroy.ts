import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { keepRecord } from '../../daemon/keep-record.ts';
import { destroy as destroyCluster, lookToDestroy } from '../../reconcile/destroy.ts';
import { createStepQueue } from '../../reconcile/step-queue.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { openCommandJournal } from '../journal.ts';
import { formatError, painter, type Output } from '../output.ts';
import { renderPlan } from '../render/plan.ts';
import { errorEvent, reportProgress } from '../render/progress.ts';
import { connect, loadOrReport, type GlobalOptions } from '../session.ts';
import { interruptSignal, world } from './reconcile.ts';

export type DestroyFlags = GlobalOptions & {
  readonly volumes?: boolean;
  readonly yes?: boolean;
  readonly timeout: number;
  readonly stateDir?: string;
};

export async function destroy(paths: readonly string[], flags: DestroyFlags, output: Output): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const engine = await connect(flags, output);
  const paint = painter(output.colour);
  const withVolumes = flags.volumes === true;
  const journal = openCommandJournal(flags.stateDir, output);
  let code: ExitCode = exitCodes.done;
  for (const { cluster } of topologies) {
    const plan = await lookToDestroy(engine, cluster, withVolumes);
    if (plan.steps.length === 0) {
      if (output.format === 'text') output.print(`${cluster}: nothing to remove.`);
      continue;
    }
    if (output.format === 'text') output.print(renderPlan(plan, paint));
    if (!(await isConfirmed(cluster, withVolumes, flags, output))) return exitCodes.error;
    const startedAt = performance.now();
    const report = reportProgress(output, cluster, startedAt);
    const record = keepRecord(journal, { cluster, run: randomBytes(4).toString('hex'), by: 'destroy' });
    const signal = AbortSignal.any([interruptSignal(output), AbortSignal.timeout(flags.timeout * 1000)]);
    const result = await destroyCluster(engine, cluster, withVolumes, world, {
      timeout: flags.timeout * 1000,
      signal,
      queue: createStepQueue(8),
      onProgress: (progress) => {
        report(progress);
        record(progress);
      },
    });
    if (output.format === 'json') {
      const failures = result.failures.map(({ resource, error }) => ({ resource, ...errorEvent(error) }));
      output.print(JSON.stringify({ ...result, event: 'result', failures }));
    } else if (result.converged) {
      output.print(`${cluster}: removed; ${withVolumes ? 'its volumes too' : 'its volumes are kept'}.`);
    }
    if (!result.converged) {
      const why = result.stopped === undefined ? '' : ' (interrupted or timed out)';
      output.note(`${cluster}: not all of it was removed${why}; run the same command again to go on`);
      code = exitCodes.notConverged;
    }
    for (const { resource, error } of result.failures) output.note(`  ${resource}: ${formatError(error)}`);
  }
  await journal.close();
  return code;
}

async function isConfirmed(
  cluster: string,
  withVolumes: boolean,
  flags: DestroyFlags,
  output: Output,
): Promise<boolean> {
  if (flags.yes === true) return true;
  if (!process.stdin.isTTY) {
    output.note('error: destroy asks before it acts, and there is no terminal to ask on\n  remedy: add --yes');
    return false;
  }
  const what = withVolumes ? 'and ALL ITS DATA' : '(its volumes are kept)';
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`Remove cluster ${cluster} ${what}? Type its name to go on: `);
  prompt.close();
  if (answer.trim() === cluster) return true;
  output.note('nothing was removed');
  return false;
}
