import type { GroupContext } from '../context.ts';
import { nodeResource } from '../names.ts';
import { mergeParts, step, type Part, type Step } from '../plan.ts';
import { streamingFollowers, type Led } from './commits.ts';
import { findNode, placed } from './find-node.ts';

/** Milliseconds for which readers may keep a follower from its leader while commits need it. */
const conflictPatience = 1000;

/**
 * What makes followers stream again whose address, or whose leader's, changes while they run. PostgreSQL notices a
 * connection that lost its address only when it times out; until then both ends count as streaming.
 */
export function planStreaming(context: GroupContext, view: Led, steps: readonly Step[]): readonly Step[] {
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

/**
 * A standby starts no WAL receiver before it has replayed what it has, and readers may keep it from that for as long as
 * max_standby_streaming_delay allows. Where commits wait for it, or go unprotected, they are ended.
 */
export function freeReplays(context: GroupContext, view: Led): Part {
  const { group, snapshot } = context;
  const { mode, syncReplicas } = group.replication;
  const leader = snapshot.reports.get(view.leader.container.id);
  if (mode !== 'quorum' || leader?.recovery !== false) return {};
  if (streamingFollowers(context, view, leader).length >= syncReplicas) return {};
  const parts = group.nodes.map(({ name, slot }): Part => {
    const observed = findNode(context, slot);
    const { isHeld, receiver, driftsFor = 0 } = snapshot.reports.get(observed?.container.id ?? '') ?? {};
    if (observed === undefined || isHeld !== true || receiver !== null) return {};
    if (driftsFor < conflictPatience) return { recheck: conflictPatience - driftsFor };
    const resource = nodeResource(name);
    const reason = { code: 'conflict', detail: 'its readers keep it from streaming, and commits need it' };
    return {
      changes: [{ resource, kind: 'node', actions: ['update'], reason, fields: [] }],
      steps: [step(resource, { do: 'free-replay', node: placed(observed) })],
    };
  });
  return mergeParts(parts);
}
