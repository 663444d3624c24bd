import { slotName } from '../../postgres/config.ts';
import { layoutOf } from '../../postgres/layout.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import { currentVolume, findBusy, isCutShort, isHalfClone, nextGeneration } from '../group.ts';
import { nodeResource, readGeneration, volumeName, volumeResource } from '../names.ts';
import {
  inOrder,
  step,
  withoutRestart,
  type Blocked,
  type Change,
  type FieldChange,
  type Part,
  type Step,
} from '../plan.ts';
import { diagnose } from '../reports.ts';
import type { ObservedNode } from '../snapshot.ts';
import { isSecondWriter, isServing, takesWritesText } from '../writers.ts';
import { bootstrapSteps } from './bootstrap.ts';
import { compareLimits, compareSpec, pullBeside, takenLive } from './container.ts';
import { compareMainEndpoint, compareWriteEndpoint, joinEndpoints, type EndpointChanges } from './endpoints.ts';
import { findNode, placed } from './find-node.ts';
import { roleOf } from './node-config.ts';
import { nodeContainer, nodeSpecLabel, nodeStopSeconds } from './node-spec.ts';
import { compareRevision, findRefused, type RevisionChanges } from './revisions.ts';
import { createVolume } from './volume.ts';

/** The nodes of a group: made where they are missing, set right where they differ. */
export function planNodes(context: GroupContext): readonly Part[] {
  return context.group.nodes.map((node) => planNode(context, node));
}

function planNode(context: GroupContext, node: Node): Part {
  const observed = findNode(context, node.slot);
  // Whatever the file calls it by now, it is there.
  if (findBusy(context.snapshot, context.group.name, node.slot) !== undefined) return {};
  if (observed === undefined) return planMissing(context, node);
  if (observed.isUnderWay === true) return { changes: [initialised(node)] };
  // While it is not known who leads, what is missing is made, and nothing that is there is taken away.
  const isUnread = context.view.phase === 'unread';
  const wrongSystem = findWrongSystem(context, node, observed);
  if (wrongSystem !== undefined) return { blocked: [wrongSystem] };
  const spoilt = findSpoilt(context, node, observed);
  if (spoilt !== undefined) return isUnread ? {} : planAnew(context, node, observed, spoilt);
  const second = planSecondWriter(context, node, observed);
  if (second !== undefined) return second;
  const spec = compareSpec(nodeSpecLabel(context.topology, node, observed.volume), observed.container);
  const limits = compareLimits(node, observed.container);
  const recreate = [...spec, ...limits.fields.filter(({ effect }) => effect === 'recreate')];
  if (recreate.length === 0) return planInPlace(context, node, observed, limits);
  if (isUnread) return {};
  const isMissing = context.snapshot.images[node.image] === undefined;
  if (!isMissing || observed.facts.started === undefined) return planRecreate(context, node, observed, recreate);
  return {
    changes: [recreated(node, recreate)],
    steps: [...planMeanwhile(context, node, observed, limits), pullBeside(node.image)],
  };
}

function planMissing(context: GroupContext, node: Node): Part {
  const { group, snapshot, view, topology } = context;
  const taken = snapshot.taken.find(({ kind, name }) => kind === 'container' && name === node.containerName);
  if (taken !== undefined) return { blocked: [blockedName(node, taken.by)] };
  const volume = currentVolume(group.name, node.slot, snapshot);
  // Where the group cannot go on, or nobody knows yet, what its volumes lack is not made up for by empty ones.
  if (view.phase !== 'led' && view.phase !== 'fresh' && volume === undefined) return {};
  const resource = nodeResource(node.name);
  const name = volume?.volume.name ?? volumeName(topology.cluster, group.name, node.slot, 1);
  const volumeStep = step(volumeResource(name), createVolume(topology.cluster, group.name, node.slot, 1));
  const create = createSteps(context, node, name);
  return {
    changes: [
      ...(volume === undefined ? [volumeCreated(name)] : []),
      {
        resource,
        kind: 'node',
        actions: ['create'],
        reason: {
          code: 'missing',
          detail: volume === undefined ? 'not on the engine' : `its container is gone, its volume ${name} is kept`,
        },
        fields: createdFields(context, node),
      },
    ],
    steps: [
      ...(volume === undefined ? [volumeStep] : []),
      ...after(create, volume === undefined ? [volumeStep.id] : []),
    ],
  };
}

