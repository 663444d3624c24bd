import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../base/error.ts';
import { isKept } from '../base/revision.ts';
import type { Engine } from '../docker/engine.ts';
import { isBeingRemoved, type Container, type Image, type Network, type Volume } from '../docker/types.ts';
import {
  compareRecords,
  factLinks,
  layoutOf,
  readFacts,
  readRecordName,
  readSomeFacts,
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

/** Milliseconds for which what was read of a container counts while others are waited for; then it is read again. */
const readingTime = 500;

/**
 * Looks at a cluster once: three lists, an inspect for each container, a stat for each fact, which are asked for while the
 * engine still keeps others to itself. Whatever a topology wants and the cluster does not have is looked for by name, so that
 * what is not ours is seen before it is touched.
 */
export async function observe(engine: Engine, cluster: string, topology: Topology | undefined): Promise<Snapshot> {
  const labels = clusterLabels(cluster);
  const readings = new Map<Container, Reading>();
  const [containers, networks, volumes, images] = await Promise.all([
    engine.listContainers(labels, (container) => readings.set(container, beginReading(engine, container))),
    engine.listNetworks(labels),
    engine.listVolumes(labels),
    inspectImages(engine, topology),
  ]);
  const wantsNetwork = topology !== undefined && networks.length < 2;
  const reading = (container: Container): Promise<Read> => {
    const begun = readings.get(container);
    const isRecent = begun !== undefined && performance.now() - begun.since < readingTime;
    return (isRecent ? begun : beginReading(engine, container)).read;
  };
  const [read, otherNetworks, taken] = await Promise.all([
    Promise.all(containers.map(reading)),
    wantsNetwork ? engine.listNetworks() : Promise.resolve([]),
    topology === undefined ? Promise.resolve([]) : findTaken(engine, topology, containers),
  ]);
  const nodes = read.flatMap(({ node }) => node ?? []);
  return {
    takenAt: Date.now(),
    cluster,
    isLocked: containers.some(({ labels, state }) => labels[labelNames.kind] === 'lock' && state === 'running'),
    networks,
    otherNetworks: otherNetworks.filter(({ id }) => !networks.some((network) => network.id === id)),
    volumes: volumes.flatMap(observeVolume),
    nodes: await Promise.all(nodes.map((node) => readNames(engine, node, nodes))),
    balancers: read.flatMap(({ balancer }) => balancer ?? []),
    halfRemoved: read.flatMap(({ half }) => half ?? []),
    busy: read.flatMap(({ busy }) => busy ?? []),
    images,
    taken: [...taken, ...takenNetworks(topology, networks, otherNetworks)],
    inForce: {},
    ...nothingHeard,
  };
}

/** Facts that a change of leaders goes by, and those of them that say something where a container has ended. */
const decidingFacts: readonly FactLink[] = ['state', 'serves', 'detached', 'record', 'handover', 'pause'];
const lastingFacts: readonly FactLink[] = ['serves', 'handover', 'pause'];

/**
 * Looks again at a cluster where nothing was done since it was seen but that nodes were taken out of service, and told to
 * follow nobody: reads what a change of leaders goes by. Of containers that have ended `changed` alone are read: each stat of
 * one mounts it. Where containers have come, gone, started or ended, it looks at all.
 */
export async function observeAgain(
  engine: Engine,
  topology: Topology,
  seen: Snapshot,
  changed: ReadonlySet<string>,
): Promise<Snapshot> {
  const { nodes, balancers } = seen;
  const before = new Map([...nodes, ...balancers].map(({ container }) => [container.id, container]));
  const listed = await engine.listContainers(clusterLabels(seen.cluster));
  const now = new Map(listed.filter(isOfGroup).map((container) => [container.id, container]));
  const isAsSeen =
    seen.busy.length + seen.halfRemoved.length === 0 &&
    now.size === before.size &&
    [...now.values()].every((container) => isStill(container, before.get(container.id)));
  const latest = <T extends { readonly container: Container }>(one: T): T => ({
    ...one,
    container: now.get(one.container.id) ?? one.container,
  });
  const read = isAsSeen
    ? await Promise.all(nodes.map((node) => readAgain(engine, latest(node), changed))).catch(unlessGoing)
    : undefined;
  if (read === undefined) return observe(engine, seen.cluster, topology);
  const named = await Promise.all(read.map((node) => readNames(engine, node, read)));
  return { ...seen, takenAt: Date.now(), nodes: named, balancers: balancers.map(latest), ...nothingHeard };
}

// One that is removed or held meanwhile is told apart by a whole look.
function unlessGoing(error: unknown): undefined {
  if (!hasCode(error, 'engine-timeout', 'engine-error')) throw error;
}

function isOfGroup({ labels }: Container): boolean {
  return labels[labelNames.kind] === 'node' || labels[labelNames.kind] === 'balancer';
}

function isStill(container: Container, before: Container | undefined): boolean {
  const isThere = container.isBusy !== true && !isBeingRemoved(container);
  return isThere && container.state === before?.state && container.startedAt === before.startedAt;
}

async function readAgain(engine: Engine, node: ObservedNode, changed: ReadonlySet<string>): Promise<ObservedNode> {
  const { container, layout, facts } = node;
  const isRunning = container.state === 'running';
  if (!isRunning && !changed.has(container.id)) return node;
  const [links, isStandby] = await Promise.all([
    readLinks(engine, node, isRunning ? decidingFacts : lastingFacts),
    isRunning ? findStandby(engine, container.id, layout) : node.isStandby,
  ]);
  return { ...node, facts: { ...facts, ...readSomeFacts(links) }, isStandby, isLinkLate: false };
}

type Links = Partial<Record<FactLink, string | undefined>>;

async function readLinks(
  engine: Engine,
  { container, layout }: Pick<ObservedNode, 'container' | 'layout'>,
  links: readonly FactLink[],
): Promise<Links> {
  const read = async (link: FactLink) => [link, await engine.readLink(container.id, `${layout.home}/${link}`)] as const;
  return Object.fromEntries(await Promise.all(links.map(read)));
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

/** What a container turned out to be; nothing where it is going, or is none that a topology names. */
type Read = {
  readonly node?: ObservedNode | undefined;
  readonly balancer?: ObservedBalancer | undefined;
  readonly half?: Container;
  readonly busy?: Container;
};

type Reading = {
  /** Milliseconds of a clock that only goes forward. */
  readonly since: number;
  readonly read: Promise<Read>;
};

function beginReading(engine: Engine, container: Container): Reading {
  const read = readUnlessRemoved(engine, container);
  // It may be read again, and nobody waits for this one then.
  read.catch(() => undefined);
  return { since: performance.now(), read };
}

/**
 * What is read of a container, nothing where it is being removed: its files go first, and what is done to it by then
 * fails. Whoever plans is to see it gone. Of one whose removal does not come to its end nothing can be read any more, nor
 * of one that another call holds while that goes on.
 */
async function readUnlessRemoved(engine: Engine, container: Container): Promise<Read> {
  if (!isOfGroup(container)) return {};
  if (container.isBusy === true) return { busy: container };
  const seen = isBeingRemoved(container) ? await awaitRemoval(engine, container.id) : container;
  if (seen === undefined) return {};
  if (isBeingRemoved(seen)) return { half: seen };
  try {
    if (container.labels[labelNames.kind] === 'node') return { node: await observeNode(engine, container) };
    return { balancer: await observeBalancer(engine, container) };
  } catch (error) {
    if (hasCode(error, 'engine-timeout')) return { busy: container };
    if (!hasCode(error, 'engine-error')) throw error;
    const left = await awaitRemoval(engine, container.id);
    if (left === undefined) return {};
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
  const read = (links: readonly FactLink[]): Promise<Links> => readLinks(engine, { container, layout }, links);
  const [links, isStandby] = await Promise.all([
    read(factLinks.filter((link) => link !== 'refused')),
    findStandby(engine, container.id, layout),
  ]);
  const refused = isKept(links.config) ? await read(['refused']) : {};
  return {
    container,
    group: container.labels[labelNames.group] ?? '',
    slot,
    volume: mounted?.name ?? '',
    layout,
    facts: readFacts({ ...links, ...refused }),
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
