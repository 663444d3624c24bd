import { PgherdError } from '../base/error.ts';
import type { Volume } from '../docker/types.ts';
import type { Topology } from '../topology/model.ts';
import { currentVolume } from './group.ts';
import { usualNodeName } from './kinds/find-node.ts';
import { labelNames, readSlot } from './names.ts';
import type { Snapshot } from './snapshot.ts';

/** Volumes that hold an earlier generation, or belong to no node of the file: by name. */
export function findLeftovers(topology: Topology, snapshot: Snapshot): readonly string[] {
  const current = new Set(
    topology.groups.flatMap((group) =>
      group.nodes.map(({ slot }) => currentVolume(group.name, slot, snapshot)?.volume.name),
    ),
  );
  return snapshot.volumes.map(({ volume }) => volume.name).filter((name) => !current.has(name));
}

/** What is known of a volume that somebody wants to have removed. */
export type Named = {
  readonly name: string;
  /** As the engine has it; undefined: it has none of that name. */
  readonly volume: Volume | undefined;
  /** Names of containers that mount it, running or not. */
  readonly users: readonly string[];
  /** The file that describes its cluster, and the cluster as it is; undefined: no file does. */
  readonly described: { readonly topology: Topology; readonly snapshot: Snapshot } | undefined;
};

/** Why a volume must not be removed; undefined: it is a leftover that nobody uses. */
export function refuseRemoval({ name, volume, users, described }: Named): PgherdError | undefined {
  if (volume === undefined) return new PgherdError('not-found', `there is no volume ${name} on this engine`);
  const { [labelNames.cluster]: cluster, [labelNames.kind]: kind, [labelNames.group]: group } = volume.labels;
  if (kind !== 'volume' || cluster === undefined) {
    return new PgherdError('name-taken', `${name} is no data volume of pgherd`, {
      remedy: `if nobody needs it, \`docker volume rm ${name}\` removes it`,
    });
  }
  if (users.length > 0) {
    return new PgherdError('volume-in-use', `${name} is in use by ${users.join(', ')}`, {
      remedy: 'a volume goes only when no container has it any more, running or not',
    });
  }
  if (described === undefined) {
    return new PgherdError('not-found', `no file describes cluster ${cluster}, so that ${name} may be needed`, {
      remedy: `name its file with --file, or remove all of the cluster with \`pgherd destroy --volumes FILE\``,
    });
  }
  if (!findLeftovers(described.topology, described.snapshot).includes(name)) {
    return new PgherdError('volume-in-use', `${name} is needed: it holds the data of a node of ${cluster}`, {
      remedy: 'take the node out of the file first, or remove the whole cluster with `pgherd destroy --volumes`',
    });
  }
  return refuseLastData(name, volume, group, described.snapshot);
}

// What took its place may be half a clone yet.
function refuseLastData(
  name: string,
  { labels }: Volume,
  group: string | undefined,
  { nodes }: Snapshot,
): PgherdError | undefined {
  const slot = readSlot(labels);
  const successor = nodes.find((node) => node.group === group && node.slot === slot);
  if (successor === undefined || successor.facts.state.is === 'data') return undefined;
  const node = usualNodeName(successor.group, successor.slot);
  return new PgherdError(
    'volume-in-use',
    `${name} may be needed: ${successor.volume}, which came after it, is not whole`,
    {
      remedy: `wait until ${node} is healthy, see \`pgherd status\``,
      retry: true,
    },
  );
}
