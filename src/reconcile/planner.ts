import { revisionInPlaceOf, revisionNeedsRestart } from '../base/revision.ts';
import type { Topology } from '../topology/model.ts';
import { allocateAddresses } from './allocate.ts';
import type { GroupContext } from './context.ts';
import { viewGroup } from './group.ts';
import { home as balancerHome } from '../balancer/revision.ts';
import { wantedRevision as wantedBalancer } from './kinds/balancer-config.ts';
import { balancerStopSeconds } from './kinds/balancer-spec.ts';
import { busyResources, planBusy } from './kinds/busy.ts';
import { planGroup } from './kinds/group.ts';
import { planHalfRemoved, withHalfRemoved } from './kinds/half-removed.ts';
import { nodeName } from './kinds/find-node.ts';
import { planNetworks } from './kinds/network.ts';
import { nodeStopSeconds } from './kinds/node-spec.ts';
import { findNode } from './kinds/find-node.ts';
import { wantedRevision } from './kinds/node-config.ts';
import { balancerResource, groupResource, nodeResource, volumeResource } from './names.ts';
import { isPaused } from './requests.ts';
import { mergeParts, step, type Blocked, type Change, type Open, type Part, type Plan, type Step } from './plan.ts';
import type { Snapshot } from './snapshot.ts';

/** What the passwords of the file look like, by group; undefined: pgherd makes one. */
export type Fingerprints = Readonly<Record<string, string | undefined>>;

/** What is to be done next for a cluster to be as its file says. `failed`: resources that nothing else is to wait for. */
export function planCluster(
  topology: Topology,
  snapshot: Snapshot,
  fingerprints: Fingerprints,
  failed: ReadonlySet<string> = new Set(),
): Plan {
  const left = new Set([...failed, ...busyResources(topology, snapshot)]);
  const contexts = groupContexts(topology, snapshot, fingerprints, left);
  const networks = planNetworks(topology, snapshot);
  const planned = mergeParts(contexts.map(planGroup));
  const groups = { ...planned, ...withHalfRemoved(planned, planHalfRemoved(snapshot)) };
  const removed = planRemovedGroups(topology, snapshot);
  // What needs a network waits for it; a blocked network keeps containers from being made, not from being looked at.
  const networkSteps = networks.steps ?? [];
  const isNetworkBlocked = (networks.blocked ?? []).length > 0;
  const networkIds = networkSteps.map(({ id }) => id);
  // Many nodes may wait for one image.
  const isAgain = ({ id, action }: Step, index: number): boolean =>
    action.do === 'pull-image' && groups.steps.findIndex((each) => each.id === id) < index;
  const givenUp = groups.steps.filter(({ action }) => action.do === 'disconnect').map(({ id }) => id);
  const steps = groups.steps
    .filter((each, index) => !isAgain(each, index))
    .map((each) => {
      // A stopped container gets its addresses back when it starts: whoever holds one by mistake gives it up before.
      const waits = needsNetwork(each.action.do) ? networkIds : each.action.do === 'start' ? givenUp : [];
      return waits.length === 0 ? each : { ...each, after: [...new Set([...each.after, ...waits])] };
    });
  const possible = isNetworkBlocked ? withoutNetwork(steps) : steps;
  const all = mergeParts([networks, { ...groups, steps: possible }, planBusy(topology, snapshot), removed]);
  const open = contexts.flatMap((context) => findOpen(context, all.changes));
  const plan = {
    cluster: topology.cluster,
    ...all,
    ...(open.length > 0 ? { open } : {}),
    wanted: countWanted(topology),
  };
  return isPaused(snapshot)
    ? { ...plan, blocked: [blockedByPause(topology), ...plan.blocked], steps: [], checks: [] }
    : plan;
}

// Steps go as far as what is known allows: a person is not to take that for all there is.
function findOpen({ group, snapshot }: GroupContext, changes: readonly Change[]): readonly Open[] {
  const resource = groupResource(group.name);
  if (viewGroup(group, snapshot).phase === 'unread') {
    return [{ resource, why: 'a volume is read by its container; what else is to be done shows when that is there' }];
  }
  const isHandedOver = changes.some((change) => change.resource === resource && change.actions.includes('promote'));
  return isHandedOver ? [{ resource, why: 'what follows from the change of leaders shows when it is done' }] : [];
}

function blockedByPause({ cluster }: Topology): Blocked {
  return {
    resource: `cluster/${cluster}`,
    reason: { code: 'paused', detail: 'it is paused: nothing but looking is done' },
    remedy: `pgherd resume ${cluster}`,
  };
}

