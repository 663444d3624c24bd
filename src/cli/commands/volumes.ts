import { PgherdError } from '../../base/error.ts';
import { listKnown } from '../../base/suggest.ts';
import { listDataVolumes, listVolumeClusters } from '../../reconcile/list-volumes.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { painter, type Output } from '../output.ts';
import { renderVolumes, stateOf } from '../render/volumes.ts';
import { connect, type GlobalOptions } from '../session.ts';

export type VolumesFlags = GlobalOptions & { readonly size?: boolean };

/** Lists the data volumes of clusters, those that nobody uses too. */
export async function volumes(clusters: readonly string[], flags: VolumesFlags, output: Output): Promise<ExitCode> {
  const engine = await connect(flags, output);
  const known = await listVolumeClusters(engine);
  for (const cluster of clusters) if (!known.includes(cluster)) throw unknownCluster(cluster, known);
  const [listed, sizes] = await Promise.all([
    listDataVolumes(engine, clusters.length === 0 ? known : [...new Set(clusters)]),
    flags.size === true ? engine.measureVolumes() : undefined,
  ]);
  if (output.format === 'json') {
    const json = listed.map((volume) => ({
      cluster: volume.cluster,
      group: volume.group,
      node: volume.node,
      slot: volume.slot,
      generation: volume.generation,
      name: volume.name,
      state: stateOf(volume),
      used_by: volume.usedBy,
      created: volume.createdAt,
      note: volume.note,
      ...(sizes === undefined ? {} : { size_bytes: sizes.get(volume.name) ?? null }),
    }));
    output.print(JSON.stringify({ volumes: json }, undefined, 2));
  } else if (listed.length === 0) {
    output.note('no data volume of pgherd is on this engine');
  } else {
    const view = { paint: painter(output.colour), width: output.columns() };
    output.print(renderVolumes(listed, sizes, view).join('\n'));
  }
  return exitCodes.done;
}

function unknownCluster(cluster: string, known: readonly string[]): PgherdError {
  return new PgherdError('not-found', `this engine has no volume of a cluster "${cluster}"`, {
    remedy: listKnown(cluster, known),
  });
}
