import { isFileError } from '../../daemon/journal-files.ts';
import { eventTypes, readJournal } from '../../daemon/journal.ts';
import { findStateDir } from '../../daemon/state-dir.ts';
import { readConditions, type DaemonState } from '../../daemon/state-file.ts';
import type { Engine } from '../../docker/engine.ts';
import { look } from '../../reconcile/look.ts';
import { isByPause, type Plan } from '../../reconcile/plan.ts';
import type { Snapshot } from '../../reconcile/snapshot.ts';
import { readPasswords } from '../../reconcile/passwords.ts';
import { readStatus } from '../../reconcile/status.ts';
import { formatDiagnostic, loadTopologies } from '../../topology/load.ts';
import type { Topology } from '../../topology/model.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { formatError, painter, type Output } from '../output.ts';
import { interruption } from '../interruption.ts';
import { findNextSteps, type NextStep } from '../render/next-steps.ts';
import { renderStatus, type FullStatus } from '../render/status.ts';
import { connect, readText, type GlobalOptions } from '../session.ts';
import type { Look } from '../watch-status.ts';

export type StatusFlags = GlobalOptions & {
  readonly stateDir?: string;
  readonly watch?: boolean;
  readonly exitCode?: boolean;
  /** Seconds. */
  readonly interval: number;
};

/** Milliseconds that the clocks of this host and the engine's may differ. */
const clockSkew = 5000;

type Advised = FullStatus & { readonly next: readonly NextStep[] };

/** How many of the last events are shown: of those that tell more than that work was done. */
const recentEvents = 5;
const notable = eventTypes.filter((type) => type !== 'planned' && type !== 'step');

/** Prints how the clusters of these files are; with --watch again and again, until Ctrl-C. */
export async function status(paths: readonly string[], flags: StatusFlags, output: Output): Promise<ExitCode> {
  if (flags.watch === true) return watch(paths, flags, output);
  // A file that is broken hides its own cluster, and no other.
  const { topologies, diagnostics } = await loadTopologies(paths);
  const isBroken = diagnostics.some(({ severity }) => severity === 'error');
  if (output.format === 'text') for (const diagnostic of diagnostics) output.note(formatDiagnostic(diagnostic));
  const clusters = topologies.length === 0 ? [] : await readAll(topologies, paths, flags, output);
  const answer = { clusters, ...(isBroken ? { diagnostics } : {}) };
  if (output.format === 'json') output.print(JSON.stringify(answer, undefined, 2));
  else if (clusters.length > 0) output.print(render(clusters, output));
  if (isBroken) return exitCodes.error;
  const isWell = clusters.every(({ health, sync }) => health === 'Healthy' && sync === 'InSync');
  return isWell || flags.exitCode !== true ? exitCodes.done : exitCodes.notConverged;
}

async function readAll(
  topologies: readonly Topology[],
  paths: readonly string[],
  flags: StatusFlags,
  output: Output,
): Promise<readonly Advised[]> {
  const engine = await connect(flags, output);
  return Promise.all(topologies.map((topology) => readCluster(engine, topology, paths, flags, output.note)));
}

async function watch(paths: readonly string[], flags: StatusFlags, output: Output): Promise<ExitCode> {
  const { showerOf, watchStatus } = await import('../watch-status.ts');
  const interval = flags.interval * 1000;
  let engine: Engine | undefined;
  const look = async (): Promise<Look> => {
    const { topologies, diagnostics } = await loadTopologies(paths);
    const problems = diagnostics.map(formatDiagnostic);
    const warn = (text: string): void => void problems.push(text);
    try {
      engine ??= await connect(flags, output);
      const to = engine;
      const clusters = await Promise.all(topologies.map((topology) => readCluster(to, topology, paths, flags, warn)));
      const text = output.format === 'json' ? JSON.stringify({ clusters }) : render(clusters, output);
      return { text, problems, state: JSON.stringify(clusters.map(withoutFleeting)) };
    } catch (error) {
      // It is watched because something is wrong: an engine that is down now may be up the next time.
      return { text: '', problems: [...problems, formatError(error)], state: '' };
    }
  };
  await watchStatus(look, showerOf(output, interval, flags.color), interval, interruption());
  return exitCodes.done;
}

async function readCluster(
  engine: Engine,
  topology: Topology,
  paths: readonly string[],
  flags: StatusFlags,
  warn: (text: string) => void,
): Promise<Advised> {
  const dir = findStateDir(flags.stateDir, process.env);
  const passwords = await readPasswords(topology, { env: process.env, readFile: readText });
  const { snapshot, plan } = await look(engine, topology, passwords.fingerprints);
  const [live, daemon, events] = await Promise.all([
    readStatus(engine, topology, snapshot, plan),
    readConditions(dir, topology.cluster),
    readJournal(dir, {
      clusters: [topology.cluster],
      types: notable,
      limit: recentEvents,
      ...sinceItsBeginning(snapshot),
    }).catch((error: unknown) => {
      if (!isFileError(error)) throw error;
      warn(`warning: the journal in ${dir} cannot be read: ${error.message}`);
      return [];
    }),
  ]);
  const found = { ...live, daemon: daemon === undefined ? null : withoutOldPause(daemon, plan), events };
  return { ...found, next: findNextSteps(found, paths) };
}

// What a cluster of the same name did that is no more, data and all, says nothing of this one.
function sinceItsBeginning({ volumes }: Snapshot): { readonly since?: Date } {
  const times = volumes.map(({ volume }) => Date.parse(volume.createdAt)).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? {} : { since: new Date(Math.min(...times) - clockSkew) };
}

function render(clusters: readonly Advised[], output: Output): string {
  const view = { paint: painter(output.colour), width: output.columns(), now: Date.now() };
  return clusters.map(({ next, ...cluster }) => renderStatus(cluster, { ...view, next })).join('\n');
}

// Without what changes all the time, and is no news.
function withoutFleeting({ groups, ...cluster }: Advised): unknown {
  return {
    ...cluster,
    groups: groups.map((group) => ({
      ...group,
      nodes: group.nodes.map(({ replication, ...node }) => ({ ...node, replication: replication?.state })),
    })),
  };
}

// A daemon sees the end of a pause with its next look: what it says until then is known to be over.
function withoutOldPause(daemon: DaemonState, plan: Plan): DaemonState {
  if (plan.blocked.some(isByPause)) return daemon;
  const conditions = daemon.conditions.filter(({ type, reason }) => type !== 'Stalled' || reason !== 'paused');
  return { ...daemon, conditions };
}
