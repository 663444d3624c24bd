import { standbyBoundParameters } from '../../postgres/parameters.ts';
import type { Decision } from '../leadership.ts';
import { nodeSettings as allSettings, parseSettings } from '../../postgres/config.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { groupResource, nodeResource, volumeResource } from '../names.ts';
import { inOrder, mergeParts, step, type Change, type Part, type Step } from '../plan.ts';
import { findLackingSlots } from '../reports.ts';
import type { ObservedNode } from '../snapshot.ts';
import { planBalancer } from './balancer.ts';
import { isOfCommits, planCommits } from './commits.ts';
import { decideFor, planFence, type Known } from './leadership.ts';
import { planNodes } from './node.ts';
import { findNode, nodeName, placed } from './find-node.ts';
import { nodeSettings, roleOf, wantedRevision } from './node-config.ts';
import { recordAction } from './record-action.ts';
import { nodeStopSeconds } from './node-spec.ts';
import { mustPromote } from './revisions.ts';
import { planStreaming } from './streaming.ts';
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
  const part = planMembers(context, decision?.is === 'dismiss');
  if (decision?.is !== 'kept') return part;
  const { blocked, recheck } = decision;
  const resource = groupResource(context.group.name);
  const hindrance =
    blocked === undefined
      ? []
      : [{ resource, reason: { code: blocked.code, detail: blocked.detail }, remedy: blocked.remedy }];
  return mergeParts([part, { blocked: hindrance, recheck }]);
}

// Everything is what the group is to be like once the new leader is written down.
function planPromotion(context: GroupContext, view: Known, decision: Extract<Decision, { is: 'promote' }>): Part {
  const { record, change, next } = planSuccession(context, view, decision);
  const part = planMembers(next, false, view.record.leader);
  return mergeParts([
    { changes: [change] },
    { ...part, steps: orderSuccession(next, decision, record, part.steps ?? []) },
  ]);
}

// `dismisses`: a change of leaders that was asked for is over. `returning`: a slot that comes back as another than it was.
function planMembers(context: GroupContext, dismisses: boolean, returning?: number): Part {
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
    return mergeParts([{ blocked }, nodes, balancer]);
  }
  const membership = planMembership(context, view, balancer, dismisses);
  const resuming = planStreaming(context, view, nodes.steps);
  const ordered = [...membership.before, ...nodes.steps, ...resuming];
  const isRecorded =
    membership.before.some(({ action }) => action.do === 'write-record') || membership.after.length > 0;
  const commits = isRecorded || dismisses ? {} : planCommits(context, view, isLoaded(context, view));
  const steps = orderSteps(context, view, [...ordered, ...(commits.steps ?? [])], balancer.steps ?? []);
  return mergeParts([
    { changes: membership.changes, steps: [...steps, ...membership.after] },
    { changes: commits.changes ?? [] },
    { changes: nodes.changes, blocked: nodes.blocked, checks: nodes.checks },
    { changes: balancer.changes ?? [], blocked: balancer.blocked ?? [], checks: balancer.checks ?? [] },
  ]);
}

type Membership = {
  /** What must be done before new members are started. */
  readonly before: readonly Step[];
  /** What is done once departed members are out of use. */
  readonly after: readonly Step[];
  readonly changes: readonly Change[];
};

/** Whether the leader goes by the revision it is to have. */
function isLoaded(context: GroupContext, view: Led): boolean {
  const node = context.group.nodes.find(({ slot }) => slot === view.leader.slot);
  if (node === undefined || view.leader.container.state !== 'running') return false;
  return view.leader.facts.loaded === wantedRevision(context, node)?.name;
}

