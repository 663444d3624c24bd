import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import { isBeingRemoved, type Container, type Image, type Network, type Volume } from '../docker/types.ts';
import {
  compareRecords,
  factLinks,
  layoutOf,
  readFacts,
  readRecordName,
  type FactLink,
  type Layout,
  type RecordName,
} from '../postgres/layout.ts';
import { recordsFolder } from '../postgres/record.ts';
import { home as balancerHome, readersLink } from '../balancer/revision.ts';
import type { Topology } from '../topology/model.ts';
import { newestRecord } from './group.ts';
import { clusterLabels, labelNames, readGeneration, readSlot } from './names.ts';
import type { ObservedBalancer, ObservedNode, ObservedVolume, Snapshot, Taken } from './snapshot.ts';

/** Milliseconds that the engine may take to remove a container, and between two questions whether it has. */
const removalTime = 2000;
const removalPause = 20;

/**
 * Looks at a cluster once: three lists, an inspect for each container, a stat for each fact. Whatever a topology wants
 * and the cluster does not have is looked for by name, so that what is not ours is seen before it is touched.
 */
export async function observe(engine: Engine, cluster: string, topology: Topology | undefined): Promise<Snapshot> {
  const labels = clusterLabels(cluster);
  const [containers, networks, volumes, images] = await Promise.all([
    engine.listContainers(labels),
    engine.listNetworks(labels),
    engine.listVolumes(labels),
    inspectImages(engine, topology),
  ]);
  const wantsNetwork = topology !== undefined && networks.length < 2;
  const [nodes, balancers, otherNetworks, taken] = await Promise.all([
    readEach(engine, containers, 'node', observeNode),
    readEach(engine, containers, 'balancer', observeBalancer),
    wantsNetwork ? engine.listNetworks() : Promise.resolve([]),
    topology === undefined ? Promise.resolve([]) : findTaken(engine, topology, containers),
  ]);
  return {
    takenAt: Date.now(),
    cluster,
    isLocked: containers.some(({ labels, state }) => labels[labelNames.kind] === 'lock' && state === 'running'),
    networks,
    otherNetworks: otherNetworks.filter(({ id }) => !networks.some((network) => network.id === id)),
    volumes: volumes.flatMap(observeVolume),
    nodes: await Promise.all(nodes.found.map((node) => readNames(engine, node, nodes.found))),
    balancers: balancers.found,
    halfRemoved: [...nodes.halfRemoved, ...balancers.halfRemoved],
    busy: [...nodes.busy, ...balancers.busy],
    images,
    taken: [...taken, ...takenNetworks(topology, networks, otherNetworks)],
    inForce: {},
    ...nothingHeard,
  };
}

/** Before anybody was listened to. */
export const nothingHeard: Pick<
  Snapshot,
  'reports' | 'silent' | 'past' | 'heardUntil' | 'lost' | 'hung' | 'sinceChange' | 'settlesIn'
> = {
  reports: new Map(),
  silent: new Set(),
  past: new Map(),
  heardUntil: 0,
  lost: new Map(),
  hung: new Set(),
  sinceChange: new Map(),
  settlesIn: new Map(),
};

/** Adds the files in force of these containers (id and folder) to a snapshot. */
export async function observeInForce(
  engine: Engine,
  snapshot: Snapshot,
  folders: readonly { readonly id: string; readonly folder: string }[],
): Promise<Snapshot> {
  const read = await Promise.all(
    folders.map(async ({ id, folder }) => {
      const files = await engine.readArchive(id, folder);
      // Paths in an archive begin with the folder's own name.
      const named = [...(files ?? [])].map(([path, content]) => [path.slice(path.indexOf('/') + 1), content] as const);
      return [id, Object.fromEntries(named)] as const;
    }),
  );
  return { ...snapshot, inForce: { ...snapshot.inForce, ...Object.fromEntries(read) } };
}

type Read<T> = {
  readonly found: readonly T[];
  readonly halfRemoved: readonly Container[];
  readonly busy: readonly Container[];
};

