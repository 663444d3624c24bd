import { PgherdError } from '../base/error.ts';
import { listKnown } from '../base/suggest.ts';
import type { Group, Node, Topology } from '../topology/model.ts';

/** The group of that name, which one of the topologies must have. */
export function findGroup(topologies: readonly Topology[], name: string): { topology: Topology; group: Group } {
  const found = topologies.flatMap((topology) =>
    topology.groups.filter((group) => group.name === name).map((group) => ({ topology, group })),
  );
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const names = topologies.flatMap(({ groups }) => groups.map((group) => group.name));
  if (first === undefined) {
    throw new PgherdError('not-found', `there is no group "${name}" in these files`, {
      remedy: listKnown(name, names),
    });
  }
  const clusters = found.map(({ topology }) => topology.cluster).join(', ');
  throw new PgherdError('not-found', `more than one cluster has a group "${name}": ${clusters}`, {
    remedy: 'name the file of the one you mean',
  });
}

/** The node that a name, the name of its container, or its node_id means. */
export function findNode(group: Group, name: string): Node {
  const named = group.nodes.filter((each) => each.name === name || each.containerName === name);
  const numbered = group.nodes.filter(({ slot }) => String(slot) === name);
  const [first, second] = new Set([...named, ...numbered]);
  if (first !== undefined && second === undefined) return first;
  if (first === undefined) {
    const names = group.nodes.map((each) => each.name);
    throw new PgherdError('not-found', `there is no node "${name}" in the group ${group.name}`, {
      remedy: listKnown(name, names),
    });
  }
  const remedy = 'name it by its host or its container';
  throw new PgherdError('not-found', `"${name}" is a name in the group ${group.name}, and the node_id of another`, {
    remedy,
  });
}