// The recorded list grows before anything relies on a new member, and shrinks after a departed one is gone.
function planMembership(context: GroupContext, view: Led, balancer: Part, dismisses: boolean): Membership {
  const { group, fingerprint } = context;
  const resource = groupResource(group.name);
  const wanted = group.nodes.map(({ slot }) => slot).sort((a, b) => a - b);
  const departed = departedNodes(context);
  // A leader that leaves hands over first; one that could not, and was stopped for it, leads on.
  const leaves = departed.find(({ slot }) => slot === view.leader.slot);
  if (leaves !== undefined) return { before: [], after: planReturn(leaves), changes: [] };
  const known = view.record.members;
  const arrived = wanted.filter((slot) => !known.includes(slot));
  const leaving = known.filter((slot) => !wanted.includes(slot));
  const isFirst = view.isBootstrapRecord;
  const renew = fingerprint !== undefined && fingerprint !== view.source.facts.secrets?.fingerprint;
  const lacking = lackingSlots(context, view, [...new Set([...known, ...wanted])]);
  const before: Step[] = [];
  if (arrived.length > 0 || isFirst || renew) {
    const password = step(resource, {
      do: 'set-password',
      group: group.name,
      node: placed(view.leader),
      superuser: group.user,
    });
    const grown = [...new Set([...known, ...wanted])].sort((a, b) => a - b);
    const slots = setSlots(context, view, grown);
    // The record tells the next run that the slots are there; of a bootstrap they are.
    const first = [...(renew ? [password.id] : []), ...(arrived.length > 0 && !isFirst ? [slots.id] : [])];
    const record = step(resource, recordAction(context, view, grown, renew), first);
    before.push(...(renew ? [password] : []), record, ...(arrived.length > 0 ? [slots] : []));
  }
  const promotion = findPromotion(context, view);
  if ((lacking.length > 0 || promotion !== undefined) && before.every(({ action }) => action.do !== 'set-slots')) {
    before.push(setSlots(context, view, known));
  }
  const removal = planRemoval(context, departed, balancer);
  const after = [...removal.steps];
  if (dismisses && before.length === 0) before.push(dismissal(context, view));
  if (before.length === 0 && leaving.length > 0) {
    const removed = removal.steps.map(({ id }) => id);
    const slots = setSlots(context, view, wanted, removed);
    after.push(slots, step(resource, recordAction(context, view, wanted, false), [slots.id]));
  }
  const changes: Change[] = [...removal.changes];
  const forgotten = leaving.filter((slot) => !departed.some((node) => node.slot === slot));
  if (forgotten.length > 0) changes.push(membershipChange(resource, known, wanted));
  if (lacking.length > 0) changes.push(slotsChange(resource, lacking));
  if (renew) changes.push(passwordChange(resource));
  if (dismisses) changes.push(dismissalChange(resource));
  return { before, after, changes };
}

// The record of a bootstrap is written before the slots are looked for: what made it made them.
function lackingSlots({ snapshot }: GroupContext, view: Led, members: readonly number[]): readonly string[] {
  if (view.isBootstrapRecord) return [];
  const followers = members.filter((slot) => slot !== view.leader.slot);
  return findLackingSlots(snapshot.reports.get(view.leader.container.id), followers);
}

function slotsChange(resource: string, lacking: readonly string[]): Change {
  return {
    resource,
    kind: 'group',
    actions: ['update'],
    reason: { code: 'slots', detail: 'its leader lacks replication slots of its followers' },
    fields: [{ path: 'slots', before: undefined, after: lacking.join(', '), effect: 'live' }],
  };
}

function setSlots(context: GroupContext, view: Led, members: readonly number[], after: readonly string[] = []): Step {
  const followers = members.filter((slot) => slot !== view.leader.slot);
  const action = { do: 'set-slots', node: placed(view.leader), superuser: context.group.user, followers } as const;
  const promotion = findPromotion(context, view);
  return step(groupResource(context.group.name), action, [...after, ...(promotion === undefined ? [] : [promotion])]);
}