async function readEach<T>(
  engine: Engine,
  containers: readonly Container[],
  kind: string,
  read: (engine: Engine, container: Container) => Promise<T | undefined>,
): Promise<Read<T>> {
  const those = containers.filter(({ labels }) => labels[labelNames.kind] === kind);
  const each = await Promise.all(
    those.map((container) => readUnlessRemoved(engine, container, () => read(engine, container))),
  );
  return {
    found: each.flatMap((one) => (one !== undefined && 'is' in one && one.is !== undefined ? [one.is] : [])),
    halfRemoved: each.flatMap((one) => (one !== undefined && 'half' in one ? [one.half] : [])),
    busy: each.flatMap((one) => (one !== undefined && 'busy' in one ? [one.busy] : [])),
  };
}

/**
 * What is read of a container, undefined where it is being removed: its files go first, and what is done to it by then
 * fails. Whoever plans is to see it gone. Of one whose removal does not come to its end nothing can be read any more, nor
 * of one that another call holds while that goes on.
 */
async function readUnlessRemoved<T>(
  engine: Engine,
  container: Container,
  read: () => Promise<T>,
): Promise<{ readonly is: T } | { readonly half: Container } | { readonly busy: Container } | undefined> {
  if (container.isBusy === true) return { busy: container };
  const seen = isBeingRemoved(container) ? await awaitRemoval(engine, container.id) : container;
  if (seen === undefined) return undefined;
  if (isBeingRemoved(seen)) return { half: seen };
  try {
    return { is: await read() };
  } catch (error) {
    if (hasCode(error, 'engine-timeout')) return { busy: container };
    if (!hasCode(error, 'engine-error')) throw error;
    const left = await awaitRemoval(engine, container.id);
    if (left === undefined) return undefined;
    if (isBeingRemoved(left)) return { half: left };
    throw error;
  }
}

// Waits for the end of a removal; gives the container where none is under way, it takes too long, or it has failed.
async function awaitRemoval(engine: Engine, id: string): Promise<Container | undefined> {
  const until = performance.now() + removalTime;
  for (;;) {
    const container = await engine.inspectContainer(id);
    if (container?.state !== 'removing' || performance.now() >= until) return container;
    await sleep(removalPause);
  }
}

async function observeNode(engine: Engine, container: Container): Promise<ObservedNode | undefined> {
  const slot = readSlot(container.labels);
  const [mounted] = container.volumes;
  if (slot === undefined) return undefined;
  const layout: Layout = layoutOf(mounted === undefined ? [] : [mounted.target]);
  const read = (link: FactLink): Promise<string | undefined> => engine.readLink(container.id, `${layout.home}/${link}`);
  const [targets, isStandby] = await Promise.all([
    Promise.all(factLinks.map(async (link) => [link, await read(link)] as const)),
    findStandby(engine, container.id, layout),
  ]);
  const links = Object.fromEntries(targets) as Record<FactLink, string | undefined>;
  return {
    container,
    group: container.labels[labelNames.group] ?? '',
    slot,
    volume: mounted?.name ?? '',
    layout,
    facts: readFacts(links),
    isStandby,
  };
}

/**
 * A controller whose time is over may set the link of a record last, and takes no record away: where the link is behind
 * those of others, the names of all that the volume holds tell more.
 */
async function readNames(engine: Engine, node: ObservedNode, nodes: readonly ObservedNode[]): Promise<ObservedNode> {
  const { facts } = node;
  const newest = newestRecord(nodes.filter(({ group }) => group === node.group))?.record;
  if (facts.record === undefined || newest === undefined || compareRecords(facts.record, newest) >= 0) return node;
  const files = await readRecordFiles(engine, node).catch((error: unknown) => {
    // One that is being removed, or is broken, has what its link says.
    if (hasCode(error, 'engine-error', 'not-found')) return [];
    throw error;
  });
  const last = files.map(({ name }) => name).toSorted((a, b) => compareRecords(b, a))[0];
  if (last === undefined || compareRecords(last, facts.record) <= 0) return node;
  return { ...node, facts: { ...facts, record: last }, isLinkLate: true };
}

