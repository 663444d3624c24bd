import { nodeSettings as allSettings, parseSettings } from '../../postgres/config.ts';
import { standbyBoundParameters } from '../../postgres/parameters.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { groupResource, nodeResource, readGeneration } from '../names.ts';
import { step, without, type Blocked, type Check, type Step } from '../plan.ts';
import type { ObservedNode } from '../snapshot.ts';
import { isOfCommits } from './commit-steps.ts';
import { findNode } from './find-node.ts';
import { nodeSettings, roleOf } from './node-config.ts';
import { findPromotion } from './revisions.ts';

type Led = Extract<GroupView, { phase: 'led' }>;

type CreateContainer = Extract<Step['action'], { do: 'create-container' }>;

/**
 * Followers start and restart after the leader is up, after the record and their slots are there, and restart one at a
 * time; the leader restarts first or last as hot standby demands. For a change nobody is restarted while another one is not
 * up: a setting that no server starts with takes one away, and not all. The balancer starts once the leader answers.
 */
export function orderSteps(
  context: GroupContext,
  view: Led,
  steps: readonly Step[],
  balancerSteps: readonly Step[],
  checks: readonly Check[],
): readonly Step[] {
  const { group } = context;
  const leader = group.nodes.find(({ slot }) => slot === view.leader.slot);
  const leaderResource = leader === undefined ? '' : nodeResource(leader.name);
  // A stream resumes only after its leader is restarted.
  const idsOf = (resource: string): readonly string[] =>
    steps.filter((each) => each.resource === resource && each.action.do !== 'resume-streaming').map(({ id }) => id);
  const lastOf = (resource: string): readonly string[] => idsOf(resource).slice(-1);
  // The bootstrap made the slots already; who clones before one is there tries again.
  const membership = steps
    .filter(({ resource, id }) => resource === groupResource(group.name) && !isOfCommits(id))
    .filter(({ action }) => action.do === 'write-record' || !view.isBootstrapRecord)
    .map(({ id }) => id);
  // A leader that runs, and is only told something new, is up.
  const isInterrupted = steps.some(({ resource, action }) => resource === leaderResource && interrupts(action));
  const promotion = findPromotion(context, view);
  const followersFirst = leader !== undefined && raisesStandbyBound(context, leader);
  const restarting = steps.filter(({ action }) => action.do === 'restart');
  const changing = restarting.filter((each) => isForChange(context, each));
  // Those that hang are restarted whatever the others do, and are up before anybody else is.
  const hung = restarting.filter((each) => !changing.includes(each));
  const chain = restartChain(changing, leaderResource, followersFirst, lastOf);
  const comingUp = changing.length > 0 ? findComingUp(context, checks, idsOf) : [];
  const isBack = (each: Step): boolean => bringsBack(context, each);
  const back = steps.filter(isBack);
  // A leader that runs is restarted for a change only when those that ended are back.
  const isForThem = changing.some(({ resource }) => resource === leaderResource);
  // One that serves until others are back may do so for long: nobody waits for its restart.
  const isAfterDown = followersFirst && restarting.some(({ resource }) => context.failed.has(resource));
  const isHeldUp = comingUp.length > 0 || hung.length > 0 || back.length > 0;
  const servesOn = isForThem && (isHeldUp || isAfterDown);
  const leaderUp = promotion !== undefined ? [promotion] : isInterrupted && !servesOn ? lastOf(leaderResource) : [];
  // The proof that others have all of it is not cut short.
  const proofs = steps.filter(({ id }) => isOfCommits(id)).map(({ id }) => id);
  const ordered = [...comingUp, ...steps].map((each) => {
    const isLeader = each.resource === leaderResource;
    const starts = each.action.do === 'start' || each.action.do === 'write-config';
    const waits: string[] = [...(chain.get(each.id) ?? [])];
    if (changing.includes(each)) {
      waits.push(...comingUp.map(({ id }) => id), ...[...hung, ...back].flatMap(({ resource }) => lastOf(resource)));
      if (isLeader) waits.push(...proofs);
    }
    // By these the others get the record that a promotion waits for.
    if (
      !isLeader &&
      starts &&
      promotion === undefined &&
      membership.length > 0 &&
      each.action.do === 'write-config' &&
      each.action.record !== undefined
    ) {
      waits.push(...membership);
    }
    const isFirst = followersFirst || (isForThem && isBack(each));
    if (!isLeader && each.action.do === 'start') waits.push(...membership, ...(isFirst ? [] : leaderUp));
    // Whoever follows a new leader does so when it leads, and has its slot there.
    if (!isLeader && promotion !== undefined && each.action.do === 'reload') waits.push(promotion);
    return waits.length === 0 ? each : { ...each, after: [...new Set([...each.after, ...waits])] };
  });
  // One that is replaced is started by the next plan, which waits for it.
  const isReplaced = back.some(
    ({ action, resource }) => action.do === 'create-container' && !context.failed.has(resource),
  );
  const changed = new Set(changing.map(({ resource }) => resource));
  const timely = isReplaced ? without(ordered, changed, ({ action }) => action.do !== 'restart') : ordered;
  // Sessions need a leader, and replicas that are at least there to refuse: one not started yet would be waited for.
  // A new leader's followers are known from the beginning.
  const started = promotion === undefined ? steps.filter((each) => bringsUp(context, each)).map(({ id }) => id) : [];
  const balancer = balancerSteps.map((each) =>
    each.action.do === 'start' || each.action.do === 'restart' || each.action.do === 'write-readers'
      ? { ...each, after: [...new Set([...each.after, ...leaderUp, ...started])] }
      : each,
  );
  return [...timely, ...balancer];
}