function planRemoval(
  context: GroupContext,
  departed: readonly ObservedNode[],
  balancer: Part,
): { readonly steps: readonly Step[]; readonly changes: readonly Change[] } {
  const { group, snapshot, topology } = context;
  // Sessions leave first: the balancer lets go of a reader before its server goes.
  const lastOfBalancer = balancer.steps?.at(-1)?.id;
  const steps: Step[] = [];
  const changes: Change[] = [];
  for (const node of departed) {
    const name = nodeName(node);
    const remove = step(
      nodeResource(name),
      { do: 'remove-container', container: node.container.id, stopSeconds: nodeStopSeconds },
      lastOfBalancer === undefined ? [] : [lastOfBalancer],
    );
    steps.push(remove);
    const kept = topology.volumes.onRemove === 'retain';
    const detail = kept
      ? `not in the file; its volume ${node.volume} is kept`
      : `not in the file; volumes.on_remove is delete`;
    changes.push({
      resource: nodeResource(name),
      kind: 'node',
      actions: ['delete'],
      reason: { code: 'not-in-file', detail },
      fields: [],
    });
    if (kept) continue;
    const volumes = snapshot.volumes.filter((each) => each.group === group.name && each.slot === node.slot);
    for (const { volume } of volumes) {
      const resource = volumeResource(volume.name);
      steps.push(step(resource, { do: 'remove-volume', name: volume.name }, [remove.id]));
      changes.push({
        resource,
        kind: 'volume',
        actions: ['delete'],
        reason: { code: 'not-in-file', detail },
        fields: [],
      });
    }
  }
  return { steps, changes };
}

function departedNodes({ group, snapshot }: GroupContext): readonly ObservedNode[] {
  return snapshot.nodes.filter(
    (node) => node.group === group.name && !group.nodes.some(({ slot }) => slot === node.slot),
  );
}

/**
 * Followers start and restart after the leader is up, after the record and their slots are there, and restart one at a
 * time; the leader restarts first or last as hot standby demands. The balancer starts once the leader answers.
 */
function orderSteps(
  context: GroupContext,
  view: Led,
  steps: readonly Step[],
  balancerSteps: readonly Step[],
): readonly Step[] {
  const { group } = context;
  const leader = group.nodes.find(({ slot }) => slot === view.leader.slot);
  const leaderResource = leader === undefined ? '' : nodeResource(leader.name);
  const idsOf = (resource: string): readonly string[] =>
    steps.filter((each) => each.resource === resource).map(({ id }) => id);
  const lastOf = (resource: string): readonly string[] => idsOf(resource).slice(-1);
  // The bootstrap made the slots already; who clones before one is there tries again.
  const membership = steps
    .filter(({ resource, id }) => resource === groupResource(group.name) && !isOfCommits(id))
    .filter(({ action }) => action.do === 'write-record' || !view.isBootstrapRecord)
    .map(({ id }) => id);
  // A leader that runs, and is only told something new, is up.
  const isInterrupted = steps.some(({ resource, action }) => resource === leaderResource && interrupts(action));
  const promotion = findPromotion(context, view);
  const leaderUp = promotion !== undefined ? [promotion] : isInterrupted ? lastOf(leaderResource) : [];
  const followersFirst = leader !== undefined && raisesStandbyBound(context, leader);
  const restarting = steps.filter(({ action }) => action.do === 'restart');
  const chain = restartChain(restarting, leaderResource, followersFirst, lastOf);
  const ordered = steps.map((each) => {
    const isLeader = each.resource === leaderResource;
    const starts = each.action.do === 'start' || each.action.do === 'write-config';
    const waits: string[] = [...(chain.get(each.id) ?? [])];
    if (
      !isLeader &&
      starts &&
      membership.length > 0 &&
      each.action.do === 'write-config' &&
      each.action.record !== undefined
    ) {
      waits.push(...membership);
    }
    if (!isLeader && each.action.do === 'start') waits.push(...membership, ...(followersFirst ? [] : leaderUp));
    // Whoever follows a new leader does so when it leads, and has its slot there.
    if (!isLeader && promotion !== undefined && each.action.do === 'reload') waits.push(promotion);
    if (each.id === dismissalId(group.name) && view.leader.facts.serves === 'fenced') waits.push(...leaderUp);
    return waits.length === 0 ? each : { ...each, after: [...new Set([...each.after, ...waits])] };
  });
  // Sessions need a leader, and replicas that are at least there to refuse: one not started yet would be waited for.
  // A new leader's followers are known from the beginning.
  const started = promotion === undefined ? steps.filter((each) => bringsUp(context, each)).map(({ id }) => id) : [];
  const balancer = balancerSteps.map((each) =>
    each.action.do === 'start' || each.action.do === 'restart' || each.action.do === 'write-readers'
      ? { ...each, after: [...new Set([...each.after, ...leaderUp, ...started])] }
      : each,
  );
  return [...ordered, ...balancer];
}

