import type { Container } from '../../docker/types.ts';
import { formatRecordName, type RecordName } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { unreadVolumes } from '../group.ts';
import { balancerResource, labelNames, nodeResource, readSlot } from '../names.ts';
import type { ObservedNode } from '../snapshot.ts';
import { readSpecField } from './container.ts';
import type { Votes } from './group-record.ts';
import type { Placed } from './node-folder.ts';

export function findNode(context: GroupContext, slot: number): ObservedNode | undefined {
  return context.snapshot.nodes.find((each) => each.group === context.group.name && each.slot === slot);
}

/** The name of a node that the file may no longer have, from what its container was made with. */
export function nodeName({ container, group, slot }: Pick<ObservedNode, 'container' | 'group' | 'slot'>): string {
  const host = readSpecField(container, 'host');
  return host ?? usualNodeName(group, slot);
}

/** What the container of a node or balancer is of. */
export function resourceOf(container: Container): string {
  const { labels } = container;
  const group = labels[labelNames.group] ?? '';
  if (labels[labelNames.kind] === 'balancer') return balancerResource(group);
  return nodeResource(nodeName({ container, group, slot: readSlot(labels) ?? 0 }));
}

/** The name of a node that is given none. */
export function usualNodeName(group: string, slot: number): string {
  return slot === 0 ? `${group}-primary` : `${group}-replica${String(slot)}`;
}

/** Where a node is, for steps. */
export function placed({ container, layout }: ObservedNode): Placed {
  return { container: container.id, layout };
}

/** Where a node's volume is written into, with the image that knows the number of its owner. */
export function targetOf(node: ObservedNode): Placed & { readonly image: string } {
  return { ...placed(node), image: node.container.image };
}

/** A volume to read the newest record of a group from: rather that of a follower that runs, since nothing is done to it. */
export function findSource(
  { group, snapshot }: GroupContext,
  { record, source }: { readonly record: RecordName; readonly source: ObservedNode },
): Placed {
  const running = snapshot.nodes.find(
    ({ group: of, slot, container, facts }) =>
      of === group.name &&
      slot !== record.leader &&
      container.state === 'running' &&
      facts.record !== undefined &&
      formatRecordName(facts.record) === formatRecordName(record),
  );
  return placed(running ?? source);
}

/** The volumes that can say who leads: those that are read, and how many there are with those that nobody reads. */
export function votersOf({ group, snapshot }: GroupContext, { members }: RecordName): Votes {
  const read = snapshot.nodes.filter(
    (node) => node.group === group.name && node.facts.record !== undefined && members.includes(node.slot),
  );
  // Of a node that the file does not have any more, no container is made to read it by.
  const unread = unreadVolumes(group, snapshot).filter(({ slot }) => group.nodes.some((node) => node.slot === slot));
  const slots = new Set(unread.map(({ slot }) => slot));
  return { voters: read.map(placed), votes: read.length + members.filter((slot) => slots.has(slot)).length };
}
