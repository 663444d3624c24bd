import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { findNode, placed, targetOf } from './find-node.ts';
import type { NodeAction } from './node-actions.ts';

type WriteRecord = Extract<NodeAction, { do: 'write-record' }>;

/** Writes down what a group knows of itself, into the volumes of all nodes that have its record. */
export function recordAction(
  context: GroupContext,
  view: Extract<GroupView, { phase: 'led' }>,
  members: readonly number[],
  renewPassword = false,
  known: WriteRecord['known'] = {},
): WriteRecord {
  const { group } = context;
  const targets = group.nodes.flatMap((node) => {
    const observed = findNode(context, node.slot);
    return observed?.facts.record === undefined ? [] : [targetOf(observed)];
  });
  return {
    do: 'write-record',
    group: group.name,
    source: { ...placed(view.source), record: view.record },
    leader: view.leader.slot,
    members,
    systemIdentifier: view.systemIdentifier,
    renewPassword,
    known,
    targets,
  };
}
