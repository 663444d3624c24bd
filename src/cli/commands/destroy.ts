import { randomBytes } from 'node:crypto';
import { keepRecord } from '../../daemon/keep-record.ts';
import { destroy as destroyCluster, lookToDestroy } from '../../reconcile/destroy.ts';
import { createStepQueue } from '../../reconcile/step-queue.ts';
import { confirm } from '../confirm.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { openCommandJournal } from '../journal.ts';
import { formatError, painter, type Output } from '../output.ts';
import { renderPlan } from '../render/plan.ts';
import { openProgress } from '../render/progress.ts';
import { errorEvent } from '../render/progress-events.ts';
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
  let interrupted: AbortSignal | undefined;
  let code: ExitCode = exitCodes.done;
  for (const { cluster } of topologies) {
    const plan = await lookToDestroy(engine, cluster, withVolumes);
    if (plan.steps.length === 0) {
      if (output.format === 'text') output.print(`${cluster}: nothing to remove.`);
      continue;
    }
    if (output.format === 'text') output.print(renderPlan(plan, paint, 'is to be removed'));
    const refused = await confirm(askFor(cluster, withVolumes), flags, output);
    if (refused !== undefined) return refused;
    const record = keepRecord(journal, { cluster, run: randomBytes(4).toString('hex'), by: 'destroy' });
    // Not before it has asked: until then, Ctrl-C ends it at once.
    interrupted ??= interruptSignal(output);
    const display = await openProgress(output, interrupted);
    display.report(cluster, { type: 'planned', plan, round: 1 });
    const result = await destroyCluster(engine, cluster, withVolumes, world, {
      timeout: flags.timeout * 1000,
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(flags.timeout * 1000)]),
      queue: createStepQueue(8),
      onProgress: (progress) => {
        display.report(cluster, progress);
        record(progress);
      },
    })
      .then((ended) => {
        display.end(cluster, ended.converged);
        return ended;
      })
      .finally(display.close);
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

function askFor(cluster: string, withVolumes: boolean): Parameters<typeof confirm>[0] {
  const what = withVolumes ? 'and ALL ITS DATA' : '(its volumes are kept)';
  const question = `Remove cluster ${cluster} ${what}? Type its name to go on: `;
  return { command: 'destroy', question, expected: cluster };
}
