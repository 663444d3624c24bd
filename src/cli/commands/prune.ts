import { PgherdError } from '../../base/error.ts';
import { didYouMean } from '../../base/suggest.ts';
import type { Engine } from '../../docker/engine.ts';
import { refuseRemoval } from '../../reconcile/leftovers.ts';
import { listDataVolumes, type ListedVolume } from '../../reconcile/list-volumes.ts';
import { labelNames, volumeResource } from '../../reconcile/names.ts';
import { observe } from '../../reconcile/observe.ts';
import { formatDiagnostic, loadTopologies } from '../../topology/load.ts';
import type { Topology } from '../../topology/model.ts';
import { confirm } from '../confirm.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { openCommandJournal } from '../journal.ts';
import { formatError, painter, type Output } from '../output.ts';
import { describeVolume, renderVolumes } from '../render/volumes.ts';
import { connect, type GlobalOptions } from '../session.ts';

export type PruneFlags = GlobalOptions & {
  readonly file?: readonly string[];
  readonly yes?: boolean;
  readonly stateDir?: string;
};

/** Removes volumes that are named and that nobody needs; without names, says which could be. */
export async function prune(names: readonly string[], flags: PruneFlags, output: Output): Promise<ExitCode> {
  const load = (): Promise<readonly Topology[] | undefined> => loadOrNone(flags.file ?? [], output);
  const topologies = await load();
  if (topologies === undefined) return exitCodes.error;
  const engine = await connect(flags, output);
  return names.length === 0
    ? listLeftovers(engine, topologies, flags, output)
    : removeNamed(engine, { topologies, load }, [...new Set(names)], flags, output);
}

/** The topologies of the paths, or of the usual ones where there are any; undefined where a file has an error. */
async function loadOrNone(paths: readonly string[], output: Output): Promise<readonly Topology[] | undefined> {
  const { topologies, diagnostics } = await loadTopologies(paths);
  const isNothingHere = paths.length === 0 && diagnostics.length === 1 && diagnostics[0]?.code === 'no-file';
  if (isNothingHere) return [];
  for (const diagnostic of diagnostics) output.note(formatDiagnostic(diagnostic));
  return diagnostics.some(({ severity }) => severity === 'error') ? undefined : topologies;
}

async function listLeftovers(
  engine: Engine,
  topologies: readonly Topology[],
  { file = [] }: PruneFlags,
  output: Output,
): Promise<ExitCode> {
  if (topologies.length === 0) {
    throw new PgherdError('not-found', 'there is no topology file here, which would say what is needed', {
      remedy: 'name one with --file; `pgherd volumes` lists all volumes',
    });
  }
  const found = await Promise.all(
    topologies.map(async (topology) => {
      const [listed, snapshot] = await Promise.all([
        listDataVolumes(engine, [topology.cluster]),
        observe(engine, topology.cluster, undefined),
      ]);
      const volumes = new Map(snapshot.volumes.map(({ volume }) => [volume.name, volume]));
      return listed.filter(({ name, usedBy: users }) => {
        const described = { topology, snapshot };
        return refuseRemoval({ name, volume: volumes.get(name), users, described }) === undefined;
      });
    }),
  );
  const leftovers = found.flat();
  if (output.format === 'json') {
    output.print(JSON.stringify({ leftovers: leftovers.map(({ name }) => name) }));
  } else if (leftovers.length === 0) {
    output.print('nothing to prune: every volume is needed, or may be; name one to see why.');
  } else {
    const view = { paint: painter(output.colour), width: output.columns() };
    output.print(renderVolumes(leftovers, undefined, view).join('\n'));
    const files = file.map((path) => `--file ${path} `).join('');
    output.print(`\nto remove them:\n  pgherd prune ${files}${leftovers.map(({ name }) => name).join(' ')}`);
  }
  return exitCodes.done;
}

type Files = {
  readonly topologies: readonly Topology[];
  /** As the files are now. */
  readonly load: () => Promise<readonly Topology[] | undefined>;
};

