import { slotName, type Role } from '../../postgres/config.ts';
import { layoutOf } from '../../postgres/layout.ts';
import { nodeRevision, type Revision } from '../../postgres/revision.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import { commitsOf } from './commits.ts';
import { findNode } from './find-node.ts';
import type { NodeSettings } from './group-record.ts';

export function nodeSettings(context: GroupContext, node: Node): NodeSettings {
  const { user, database } = context.group;
  // Of the image that its container has: the file may name another by now.
  const { postgresMajor: major } = findNode(context, node.slot)?.container ?? context.snapshot.images[node.image] ?? {};
  const { name, slot: number, parameters, hba } = node;
  return { name, number, superuser: user, database, parameters, hba, major };
}

/** What a node is to be, undefined while nobody can know. */
export function roleOf(context: GroupContext, node: Node): Role | undefined {
  const { view, addresses, group } = context;
  if (view.phase === 'fresh') return node.slot === group.nodes[0].slot ? { is: 'bootstrap' } : undefined;
  if (view.phase !== 'led') return undefined;
  const { systemIdentifier, record: reign } = view;
  if (node.slot === view.leader.slot) return { is: 'lead', systemIdentifier, reign, commits: commitsOf(context, view) };
  const leaderAddress = addresses.node(group.name, view.leader.slot);
  if (leaderAddress === undefined) return undefined;
  const held = group.replication.mode === 'quorum';
  return { is: 'follow', systemIdentifier, leaderAddress, slot: slotName(node.slot), reign, held };
}

/** The revision a node is to have, undefined while nobody can know. */
export function wantedRevision(context: GroupContext, node: Node): Revision | undefined {
  const role = roleOf(context, node);
  const observed = findNode(context, node.slot);
  const layout = observed?.layout ?? layoutOf(context.snapshot.images[node.image]?.volumes ?? []);
  return role === undefined ? undefined : nodeRevision({ ...nodeSettings(context, node), role }, layout);
}