export type RecordFile = { readonly name: RecordName; readonly text: string };

/** All records that a volume was given and still has, whatever its link says; in no order. */
export async function readRecordFiles(
  engine: Engine,
  { container, layout }: ObservedNode,
): Promise<readonly RecordFile[]> {
  const files = await engine.readArchive(container.id, `${layout.home}/${recordsFolder}`);
  return [...(files ?? [])].flatMap(([path, text]) => {
    const name = readRecordName(path.slice(path.lastIndexOf('/') + 1));
    return name === undefined ? [] : [{ name, text }];
  });
}

// Where no data is, or the container goes just now, nothing was promoted.
async function findStandby(engine: Engine, container: string, { data }: Layout): Promise<boolean> {
  if (await engine.pathExists(container, `${data}/standby.signal`)) return true;
  return !(await engine.pathExists(container, `${data}/PG_VERSION`));
}

async function observeBalancer(engine: Engine, container: Container): Promise<ObservedBalancer> {
  const read = async (link: string): Promise<string | undefined> => {
    const target = await engine.readLink(container.id, link);
    return target?.slice(target.lastIndexOf('/') + 1);
  };
  const [config, started, readers] = await Promise.all([
    read(`${balancerHome}/config`),
    read(`${balancerHome}/started`),
    read(readersLink),
  ]);
  return { container, group: container.labels[labelNames.group] ?? '', config, started, readers };
}

function observeVolume(volume: Volume): readonly ObservedVolume[] {
  const slot = readSlot(volume.labels);
  const group = volume.labels[labelNames.group];
  if (slot === undefined || group === undefined) return [];
  return [{ volume, group, slot, generation: readGeneration(volume.name) }];
}

async function inspectImages(
  engine: Engine,
  topology: Topology | undefined,
): Promise<Readonly<Record<string, Image | undefined>>> {
  const groups = topology?.groups ?? [];
  const wanted = new Set(groups.flatMap(({ balancer, nodes }) => [balancer.image, ...nodes.map(({ image }) => image)]));
  const found = await Promise.all([...wanted].map(async (ref) => [ref, await engine.inspectImage(ref)] as const));
  return Object.fromEntries(found);
}

// Only names that our own containers do not hold are asked for: with nothing missing this costs nothing.
async function findTaken(engine: Engine, topology: Topology, ours: readonly Container[]): Promise<readonly Taken[]> {
  const wanted = topology.groups.flatMap(({ balancer, nodes }) => [
    balancer.containerName,
    ...nodes.map(({ containerName }) => containerName),
  ]);
  const missing = wanted.filter((name) => !ours.some((container) => container.name === name));
  const holders = await Promise.all(missing.map((name) => engine.inspectContainer(name)));
  return holders.flatMap((holder) =>
    holder === undefined || holder.labels[labelNames.cluster] === topology.cluster
      ? []
      : [{ kind: 'container', name: holder.name, by: describeHolder(holder.labels, `image ${holder.image}`) }],
  );
}

function takenNetworks(
  topology: Topology | undefined,
  ours: readonly Network[],
  all: readonly Network[],
): readonly Taken[] {
  if (topology === undefined) return [];
  const wanted = [topology.network.name, topology.network.writeName];
  return all
    .filter(({ id, name }) => wanted.includes(name) && !ours.some((network) => network.id === id))
    .map(({ name, labels, subnets }) => ({ kind: 'network', name, by: describeHolder(labels, subnets.join(', ')) }));
}

function describeHolder(labels: Readonly<Record<string, string>>, otherwise: string): string {
  const cluster = labels[labelNames.cluster];
  const project = labels['com.docker.compose.project'];
  if (cluster !== undefined) return `the pgherd cluster "${cluster}"`;
  return project === undefined ? otherwise : `the Compose project "${project}"`;
}