// A server that cannot be started is no reason to keep sessions from the others.
function bringsUp({ failed }: GroupContext, { action, resource }: Step): boolean {
  return (action.do === 'start' || action.do === 'unpause') && !failed.has(resource);
}

function interrupts(action: Step['action']): boolean {
  return action.do === 'start' || action.do === 'restart' || action.do === 'unpause' || action.do === 'connect';
}

function restartChain(
  restarting: readonly Step[],
  leaderResource: string,
  followersFirst: boolean,
  lastOf: (resource: string) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const followers = restarting.filter(({ resource }) => resource !== leaderResource);
  const leaders = restarting.filter(({ resource }) => resource === leaderResource);
  const order = followersFirst ? [...followers, ...leaders] : [...leaders, ...followers];
  const chain = new Map<string, readonly string[]>();
  for (const [index, each] of order.entries()) {
    const previous = order[index - 1];
    if (previous !== undefined) chain.set(each.id, lastOf(previous.resource));
  }
  return chain;
}

// A standby must have at least the leader's value of some parameters, or it does not start.
function raisesStandbyBound(context: GroupContext, leader: Node): boolean {
  const observed = findNode(context, leader.slot);
  const live = observed === undefined ? undefined : context.snapshot.inForce[observed.container.id];
  const role = roleOf(context, leader);
  if (observed === undefined || live === undefined || role === undefined) return false;
  const before = parseSettings(live['postgresql.conf'] ?? '');
  const wanted = allSettings({ ...nodeSettings(context, leader), role }, observed.layout);
  return standbyBoundParameters.some((name) => Number(wanted[name] ?? 0) > Number(before[name] ?? 0));
}

function planReturn(node: ObservedNode): readonly Step[] {
  if (node.facts.serves !== 'fenced') return [];
  const resource = nodeResource(nodeName(node));
  return inOrder([
    step(resource, { do: 'unfence', node: placed(node), image: node.container.image }),
    step(resource, { do: 'start', container: node.container.id }),
  ]);
}

/** The step that promotes the leader, where it has only followed so far. */
function findPromotion({ group }: GroupContext, { leader }: Led): string | undefined {
  const node = group.nodes.find(({ slot }) => slot === leader.slot);
  return node !== undefined && mustPromote(leader) ? `${nodeResource(node.name)}: promote` : undefined;
}

function dismissalId(group: string): string {
  return `${groupResource(group)}: dismiss`;
}

// A leader that was taken out of service leads again before it is forgotten what for.
function dismissal(context: GroupContext, view: Led): Step {
  const action = recordAction(context, view, view.record.members, false, { handover: undefined });
  return {
    ...step(groupResource(context.group.name), action),
    id: dismissalId(context.group.name),
  };
}

function dismissalChange(resource: string): Change {
  return {
    resource,
    kind: 'group',
    actions: ['update'],
    reason: { code: 'handover', detail: 'the change of leaders that was asked for is over' },
    fields: [],
  };
}

function membershipChange(resource: string, known: readonly number[], wanted: readonly number[]): Change {
  return {
    resource,
    kind: 'group',
    actions: ['update'],
    reason: { code: 'members', detail: 'its record and slots still name nodes that are gone' },
    fields: [{ path: 'members', before: known.join(', '), after: wanted.join(', '), effect: 'live' }],
  };
}

function passwordChange(resource: string): Change {
  return {
    resource,
    kind: 'group',
    actions: ['update'],
    reason: { code: 'password', detail: "the superuser's password is not the one in the file's source" },
    fields: [{ path: 'password', before: '(sensitive)', after: '(sensitive)', effect: 'live' }],
  };
}
