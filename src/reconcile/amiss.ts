import { slotName } from '../postgres/config.ts';
import { findBusy, viewGroup, type GroupView } from './group.ts';
import { diagnose, findLackingSlots, isAdrift, streamsFrom, type Heard, type Reports } from './reports.ts';
import type { Snapshot } from './snapshot.ts';
import { isSecondWriter } from './writers.ts';
import type { Group, Topology } from '../topology/model.ts';

/**
 * What is amiss with the servers of a cluster, one line each, by what they say: a change of this is a reason to look.
 * Servers that were just started and say nothing yet are not amiss.
 */
export function findAmiss(topology: Topology, snapshot: Snapshot, reports: Reports): readonly string[] {
  return findAll(topology, snapshot, reports).map(({ what }) => what);
}

/**
 * What of it does not mend itself, and commits may wait for: whoever waits meanwhile may do so in vain. `promoted`:
 * containers of servers that are told to lead.
 */
export function findUrgent(
  topology: Topology,
  snapshot: Snapshot,
  reports: Reports,
  promoted: ReadonlySet<string> = new Set(),
): readonly string[] {
  const others = new Map([...reports].filter(([id]) => !promoted.has(id)));
  return findAll(topology, snapshot, others).flatMap(({ what, isOnItsWay }) => (isOnItsWay ? [] : [what]));
}

type Amiss = {
  readonly what: string;
  /** A follower that may stream any moment. */
  readonly isOnItsWay: boolean;
};

type Led = Extract<GroupView, { phase: 'led' }>;

function findAll(topology: Topology, snapshot: Snapshot, reports: Reports): readonly Amiss[] {
  return topology.groups.flatMap((group) => {
    const view = viewGroup(group, snapshot);
    if (view.phase !== 'led') return [];
    const lead = reports.get(view.leader.container.id);
    const followers = group.nodes.filter(({ slot }) => slot !== view.leader.slot).map(({ slot }) => slot);
    return [
      ...findLackingSlots(lead, followers).map((name) => urgent(`${group.name}: no slot ${name}`)),
      ...followers.flatMap((slot) => findIll(group, slot, lead, { nodes: snapshot.nodes, reports }) ?? []),
      ...findUnlisted(group, view, snapshot, reports).map(urgent),
    ];
  });
}

function urgent(what: string): Amiss {
  return { what, isOnItsWay: false };
}

function findIll(
  group: Group,
  slot: number,
  lead: Heard | undefined,
  seen: Pick<Snapshot, 'nodes' | 'reports'>,
): Amiss | undefined {
  const name = group.nodes.find((each) => each.slot === slot)?.name ?? '';
  const node = seen.nodes.find((each) => each.group === group.name && each.slot === slot);
  if (node === undefined) return undefined;
  if (isSecondWriter(node, seen)) return urgent(`${name}: takes writes`);
  const report = seen.reports.get(node.container.id);
  const ailment = diagnose(lead, report, slotName(slot));
  if (ailment !== undefined) return urgent(`${name}: ${ailment.code}`);
  if (report === undefined || streamsFrom(lead, report, name)) return undefined;
  const since = isAdrift(report) ? 'has not streamed for long' : 'does not stream';
  const held = report.isHeld === true ? ', held by readers' : '';
  return { what: `${name}: ${since}${held}`, isOnItsWay: !isAdrift(report) && report.isHeld !== true };
}

// Commits wait for those who stream: whoever comes or goes changes whom they wait for.
function findUnlisted(group: Group, { record, leader }: Led, snapshot: Snapshot, reports: Reports): readonly string[] {
  const lead = reports.get(leader.container.id);
  if (group.replication.mode !== 'quorum' || lead?.recovery !== false) return [];
  const { num, listed } = record.sync ?? { num: 0, listed: [] };
  const differs = listed.length > 0 && num !== group.replication.syncReplicas;
  const unlisted = group.nodes.flatMap(({ name, slot }) => {
    if (slot === leader.slot || findBusy(snapshot, group.name, slot) !== undefined) return [];
    const id = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container.id ?? '';
    const streams = streamsFrom(lead, reports.get(id), name);
    return streams === listed.includes(slot)
      ? []
      : [`${name}: ${streams ? 'not listed' : 'listed, and does not stream'}`];
  });
  return differs ? [...unlisted, `${group.name}: commits wait for ${String(num)}`] : unlisted;
}
