import { PgherdError } from '../base/error.ts';
import type { Volume } from '../docker/types.ts';
import type { Group, Topology } from '../topology/model.ts';
import { currentVolume, viewGroup } from './group.ts';
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
  const known = described.topology.groups.find((each) => each.name === group);
  return known === undefined ? undefined : refuseLastData(name, volume, known, described.snapshot);
}

// Who leads with which data is known only while servers are there to say so, and what took its place may be half a clone.
function refuseLastData(name: string, { labels }: Volume, group: Group, snapshot: Snapshot): PgherdError | undefined {
  if (viewGroup(group, snapshot).phase !== 'led') {
    return new PgherdError('volume-in-use', `${name} may be needed: nobody leads ${group.name}, and says what it has`, {
      remedy:
        'bring the cluster up with `pgherd reconcile --once`, or remove all of it with `pgherd destroy --volumes`',
    });
  }
  const slot = readSlot(labels);
  if (!group.nodes.some((node) => node.slot === slot)) return undefined;
  const successor = snapshot.nodes.find((node) => node.group === group.name && node.slot === slot);
  if (successor?.facts.state.is === 'data') return undefined;
  const after = successor === undefined ? 'what came after it' : `${successor.volume}, which came after it,`;
  return new PgherdError('volume-in-use', `${name} may be needed: ${after} is not whole`, {
    remedy: `wait until ${usualNodeName(group.name, slot ?? 0)} is healthy, see \`pgherd status\``,
    retry: true,
  });
}