/**
 * Whether a step brings a server up, or makes the container in which the next look starts what its volume holds. One that
 * cannot be started is no reason to keep sessions from the others.
 */
export function bringsUp({ failed, snapshot }: GroupContext, { action, resource }: Step): boolean {
  if (failed.has(resource)) return false;
  return action.do === 'create-container' ? hasVolume(snapshot, action) : brings(action);
}

function brings(action: Step['action']): boolean {
  return action.do === 'start' || action.do === 'unpause';
}

function hasVolume({ volumes }: GroupContext['snapshot'], { spec }: CreateContainer): boolean {
  return volumes.some(({ volume }) => volume.name === spec.volume?.name);
}

function interrupts(action: Step['action']): boolean {
  return action.do === 'start' || action.do === 'restart' || action.do === 'unpause' || action.do === 'connect';
}

/** Whether it is for one that was up before: a new one begins when the others are as they should be. */
function bringsBack(context: GroupContext, { action, resource }: Step): boolean {
  const node = context.group.nodes.find(({ name }) => nodeResource(name) === resource);
  const observed = node === undefined ? undefined : findNode(context, node.slot);
  if (isFailedClone(context, resource, observed)) return false;
  if (action.do === 'create-container') {
    return readGeneration(action.spec.volume?.name ?? '') > 1 || hasVolume(context.snapshot, action);
  }
  if (!brings(action) || observed === undefined) return false;
  return observed.facts.started !== undefined || readGeneration(observed.volume) > 1;
}

/** A clone that cannot be made may lack what the change is for. */
function isFailedClone({ failed }: GroupContext, resource: string, observed: ObservedNode | undefined): boolean {
  return failed.has(resource) && observed !== undefined && observed.facts.started === undefined;
}

function isForChange({ snapshot }: GroupContext, { action }: Step): boolean {
  return action.do === 'restart' && !snapshot.hung.has(action.container);
}

/**
 * Waits for those that run and do not speak yet: a look in the middle of a rolling restart sees no more who was restarted
 * before, and one that rejoins or is cloned may meet then what it cannot start with. One that speaks is up; whether it
 * streams, or a clone can begin, may depend on a restart of others.
 */
function findComingUp(
  context: GroupContext,
  checks: readonly Check[],
  idsOf: (resource: string) => readonly string[],
): readonly Step[] {
  const { group, snapshot } = context;
  return group.nodes.flatMap(({ name, slot }) => {
    const node = findNode(context, slot);
    const check = checks.find(({ resource }) => resource === nodeResource(name));
    if (check === undefined || node === undefined || isFailedClone(context, check.resource, node)) return [];
    const { container, facts } = node;
    if (facts.state.is === 'empty' || snapshot.reports.has(container.id)) return [];
    const isStarting = container.health.status === 'starting' || facts.state.is !== 'data';
    const isUnheard = snapshot.reports.size === 0 && !snapshot.silent.has(container.id);
    return isUnheard && !isStarting ? [] : [step(check.resource, check.action, idsOf(check.resource))];
  });
}

/** Restarts for a change that come to nothing, since somebody who does not come up is waited for before. */
export function findHeldRestarts(context: GroupContext, steps: readonly Step[]): readonly Blocked[] {
  const { failed, group, snapshot } = context;
  // One that runs, and that neither its own health check nor its listener hears, may never come up. A clone takes its time.
  const ill = group.nodes.filter(({ slot }) => {
    const node = findNode(context, slot);
    return (
      node?.facts.state.is === 'data' &&
      node.container.health.status === 'unhealthy' &&
      snapshot.silent.has(node.container.id)
    );
  });
  const lost = new Set([...failed, ...ill.map(({ name }) => nodeResource(name))]);
  const possible = new Set(without(steps, lost));
  const nodesOf = (found: readonly Step[]): readonly Node[] =>
    group.nodes.filter(({ name }) => found.some(({ resource }) => resource === nodeResource(name)));
  const listed = (nodes: readonly Node[]): string => nodes.map(({ name }) => name).join(', ');
  const held = steps.filter((each) => isForChange(context, each) && !lost.has(each.resource) && !possible.has(each));
  const before = new Set(held.flatMap(({ after }) => after));
  const down = nodesOf(steps.filter(({ id, resource }) => before.has(id) && lost.has(resource)));
  if (down.length === 0) return [];
  return [
    {
      resource: groupResource(group.name),
      reason: {
        code: 'change-waits',
        detail: `the restart of ${listed(nodesOf(held))} for a change of the file waits for ${listed(down)}, which does not come up`,
      },
      remedy: `put right what keeps it from starting (${down.map(({ containerName }) => `\`docker logs ${containerName}\``).join(', ')}), or take the change back`,
    },
  ];
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
