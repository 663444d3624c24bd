import { nothingHeard } from '../../src/reconcile/observe.ts';
import type { Container, Image, Network } from '../../src/docker/types.ts';
import { layoutOf, type NodeFacts } from '../../src/postgres/layout.ts';
import { allocateAddresses } from '../../src/reconcile/allocate.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import { wantedRevision as wantedBalancer } from '../../src/reconcile/kinds/balancer-config.ts';
import { balancerSpecLabel } from '../../src/reconcile/kinds/balancer-spec.ts';
import { wantedRevision } from '../../src/reconcile/kinds/node-config.ts';
import { nodeSpecLabel } from '../../src/reconcile/kinds/node-spec.ts';
import { formatLabels, labelNames, volumeName } from '../../src/reconcile/names.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import type { ObservedBalancer, ObservedNode, ObservedVolume, Snapshot } from '../../src/reconcile/snapshot.ts';
import { parseTopology } from '../../src/topology/load.ts';
import type { Group, Node, Topology } from '../../src/topology/model.ts';

const mount = '/var/lib/postgresql/data';
const system = '7000000000000000001';

/** What the leader of a group with two replicas reports, and what each of those does. */
export const leads: Heard = {
  recovery: false,
  timeline: 1,
  lsn: 1000,
  receiver: null,
  slots: { pgherd_1: 'reserved', pgherd_2: 'reserved' },
  oldest: null,
  at: 0,
  isStill: false,
};
export const streams: Heard = { ...leads, recovery: true, receiver: 'streaming', slots: {} };

