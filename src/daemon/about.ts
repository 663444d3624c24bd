import type { EngineEvent } from '../docker/engine.ts';
import type { Snapshot } from '../reconcile/snapshot.ts';
import type { Topology } from '../topology/model.ts';

/** Whether an event that carries no labels, of a network or a volume, is about a part of a cluster. */
export function isAbout(
  { id, attributes }: EngineEvent,
  { network }: Topology,
  snapshot: Snapshot | undefined,
): boolean {
  const container = attributes['container'];
  if (container !== undefined && snapshot !== undefined) {
    return [...snapshot.nodes, ...snapshot.balancers].some((each) => each.container.id === container);
  }
  const { name } = attributes;
  if (name === network.name || name === network.writeName) return true;
  return snapshot?.volumes.some(({ volume }) => volume.name === id) === true;
}