/** Containers whose files in force are worth reading, since they differ from what is wanted. */
export function findDiffering(
  topology: Topology,
  snapshot: Snapshot,
  fingerprints: Fingerprints,
): readonly { readonly id: string; readonly folder: string }[] {
  return groupContexts(topology, snapshot, fingerprints, new Set()).flatMap((context) => {
    const nodes = context.group.nodes.flatMap((node) => {
      const observed = findNode(context, node.slot);
      const wanted = wantedRevision(context, node);
      const config = observed?.facts.config;
      if (observed === undefined || wanted === undefined || config === undefined) return [];
      const { started } = observed.facts;
      const inForce = revisionInPlaceOf(wanted.name, config);
      // What it was started with decides who restarts first, also where the new configuration is written already.
      const isPending = started !== undefined && revisionNeedsRestart(started, inForce);
      if (config === inForce) {
        return isPending ? [{ id: observed.container.id, folder: `${observed.layout.home}/${started}` }] : [];
      }
      return [{ id: observed.container.id, folder: `${observed.layout.home}/${config}` }];
    });
    const balancer = snapshot.balancers.find((each) => each.group === context.group.name);
    const wanted = wantedBalancer(context);
    if (balancer?.config === undefined || wanted === undefined || balancer.config === wanted.name) return nodes;
    return [...nodes, { id: balancer.container.id, folder: `${balancerHome}/${balancer.config}` }];
  });
}

function groupContexts(
  topology: Topology,
  snapshot: Snapshot,
  fingerprints: Fingerprints,
  failed: ReadonlySet<string>,
): readonly GroupContext[] {
  const addresses = allocateAddresses(topology, snapshot);
  return topology.groups.map((group) => ({
    topology,
    group,
    snapshot,
    addresses,
    view: viewGroup(group, snapshot),
    fingerprint: fingerprints[group.name],
    failed,
  }));
}

function needsNetwork(action: string): boolean {
  return action === 'create-container' || action === 'connect';
}

const removals: ReadonlySet<Step['action']['do']> = new Set(['remove-container', 'discard-clone']);

// What cannot be made anew is not removed either.
function withoutNetwork(steps: Part['steps'] & object): Part['steps'] & object {
  const dropped = new Set<string>();
  const made = new Set(steps.filter(({ action }) => action.do === 'create-container').map(({ resource }) => resource));
  return steps.filter((each) => {
    const isDropped =
      needsNetwork(each.action.do) ||
      (removals.has(each.action.do) && made.has(each.resource)) ||
      each.after.some((id) => dropped.has(id));
    if (isDropped) dropped.add(each.id);
    return !isDropped;
  });
}

// A group that the file no longer has: its containers go, and its volumes where the file says so.
function planRemovedGroups(topology: Topology, snapshot: Snapshot): Part {
  const isKnown = (name: string): boolean => topology.groups.some((group) => group.name === name);
  const balancers = snapshot.balancers
    .filter(({ group }) => !isKnown(group))
    .map(({ group, container }) => ({
      resource: balancerResource(group),
      kind: 'balancer',
      container,
      stopSeconds: balancerStopSeconds,
    }));
  const nodes = snapshot.nodes
    .filter(({ group }) => !isKnown(group))
    .map((node) => ({
      resource: nodeResource(nodeName(node)),
      kind: 'node',
      container: node.container,
      stopSeconds: nodeStopSeconds,
    }));
  const kept = topology.volumes.onRemove === 'retain';
  const groups = new Set([...snapshot.balancers, ...snapshot.nodes].map(({ group }) => group));
  // Volumes that were kept before stay kept: only those whose containers go now go with them.
  const volumes = snapshot.volumes
    .filter(({ group }) => !kept && !isKnown(group) && groups.has(group))
    .map(({ volume }) => ({ resource: volumeResource(volume.name), kind: 'volume', name: volume.name }));
  const removals = [...balancers, ...nodes].map(({ resource, container, stopSeconds }) =>
    step(resource, { do: 'remove-container', container: container.id, stopSeconds }),
  );
  const removed = removals.map(({ id }) => id);
  const rule = kept ? 'volumes are kept' : 'volumes.on_remove is delete';
  return {
    changes: [...balancers, ...nodes, ...volumes].map(({ resource, kind }) => ({
      resource,
      kind,
      actions: ['delete'],
      reason: { code: 'not-in-file', detail: `its group is not in the file; ${rule}` },
      fields: [],
    })),
    steps: [
      ...removals,
      ...volumes.map(({ resource, name }) => step(resource, { do: 'remove-volume', name }, removed)),
    ],
  };
}

/** Networks, volumes, nodes and balancers of a topology. */
function countWanted(topology: Topology): number {
  return 2 + topology.groups.reduce((sum, { nodes }) => sum + nodes.length * 2 + 1, 0);
}
