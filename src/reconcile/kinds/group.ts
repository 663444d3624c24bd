import { revisionInPlaceOf } from '../../base/revision.ts';
import type { GroupContext } from '../context.ts';
import { unreadFor, type GroupView } from '../group.ts';
import type { Decision } from '../situation.ts';
import { groupResource, nodeResource } from '../names.ts';
import { mergeParts, type Blocked, type Part, type Step } from '../plan.ts';
import { planBalancer } from './balancer.ts';
import { planCommits } from './commit-steps.ts';
import { decideFor, planDismissal, planFence, type Known } from './leadership.ts';
import { planMembership } from './membership.ts';
import { wantedRevision } from './node-config.ts';
import { planNodes } from './node.ts';
import { bringsUp, findHeldRestarts, orderSteps } from './order.ts';
import { planReaders } from './readers.ts';
import { freeReplays, planStreaming } from './streaming.ts';
import { orderSuccession, planSuccession } from './succession.ts';

type Led = Extract<GroupView, { phase: 'led' }>;

/** A group: who leads, who is a member, and its nodes and balancer in the order that keeps it serving. */
export function planGroup(context: GroupContext): Part {
  const { view } = context;
  const decision = decideFor(context);
  if (view.phase === 'led' || view.phase === 'lost') {
    if (decision?.is === 'fence') return planFence(context, view, decision);
    if (decision?.is === 'promote') return planPromotion(context, view, decision);
  }
  const isStandoff = decision?.is === 'kept' && decision.blocked?.code === 'second-writer';
  // Whatever is done to the nodes or their leader may take away the only live copy, or make two of it.
  const part = isStandoff ? planReaders(context) : planMembers(context);
  if (decision?.is === 'dismiss') return mergeParts([planDismissal(context, decision.why), part]);
  if (decision?.is !== 'kept') return part;
  const { blocked, recheck } = decision;
  const resource = groupResource(context.group.name);
  const hindrance =
    blocked === undefined
      ? []
      : [
          {
            resource,
            reason: { code: blocked.code, detail: blocked.detail },
            remedy: blocked.remedy.replaceAll('GROUP', context.group.name),
          },
        ];
  return mergeParts([part, { blocked: hindrance, recheck }]);
}

// Everything is what the group is to be like once the new leader is written down.
function planPromotion(context: GroupContext, view: Known, decision: Extract<Decision, { is: 'promote' }>): Part {
  const { record, change, next } = planSuccession(context, view, decision);
  const part = planMembers(next, view.record.leader);
  return mergeParts([
    { changes: [change] },
    { ...part, steps: orderSuccession(next, decision, record, part.steps ?? []) },
  ]);
}

// `returning`: a slot that comes back as another than it was.
function planMembers(context: GroupContext, returning?: number): Part {
  const { view, group } = context;
  const resource = groupResource(group.name);
  const isStuck = view.phase === 'blocked';
  const blocked = isStuck ? [{ resource, reason: view.reason, remedy: view.remedy }] : [];
  const nodes = mergeParts(planNodes(context));
  const starts = nodes.steps.filter((each) => bringsUp(context, each));
  const starting = group.nodes.filter(
    ({ name, slot }) => slot !== returning && starts.some(({ resource }) => resource === nodeResource(name)),
  );
  const balancer = planBalancer(context, new Set(starting.map(({ slot }) => slot)));
  if (view.phase !== 'led') {
    return mergeParts([{ blocked, recheck: unreadFor(group, context.snapshot) }, nodes, balancer]);
  }
  const membership = planMembership(context, view, balancer);
  const resuming = planStreaming(context, view, nodes.steps);
  const freed = freeReplays(context, view);
  const ordered = [...membership.before, ...nodes.steps, ...resuming];
  // A record is written once a round. Who leaves and may hold what was acknowledged stays until the others have it.
  const isListed = view.record.sync?.listed.some((slot) => !group.nodes.some((node) => node.slot === slot)) === true;
  const isRecorded =
    membership.before.some(({ action }) => action.do === 'write-record') || (membership.after.length > 0 && !isListed);
  const commits: Part = isRecorded ? {} : planCommits(context, view, findLoaded(context, view, nodes.steps));
  const after = isListed ? [] : membership.after;
  const removalWaits = isListed && membership.after.length > 0 && (commits.steps ?? []).length === 0;
  const all = [...ordered, ...(commits.steps ?? [])];
  const steps = orderSteps(context, view, all, balancer.steps ?? [], nodes.checks);
  return mergeParts([
    { changes: membership.changes, steps: [...steps, ...after] },
    { blocked: findHeldRestarts(context, steps) },
    { blocked: removalWaits && isHeard(context, view) ? [blockedRemoval(resource)] : [] },
    freed,
    { changes: commits.changes ?? [], recheck: commits.recheck },
    { changes: nodes.changes, blocked: nodes.blocked, checks: nodes.checks },
    { changes: balancer.changes ?? [], blocked: balancer.blocked ?? [], checks: balancer.checks ?? [] },
  ]);
}

function isHeard({ snapshot }: GroupContext, { leader }: Led): boolean {
  return snapshot.reports.get(leader.container.id)?.recovery === false;
}

function blockedRemoval(resource: string): Blocked {
  return {
    resource,
    reason: {
      code: 'removal-waits',
      detail:
        'a replica that leaves the file may hold what was acknowledged, and too few others stream to have it as well',
    },
    remedy: 'bring the other replicas back, or put it back into the file',
  };
}

/** Whether the leader goes by the revision it is to have, and the step by which it will. */
function findLoaded(
  context: GroupContext,
  view: Led,
  steps: readonly Step[],
): { readonly isInForce: boolean; readonly loads: string | undefined } {
  const node = context.group.nodes.find(({ slot }) => slot === view.leader.slot);
  if (node === undefined || view.leader.container.state !== 'running') return { isInForce: false, loads: undefined };
  const resource = nodeResource(node.name);
  const { loaded } = view.leader.facts;
  const wanted = wantedRevision(context, node)?.name;
  return {
    isInForce: wanted !== undefined && loaded === revisionInPlaceOf(wanted, loaded),
    loads: steps.find((each) => each.resource === resource && each.action.do === 'reload')?.id,
  };
}
