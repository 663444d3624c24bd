import { readJournal } from '../../daemon/journal.ts';
import { findStateDir } from '../../daemon/state-dir.ts';
import { readConditions, type DaemonState } from '../../daemon/state-file.ts';
import { look } from '../../reconcile/look.ts';
import type { Plan } from '../../reconcile/plan.ts';
import { readPasswords } from '../../reconcile/passwords.ts';
import { readStatus } from '../../reconcile/status.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { painter, type Output } from '../output.ts';
import { findNextSteps } from '../render/next-steps.ts';
import { renderStatus } from '../render/status.ts';
import { connect, loadOrReport, readText, type GlobalOptions } from '../session.ts';

/** How many of the last events are shown. */
const recentEvents = 5;

export async function status(
  paths: readonly string[],
  options: GlobalOptions & { readonly stateDir?: string },
  output: Output,
): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const engine = await connect(options, output);
  const dir = findStateDir(options.stateDir, process.env);
  const clusters = await Promise.all(
    topologies.map(async (topology) => {
      const passwords = await readPasswords(topology, { env: process.env, readFile: readText });
      const { snapshot, plan } = await look(engine, topology, passwords.fingerprints);
      const [live, daemon, events] = await Promise.all([
        readStatus(engine, topology, snapshot, plan),
        readConditions(dir, topology.cluster),
        readJournal(dir, { clusters: [topology.cluster], limit: recentEvents }).catch(() => []),
      ]);
      return { ...live, daemon: daemon === undefined ? null : withoutOldPause(daemon, plan), events };
    }),
  );
  const advised = clusters.map((cluster) => ({ ...cluster, next: findNextSteps(cluster, paths) }));
  if (output.format === 'json') {
    output.print(JSON.stringify({ clusters: advised }, undefined, 2));
    return exitCodes.done;
  }
  const view = { paint: painter(output.colour), width: output.columns(), now: Date.now() };
  for (const { next, ...cluster } of advised) output.print(renderStatus(cluster, { ...view, next }));
  return exitCodes.done;
}

// A daemon sees the end of a pause with its next look: what it says until then is known to be over.
function withoutOldPause(daemon: DaemonState, plan: Plan): DaemonState {
  if (plan.blocked.some(({ reason }) => reason.code === 'paused')) return daemon;
  const conditions = daemon.conditions.filter(({ type, reason }) => type !== 'Stalled' || reason !== 'paused');
  return { ...daemon, conditions };
}
