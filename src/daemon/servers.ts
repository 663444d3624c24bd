import { slotName } from '../postgres/config.ts';
import { viewGroup, type GroupView } from '../reconcile/group.ts';
import { diagnose, findLackingSlots, isAdrift, streamsFrom, type Reports } from '../reconcile/reports.ts';
import type { Snapshot } from '../reconcile/snapshot.ts';
import { isSecondWriter } from '../reconcile/writers.ts';
import type { Group, Topology } from '../topology/model.ts';

/**
 * What is amiss with the servers of a cluster, one line each, by what they say: a change of this is a reason to look.
 * Servers that were just started and say nothing yet are not amiss.
 */
export function findAmiss(topology: Topology, snapshot: Snapshot, reports: Reports): readonly string[] {
  return topology.groups.flatMap((group) => {
    const view = viewGroup(group, snapshot);
    if (view.phase !== 'led') return [];
    const leader = reports.get(view.leader.container.id);
    const followers = group.nodes.filter(({ slot }) => slot !== view.leader.slot);
    const lacking = findLackingSlots(
      leader,
      followers.map(({ slot }) => slot),
    );
    const ill = followers.flatMap(({ name, slot }) => {
      const id = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container.id ?? '';
      const report = reports.get(id);
      const node = snapshot.nodes.find((each) => each.container.id === id);
      if (node !== undefined && isSecondWriter(node, { nodes: snapshot.nodes, reports }))
        return [`${name}: takes writes`];
      const ailment = diagnose(leader, report, slotName(slot));
      if (ailment !== undefined) return [`${name}: ${ailment.code}`];
      if (report === undefined || streamsFrom(leader, report, name)) return [];
      const held = report.isHeld === true ? ', held by readers' : '';
      return [`${name}: ${isAdrift(report) ? 'has not streamed for long' : 'does not stream'}${held}`];
    });
    return [
      ...lacking.map((name) => `${group.name}: no slot ${name}`),
      ...ill,
      ...findUnlisted(group, view, snapshot, reports),
    ];
  });
}

/** What commits of the cluster's groups may wait for in vain. */
export function findHeldCommits(topology: Topology, snapshot: Snapshot, reports: Reports): readonly string[] {
  return topology.groups.flatMap((group) => {
    const view = viewGroup(group, snapshot);
    return view.phase === 'led' ? findUnlisted(group, view, snapshot, reports) : [];
  });
}

// Commits wait for those who stream: whoever comes or goes changes whom they wait for.
function findUnlisted(
  group: Group,
  { record, leader }: Extract<GroupView, { phase: 'led' }>,
  snapshot: Snapshot,
  reports: Reports,
): readonly string[] {
  const lead = reports.get(leader.container.id);
  if (group.replication.mode !== 'quorum' || lead?.recovery !== false) return [];
  const { num, listed } = record.sync ?? { num: 0, listed: [] };
  const differs = listed.length > 0 && num !== group.replication.syncReplicas;
  const unlisted = group.nodes.flatMap(({ name, slot }) => {
    if (slot === leader.slot) return [];
    const id = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container.id ?? '';
    const streams = streamsFrom(lead, reports.get(id), name);
    return streams === listed.includes(slot)
      ? []
      : [`${name}: ${streams ? 'not listed' : 'listed, and does not stream'}`];
  });
  return differs ? [...unlisted, `${group.name}: commits wait for ${String(num)}`] : unlisted;
}
