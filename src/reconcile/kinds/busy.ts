import type { Container } from '../../docker/types.ts';
import { findLeading } from '../group.ts';
import { labelNames, nodeResource, readSlot } from '../names.ts';
import type { Blocked, Part } from '../plan.ts';
import type { Topology } from '../../topology/model.ts';
import type { Snapshot } from '../snapshot.ts';
import { resourceOf } from './find-node.ts';

/** Resources whose containers another call to the engine holds, as the file names them: nothing else is to wait for them. */
export function busyResources(topology: Topology, { busy }: Snapshot): ReadonlySet<string> {
  return new Set(busy.map((container) => nameInFile(topology, container) ?? resourceOf(container)));
}

function nameInFile({ groups }: Topology, { labels }: Container): string | undefined {
  const slot = readSlot(labels);
  const node = groups.find(({ name }) => name === labels[labelNames.group])?.nodes.find((each) => each.slot === slot);
  return node === undefined ? undefined : nodeResource(node.name);
}

/** Says what is waited for. */
export function planBusy(topology: Topology, snapshot: Snapshot): Part {
  return { blocked: snapshot.busy.map((each) => blockedByCall(topology, snapshot, each)) };
}

function blockedByCall(topology: Topology, snapshot: Snapshot, container: Container): Blocked {
  const { name, labels } = container;
  const group = topology.groups.find((each) => each.name === labels[labelNames.group]);
  const slot = readSlot(labels);
  const leads = group !== undefined && slot !== undefined && findLeading(group, snapshot) === slot;
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