function initialised({ name }: Node): Change {
  const detail = 'its database is being initialised; the rest of its group waits for that';
  const reason = { code: 'initialising', detail };
  return { resource: nodeResource(name), kind: 'node', actions: ['update'], reason, fields: [] };
}

/** Why a node cannot go on from the data it has. */
function findSpoilt(context: GroupContext, node: Node, observed: ObservedNode): Change['reason'] | undefined {
  const { view, snapshot } = context;
  const { is } = observed.facts.state;
  if (is === 'diverged' && view.phase === 'led') {
    const detail = `its volume ${observed.volume} holds what its leader has not; it is set aside as it is`;
    return { code: 'diverged', detail };
  }
  if (isCutShort(observed)) {
    const what = is === 'bootstrapping' ? 'a bootstrap' : is === 'rewinding' ? 'a rewind' : 'a clone';
    const fate = isHalfClone(observed.facts.state) ? 'removed' : 'set aside';
    const detail = `its volume ${observed.volume} holds ${what} that was cut short; it is ${fate}`;
    return { code: 'cut-short', detail };
  }
  if (view.phase !== 'led' || node.slot === view.leader.slot) return undefined;
  const leader = snapshot.reports.get(view.leader.container.id);
  const ailment = diagnose(leader, snapshot.reports.get(observed.container.id), slotName(node.slot));
  if (ailment === undefined) return undefined;
  return { code: ailment.code, detail: `${ailment.detail}; its volume ${observed.volume} is set aside` };
}

// Where the group's leader serves, what another one acknowledges is lost to the group: it is killed at once. Its volume is
// kept as it is, and the node begins again in a new one. Where the leader does not serve, it is not planned for at all.
function planSecondWriter(context: GroupContext, node: Node, observed: ObservedNode): Part | undefined {
  const { view, snapshot, group } = context;
  if (view.phase !== 'led' || !isSecondWriter(observed, snapshot)) return undefined;
  if (!isServing(view.leader, snapshot)) return {};
  const kill = step(nodeResource(node.name), {
    do: 'fence',
    node: placed(observed),
    image: observed.container.image,
    name: node.name,
    stopSeconds: undefined,
    cause: 'forced',
    superuser: group.user,
  });
  const detail = `it ${takesWritesText}; it is killed, and its volume ${observed.volume} is kept with what it wrote`;
  const rest = planAnew(context, node, observed, { code: 'second-writer', detail });
  return { ...rest, steps: [kill, ...after(rest.steps ?? [], [kill.id])] };
}

// The node begins again in a new volume. The old one is set aside as it is, or removed where it never held anything of its
// own: a clone that was cut short.
function planAnew(context: GroupContext, node: Node, observed: ObservedNode, reason: Change['reason']): Part {
  const { group, snapshot, topology } = context;
  const resource = nodeResource(node.name);
  const newest = snapshot.volumes
    .filter((each) => each.group === group.name && each.slot === node.slot && each.volume.name !== observed.volume)
    .toSorted((a, b) => b.generation - a.generation)[0];
  const mounted = currentVolume(group.name, node.slot, snapshot);
  // A generation made by a run that did not get further is taken up.
  const isMade = newest !== undefined && newest.generation > (mounted?.generation ?? 0);
  // The volume it has may be one without labels, which no list shows.
  const next = Math.max(nextGeneration(group.name, node.slot, snapshot), readGeneration(observed.volume) + 1);
  const generation = isMade ? newest.generation : next;
  const name = volumeName(topology.cluster, group.name, node.slot, generation);
  const volumeSteps = isMade
    ? []
    : [step(volumeResource(name), createVolume(topology.cluster, group.name, node.slot, generation))];
  const create = createSteps(context, node, name);
  const made = volumeSteps.map(({ id }) => id);
  const steps = isHalfClone(observed.facts.state)
    ? removedFirst(step(resource, discardAction(observed)), create, volumeSteps)
    : [...volumeSteps, ...removedFirst(step(resource, removeAction(observed), made), create)];
  return {
    changes: [
      ...(isMade ? [] : [volumeCreated(name)]),
      {
        resource,
        kind: 'node',
        actions: ['delete', 'create'],
        reason,
        fields: [{ path: 'volume', before: observed.volume, after: name, effect: 'recreate' }],
      },
    ],
    steps,
  };
}

