import type { Report } from '../postgres/report.ts';
import { newestRecord } from './group.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** What plans, status and conditions say of such a node. */
export const takesWritesText = 'takes writes, and does not lead';

/**
 * Whether a node takes writes although its group's record names another leader. Its server says so, or was started as a
 * leader, or was started as a standby and is none any more. A former leader that is about to follow was started as
 * neither.
 */
export function isSecondWriter(
  node: ObservedNode,
  { nodes, reports }: { readonly nodes: Snapshot['nodes']; readonly reports: ReadonlyMap<string, Report> },
): boolean {
  const { container, facts, group, isStandby, slot } = node;
  if (facts.state.is !== 'data' || (container.state !== 'running' && container.state !== 'paused')) return false;
  const takesWrites =
    reports.get(container.id)?.recovery === false ||
    facts.serves === 'lead' ||
    facts.serves === 'promoting' ||
    (facts.serves === 'follow' && !isStandby);
  if (!takesWrites) return false;
  const leader = newestRecord(nodes.filter((each) => each.group === group))?.record.leader;
  return leader !== undefined && leader !== slot;
}

/** Whether it is certain that a node takes writes: it says so itself. */
export function isServing({ container }: ObservedNode, { reports }: Pick<Snapshot, 'reports'>): boolean {
  return container.state === 'running' && reports.get(container.id)?.recovery === false;
}