async function removeNamed(
  engine: Engine,
  { topologies, load }: Files,
  names: readonly string[],
  flags: PruneFlags,
  output: Output,
): Promise<ExitCode> {
  const looked = await Promise.all(names.map(async (name) => ({ name, found: await look(engine, topologies, name) })));
  const removable = looked.flatMap(({ name, found }) => {
    if (!(found instanceof PgherdError)) return [found];
    refuse(name, found, output);
    return [];
  });
  if (removable.length === 0) return exitCodes.error;
  const refused = await confirm(askFor(removable), flags, output);
  if (refused !== undefined) return refused;
  const journal = openCommandJournal(flags.stateDir, output);
  let removed = 0;
  for (const { name, cluster, createdAt } of removable) {
    try {
      // Somebody may have thought about it for long, and changed a file meanwhile.
      const again = await look(engine, (await load()) ?? [], name);
      if (again instanceof PgherdError) throw again;
      if (again.createdAt !== createdAt) throw new PgherdError('name-taken', `${name} is another volume meanwhile`);
      await engine.removeVolume(name);
    } catch (error) {
      refuse(name, error, output);
      continue;
    }
    removed += 1;
    const resource = volumeResource(name);
    void journal.append({
      cluster,
      by: 'prune',
      type: 'step',
      resource,
      reason: 'asked for',
      message: 'remove-volume',
    });
    output.print(output.format === 'json' ? JSON.stringify({ volume: name, removed: true }) : `${name}: removed.`);
  }
  await journal.close();
  return removed === names.length ? exitCodes.done : exitCodes.error;
}

/** A volume that may go, or why it may not, as it is now. */
async function look(
  engine: Engine,
  topologies: readonly Topology[],
  name: string,
): Promise<ListedVolume | PgherdError> {
  const [volume, users] = await Promise.all([engine.inspectVolume(name), engine.listVolumeUsers()]);
  const cluster = volume?.labels[labelNames.cluster];
  const topology = topologies.find((each) => each.cluster === cluster);
  const described =
    topology === undefined ? undefined : { topology, snapshot: await observe(engine, topology.cluster, undefined) };
  const refusal = refuseRemoval({ name, volume, users: users.get(name) ?? [], described });
  if (refusal !== undefined) return volume === undefined ? withHint(engine, name, refusal) : refusal;
  const listed = cluster === undefined ? [] : await listDataVolumes(engine, [cluster]);
  return listed.find((each) => each.name === name) ?? new PgherdError('not-found', `${name} went away meanwhile`);
}

async function withHint(engine: Engine, name: string, refusal: PgherdError): Promise<PgherdError> {
  const known = (await engine.listVolumes({ [labelNames.kind]: 'volume' })).map((volume) => volume.name);
  return new PgherdError(refusal.code, refusal.message, { remedy: `${didYouMean(name, known)}see \`pgherd volumes\`` });
}

function refuse(name: string, error: unknown, output: Output): void {
  if (output.format === 'json' && error instanceof PgherdError) {
    const { code, message, remedy } = error;
    output.print(JSON.stringify({ volume: name, removed: false, error: { code, message, remedy } }));
  } else {
    output.note(formatError(error));
  }
}

function askFor(volumes: readonly ListedVolume[]): Parameters<typeof confirm>[0] {
  const lines = volumes.map((volume) => `  ${volume.name}: ${describeVolume(volume)}`);
  const [first, ...others] = volumes;
  const isOne = others.length === 0;
  const what = isOne
    ? 'this volume and ALL DATA in it'
    : `these ${String(volumes.length)} volumes and ALL DATA in them`;
  return {
    command: 'prune',
    question: `${lines.join('\n')}\nRemove ${what}? Type ${isOne ? 'its name' : 'yes'} to go on: `,
    expected: isOne ? (first?.name ?? '') : 'yes',
  };
}
