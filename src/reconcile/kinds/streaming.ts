import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { nodeResource } from '../names.ts';
import { step, type Step } from '../plan.ts';
import { findNode } from './find-node.ts';

/**
 * What makes followers stream again whose address, or whose leader's, changes while they run. PostgreSQL notices a
 * connection that lost its address only when it times out; until then both ends count as streaming.
 */
export function planStreaming(
  context: GroupContext,
  view: Extract<GroupView, { phase: 'led' }>,
  steps: readonly Step[],
): readonly Step[] {
  const { group, topology } = context;
  const moved = (resource: string): boolean =>
    steps.some(
      (each) =>
        each.resource === resource && each.action.do === 'connect' && each.action.network === topology.network.name,
    );
  const idsOf = (resource: string): readonly string[] =>
    steps.filter((each) => each.resource === resource).map(({ id }) => id);
  const leader = group.nodes.find(({ slot }) => slot === view.leader.slot);
  const leaderResource = leader === undefined ? '' : nodeResource(leader.name);
  return group.nodes.flatMap((node) => {
    const resource = nodeResource(node.name);
    const observed = findNode(context, node.slot);
    if (resource === leaderResource || observed?.container.state !== 'running') return [];
    if (!moved(resource) && !moved(leaderResource)) return [];
    // One that is started anew connects anew.
    if (steps.some((each) => each.resource === resource && startsAnew(each))) return [];
    const action = {
      do: 'resume-streaming',
      node: { container: observed.container.id, layout: observed.layout },
      name: node.name,
      leader: { container: view.leader.container.id, layout: view.leader.layout },
      superuser: group.user,
    } as const;
    return [step(resource, action, [...idsOf(resource).slice(-1), ...idsOf(leaderResource).slice(-1)])];
  });
}

function startsAnew({ action }: Step): boolean {
  return action.do === 'start' || action.do === 'restart' || action.do === 'create-container';
}