/**
 * Until its new image is there a node serves on with the one it has, and is started and promoted: a pull may take long, or
 * fail. It is not restarted for a change, since it is recreated then.
 */
function planMeanwhile(
  context: GroupContext,
  node: Node,
  observed: ObservedNode,
  limits: ReturnType<typeof compareLimits>,
): readonly Step[] {
  const { steps = [] } = planInPlace(context, node, observed, takenLive(limits));
  return context.snapshot.hung.has(observed.container.id) ? steps : withoutRestart(steps);
}

function planRecreate(context: GroupContext, node: Node, observed: ObservedNode, fields: readonly FieldChange[]): Part {
  const remove = step(nodeResource(node.name), removeAction(observed));
  const create = createSteps(context, node, observed.volume);
  return { changes: [recreated(node, fields)], steps: removedFirst(remove, create) };
}

function recreated({ name }: Node, fields: readonly FieldChange[]): Change {
  return {
    resource: nodeResource(name),
    kind: 'node',
    actions: ['delete', 'create'],
    reason: { code: 'changed', detail: 'these fields cannot change on a live container; its volume is kept' },
    fields,
  };
}

function planInPlace(
  context: GroupContext,
  node: Node,
  observed: ObservedNode,
  limits: ReturnType<typeof compareLimits>,
): Part {
  const resource = nodeResource(node.name);
  const { container } = observed;
  const steps: Step[] = [];
  const fields: FieldChange[] = [...limits.fields];
  if (limits.fields.length > 0) {
    steps.push(step(resource, { do: 'update-limits', container: container.id, limits: limits.limits }));
  }
  const endpoints = compareNodeEndpoints(context, resource, container, node);
  fields.push(...endpoints.fields);
  const config = compareRevision(context, node, observed);
  fields.push(...config.fields);
  const ordered = inOrder([...steps, ...joinSteps(context, endpoints.steps, config.steps)]);
  const changes: Change[] = [];
  if (ordered.length > 0) {
    changes.push({
      resource,
      kind: 'node',
      actions: [config.verb],
      reason: reasonFor(limits.fields, endpoints, config),
      fields,
    });
  }
  const refused = findRefused(context, node, observed);
  return { changes, steps: ordered, checks: config.checks, blocked: refused === undefined ? [] : [refused] };
}

// The write address moves to a new leader when that takes writes, everything else is in place before a start.
function joinSteps({ topology }: GroupContext, endpoints: readonly Step[], config: readonly Step[]): readonly Step[] {
  const promotion = config.findIndex(({ action }) => action.do === 'promote');
  if (promotion < 0) return [...endpoints, ...config];
  const isLater = ({ action }: Step): boolean =>
    action.do === 'connect' && action.network === topology.network.writeName;
  return [
    ...endpoints.filter((each) => !isLater(each)),
    ...config.slice(0, promotion + 1),
    ...endpoints.filter(isLater),
    ...config.slice(promotion + 1),
  ];
}

// Whoever leads holds the write address, and nobody else; while nobody knows who leads, it stays where it is.
function compareNodeEndpoints(
  context: GroupContext,
  resource: string,
  container: ObservedNode['container'],
  node: Node,
): EndpointChanges {
  const { addresses, group, view } = context;
  const main = compareMainEndpoint(context, resource, container, addresses.node(group.name, node.slot), node.name);
  if (view.phase !== 'led') return main;
  const write = node.slot === view.leader.slot ? addresses.write(group.name)?.leader : undefined;
  return joinEndpoints(main, compareWriteEndpoint(context, resource, container, write));
}

