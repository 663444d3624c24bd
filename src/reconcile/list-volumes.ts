import type { Engine } from '../docker/engine.ts';
import { nodeName, usualNodeName } from './kinds/find-node.ts';
import { labelNames } from './names.ts';
import { observe } from './observe.ts';
import type { ObservedVolume, Snapshot } from './snapshot.ts';

/** A data volume, and what can be said of it without a file. */
export type ListedVolume = {
  readonly cluster: string;
  readonly group: string;
  readonly node: string;
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
  /** As the engine says it. */
  readonly createdAt: string;
  /** Names of containers that mount it, running or not. */
  readonly usedBy: readonly string[];
  readonly note: string;
};

/** Clusters of which the engine has a data volume, by name. */
export async function listVolumeClusters(engine: Engine): Promise<readonly string[]> {
  const volumes = await engine.listVolumes({ [labelNames.kind]: 'volume' });
  return [...new Set(volumes.flatMap(({ labels }) => labels[labelNames.cluster] ?? []))].sort();
}

/** The data volumes of clusters, node by node, the newest last. */
export async function listDataVolumes(engine: Engine, clusters: readonly string[]): Promise<readonly ListedVolume[]> {
  const [users, ...snapshots] = await Promise.all([
    engine.listVolumeUsers(),
    ...clusters.map((cluster) => observe(engine, cluster, undefined)),
  ]);
  return snapshots.flatMap((snapshot) =>
    snapshot.volumes
      .toSorted((a, b) =>
        a.group < b.group ? -1 : a.group > b.group ? 1 : a.slot - b.slot || a.generation - b.generation,
      )
      .map((volume) => describe(volume, snapshot, users.get(volume.volume.name) ?? [])),
  );
}

function describe(observed: ObservedVolume, snapshot: Snapshot, usedBy: readonly string[]): ListedVolume {
  const { volume, group, slot, generation } = observed;
  const node = snapshot.nodes.find((each) => each.group === group && each.slot === slot);
  return {
    cluster: snapshot.cluster,
    group,
    node: node === undefined ? usualNodeName(group, slot) : nodeName(node),
    slot,
    generation,
    name: volume.name,
    createdAt: volume.createdAt,
    usedBy,
    note: noteOf(observed, snapshot, usedBy),
  };
}

function noteOf(
  { volume, group, slot, generation }: ObservedVolume,
  snapshot: Snapshot,
  usedBy: readonly string[],
): string {
  const node = snapshot.nodes.find((each) => each.volume === volume.name);
  if (node !== undefined) {
    const { state, record } = node.facts;
    if (state.is !== 'data') return state.is;
    return record?.leader === slot ? 'leads' : 'follows';
  }
  if (usedBy.length > 0) return `by ${usedBy.join(', ')}`;
  const later = snapshot.volumes.filter(
    (each) => each.group === group && each.slot === slot && each.generation > generation,
  );
  if (later.length === 0) return 'the newest of its node';
  return `generation ${String(Math.max(...later.map((each) => each.generation)))} came after it`;
}