/** The topology of a YAML text. */
export function topologyOf(text: string): Topology {
  const { topology, diagnostics } = parseTopology(text, 'topology.yaml', {});
  if (topology === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return topology;
}

/** An engine that has the images and nothing else. */
export function emptySnapshot(topology: Topology): Snapshot {
  const images = topology.groups.flatMap(({ balancer, nodes }): readonly (readonly [string, Image])[] => [
    [balancer.image, { id: 'sha256:1', volumes: [] }],
    ...nodes.map(({ image }) => [image, { id: 'sha256:2', volumes: [mount] }] as const),
  ]);
  return {
    cluster: topology.cluster,
    networks: [],
    takenAt: 0,
    otherNetworks: [],
    volumes: [],
    nodes: [],
    balancers: [],
    halfRemoved: [],
    busy: [],
    images: Object.fromEntries(images),
    taken: [],
    inForce: {},
    ...nothingHeard,
  };
}

/** An engine on which the topology has converged: what edits and drift are then made of. */
export function convergedSnapshot(topology: Topology): Snapshot {
  const networks = [
    makeNetwork(topology, topology.network.name, topology.network.subnet ?? '172.20.0.0/17'),
    makeNetwork(topology, topology.network.writeName, topology.network.writeSubnet ?? '172.20.128.0/24'),
  ];
  let snapshot: Snapshot = { ...emptySnapshot(topology), networks };
  const volumes = topology.groups.flatMap((group) => group.nodes.map((node) => makeVolume(topology, group, node)));
  snapshot = { ...snapshot, volumes };
  const nodes = topology.groups.flatMap((group) =>
    group.nodes.map((node) => makeNode(topology, snapshot, group, node)),
  );
  snapshot = { ...snapshot, nodes };
  // A revision depends on who leads, which the nodes tell: known only now.
  snapshot = { ...snapshot, nodes: nodes.map((node) => withRevision(topology, snapshot, node)) };
  const balancers = topology.groups.map((group) => makeBalancer(topology, snapshot, group));
  return { ...snapshot, balancers };
}

/** Changes one node of a snapshot. */
export function changeNode(
  snapshot: Snapshot,
  group: string,
  slot: number,
  change: (node: ObservedNode) => ObservedNode | undefined,
): Snapshot {
  const nodes = snapshot.nodes.flatMap((node) =>
    node.group === group && node.slot === slot ? (change(node) ?? []) : [node],
  );
  return { ...snapshot, nodes };
}

export function withContainer(node: ObservedNode, change: Partial<Container>): ObservedNode {
  return { ...node, container: { ...node.container, ...change } };
}

export function withFacts(node: ObservedNode, change: Partial<NodeFacts>): ObservedNode {
  return { ...node, facts: { ...node.facts, ...change } };
}

export function changeBalancer(
  snapshot: Snapshot,
  group: string,
  change: (balancer: ObservedBalancer) => ObservedBalancer | undefined,
): Snapshot {
  const balancers = snapshot.balancers.flatMap((each) => (each.group === group ? (change(each) ?? []) : [each]));
  return { ...snapshot, balancers };
}

function makeNetwork(topology: Topology, name: string, subnet: string): Network {
  const labels = { ...formatLabels({ cluster: topology.cluster, kind: 'network' }), [labelNames.subnet]: 'chosen' };
  return { id: `id-${name}`, name, labels, internal: false, subnets: [subnet] };
}

function makeVolume(topology: Topology, group: Group, node: Node): ObservedVolume {
  const name = volumeName(topology.cluster, group.name, node.slot, 1);
  const labels = formatLabels({ cluster: topology.cluster, kind: 'volume', group: group.name, slot: node.slot });
  return { volume: { name, labels, createdAt: '' }, group: group.name, slot: node.slot, generation: 1 };
}

function makeContainer(
  name: string,
  labels: Readonly<Record<string, string>>,
  networks: Container['networks'],
): Container {
  return {
    id: `id-${name}`,
    name,
    labels,
    image: '',
    state: 'running',
    exitCode: 0,
    restartCount: 0,
    startedAt: 1000,
    createdAt: 900,
    health: { status: 'healthy', output: '' },
    extraHosts: [],
    restart: 'always',
    memory: 0,
    cpus: 0,
    networks,
    volumes: [],
  };
}

function makeNode(topology: Topology, snapshot: Snapshot, group: Group, node: Node): ObservedNode {
  const addresses = allocateAddresses(topology, snapshot);
  const volume = volumeName(topology.cluster, group.name, node.slot, 1);
  const { name, writeName } = topology.network;
  const labels = formatLabels({
    cluster: topology.cluster,
    kind: 'node',
    group: group.name,
    slot: node.slot,
    spec: nodeSpecLabel(topology, node, volume),
  });
  const networks = {
    [name]: { networkId: `id-${name}`, address: addresses.node(group.name, node.slot) },
    ...(node.slot === 0
      ? { [writeName]: { networkId: `id-${writeName}`, address: addresses.write(group.name)?.leader } }
      : {}),
  };
  const members = group.nodes.map(({ slot }) => slot);
  return {
    container: {
      ...makeContainer(node.containerName, labels, networks),
      memory: node.memory ?? 0,
      cpus: node.cpus ?? 0,
      restart: node.restart,
    },
    group: group.name,
    slot: node.slot,
    volume,
    layout: layoutOf([mount]),
    isStandby: node.slot !== 0,
    facts: {
      state: { is: 'data', systemIdentifier: system },
      config: undefined,
      started: undefined,
      loaded: undefined,
      refused: undefined,
      detached: undefined,
      serves: undefined,
      fencedFor: undefined,
      fencedAt: undefined,
      record: { epoch: 1, version: 2, leader: 0, members },
      secrets: { version: 1, fingerprint: 'generated' },
      handover: undefined,
      pause: undefined,
    },
  };
}

function contextOf(topology: Topology, snapshot: Snapshot, group: Group): Parameters<typeof wantedBalancer>[0] {
  const addresses = allocateAddresses(topology, snapshot);
  return {
    topology,
    group,
    snapshot,
    addresses,
    view: viewGroup(group, snapshot),
    fingerprint: undefined,
    failed: new Set(),
  };
}

function withRevision(topology: Topology, snapshot: Snapshot, observed: ObservedNode): ObservedNode {
  const group = topology.groups.find(({ name }) => name === observed.group);
  const node = group?.nodes.find(({ slot }) => slot === observed.slot);
  if (group === undefined || node === undefined) return observed;
  const name = wantedRevision(contextOf(topology, snapshot, group), node)?.name;
  return withFacts(observed, { config: name, started: name, loaded: name });
}

function makeBalancer(topology: Topology, snapshot: Snapshot, group: Group): ObservedBalancer {
  const context = contextOf(topology, snapshot, group);
  const { addresses } = context;
  const { name, writeName } = topology.network;
  const labels = formatLabels({
    cluster: topology.cluster,
    kind: 'balancer',
    group: group.name,
    spec: balancerSpecLabel(context),
  });
  const networks = {
    [name]: { networkId: `id-${name}`, address: addresses.balancer(group.name) },
    [writeName]: { networkId: `id-${writeName}`, address: addresses.write(group.name)?.balancer },
  };
  const followers = group.nodes.filter(({ slot }) => slot !== 0);
  const extraHosts = followers.map(
    ({ slot }, index) => `reader${String(index + 1)}:${addresses.node(group.name, slot) ?? ''}`,
  );
  const revision = wantedBalancer(context)?.name;
  return {
    container: { ...makeContainer(group.balancer.containerName, labels, networks), extraHosts },
    group: group.name,
    config: revision,
    started: revision,
    readers: undefined,
  };
}

/** A cluster in which another call to the engine holds the container of a node, or of the group's balancer. */
export function withBusy(snapshot: Snapshot, group: string, slot: number | undefined): Snapshot {
  const is = ({ labels }: Container): boolean =>
    labels['pgherd.group'] === group && labels['pgherd.node'] === (slot === undefined ? undefined : String(slot));
  const [nodes, balancers] = [snapshot.nodes, snapshot.balancers];
  const busy = [...nodes, ...balancers].map(({ container }) => container).filter(is);
  return {
    ...snapshot,
    nodes: nodes.filter(({ container }) => !is(container)),
    balancers: balancers.filter(({ container }) => !is(container)),
    busy: busy.map((container) => ({ ...container, isBusy: true })),
  };
}