function reasonFor(
  limits: readonly FieldChange[],
  endpoints: EndpointChanges,
  config: RevisionChanges,
): Change['reason'] {
  if (config.reason !== undefined) return config.reason;
  if (endpoints.reason !== undefined) return endpoints.reason;
  return { code: 'limits', detail: `${limits.map(({ path }) => path).join(', ')} not as the file says` };
}

function createSteps(context: GroupContext, node: Node, volume: string): readonly Step[] {
  const { topology, group, addresses, snapshot } = context;
  const resource = nodeResource(node.name);
  const address = addresses.node(group.name, node.slot);
  const image = snapshot.images[node.image];
  if (image === undefined) return [step(resource, { do: 'pull-image', image: node.image })];
  if (address === undefined) return [];
  const layout = layoutOf(image.volumes);
  const spec = nodeContainer(topology, group, node, { volume, layout, address });
  const create = step(resource, { do: 'create-container', spec });
  const role = roleOf(context, node);
  if (role?.is !== 'bootstrap') return [create];
  return [create, ...after(bootstrapSteps(context, node, layout), [create.id])];
}

function removeAction(observed: ObservedNode): Step['action'] {
  return { do: 'remove-container', container: observed.container.id, stopSeconds: nodeStopSeconds };
}

// Nothing in it is worth a shutdown in order.
function discardAction({ container, layout, volume }: ObservedNode): Step['action'] {
  return { do: 'discard-clone', node: { container: container.id, layout }, name: volume, stopSeconds: 0 };
}

// Where it cannot be made again at once (no image, say), it is left as it is.
function removedFirst(remove: Step, create: readonly Step[], between: readonly Step[] = []): readonly Step[] {
  if (create[0]?.action.do !== 'create-container') return create;
  const last = between.at(-1) ?? remove;
  return [remove, ...after(between, [remove.id]), ...after(create, [last.id])];
}

function after(steps: readonly Step[], ids: readonly string[]): readonly Step[] {
  return steps.map((each, index) => (index === 0 ? { ...each, after: [...each.after, ...ids] } : each));
}

function volumeCreated(name: string): Change {
  return {
    resource: volumeResource(name),
    kind: 'volume',
    actions: ['create'],
    reason: { code: 'missing', detail: 'not on the engine' },
    fields: [],
  };
}

function createdFields(context: GroupContext, node: Node): readonly FieldChange[] {
  const address = context.addresses.node(context.group.name, node.slot);
  const created = (path: string, value: string | undefined): readonly FieldChange[] =>
    value === undefined ? [] : [{ path, before: undefined, after: value, effect: 'recreate' }];
  return [
    ...created('container_name', node.containerName),
    ...created('image', node.image),
    ...created('ip_address', address ?? "(from the engine's choice)"),
    ...created('port', node.port === undefined ? undefined : `${context.topology.bindAddress}:${String(node.port)}`),
  ];
}

function blockedName(node: Node, by: string): Blocked {
  return {
    resource: nodeResource(node.name),
    reason: { code: 'name-taken', detail: `the container ${node.containerName} exists and is not pgherd's (${by})` },
    remedy: `give another container_name, or remove it with \`docker rm ${node.containerName}\` if nobody needs it`,
  };
}

function findWrongSystem(context: GroupContext, node: Node, observed: ObservedNode): Blocked | undefined {
  const { view } = context;
  const { state } = observed.facts;
  if (view.phase !== 'led' || state.is !== 'data' || state.systemIdentifier === view.systemIdentifier) return undefined;
  return {
    resource: nodeResource(node.name),
    reason: {
      code: 'other-system',
      detail: `its volume ${observed.volume} holds system ${state.systemIdentifier}, the group is ${view.systemIdentifier}`,
    },
    remedy: `move that volume away if its data is needed, else remove the container and the volume; the node is then cloned anew`,
  };
}
