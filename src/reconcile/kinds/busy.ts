import type { Container } from '../../docker/types.ts';
import { findLeading } from '../group.ts';
import { labelNames, readSlot } from '../names.ts';
import { without, type Blocked, type Change, type Part, type Step } from '../plan.ts';
import type { Topology } from '../../topology/model.ts';
import type { Snapshot } from '../snapshot.ts';
import { resourceOf } from './find-node.ts';

/** Milliseconds after which a container is looked at again that another call holds: nothing tells the end of that. */
const busyPause = 2000;

/** Resources whose containers another call to the engine holds: nothing else is to wait for them. */
export function busyResources({ busy }: Snapshot): ReadonlySet<string> {
  return new Set(busy.map(resourceOf));
}

/** A plan that leaves such containers alone: they are there, and neither are they made nor anything after that. */
export function withoutBusy(
  planned: { readonly changes: readonly Change[]; readonly steps: readonly Step[] },
  snapshot: Snapshot,
): { readonly changes: readonly Change[]; readonly steps: readonly Step[] } {
  const resources = busyResources(snapshot);
  if (resources.size === 0) return planned;
  const changes = planned.changes.filter(({ resource }) => !resources.has(resource));
  return { changes, steps: without(planned.steps, resources) };
}

/** Says what is waited for. */
export function planBusy(topology: Topology, snapshot: Snapshot): Part {
  if (snapshot.busy.length === 0) return {};
  return { blocked: snapshot.busy.map((each) => blockedByCall(topology, snapshot, each)), recheck: busyPause };
}

function blockedByCall(topology: Topology, snapshot: Snapshot, container: Container): Blocked {
  const { name, labels } = container;
  const group = topology.groups.find((each) => each.name === labels[labelNames.group]);
  const leads = group !== undefined && findLeading(group, snapshot) === readSlot(labels);
  // The engine does not tell the end of one either, as long as it is held.
  const serves = snapshot.reports.get(container.id)?.recovery === false;
  const cost = leads ? `. It leads${serves ? '' : ' and does not answer'}, and nobody takes over from it before` : '';
  const detail = `another call to the engine holds ${name}, such as \`docker cp\`: nothing can be read of it, or done to it, until that is over${cost}`;
  return {
    resource: resourceOf(container),
    reason: { code: 'container-busy', detail },
    remedy: 'wait for the end of that call, or end it',
  };
}
