import { PgherdError } from '../base/error.ts';
import { listKnown } from '../base/suggest.ts';
import type { Engine } from '../docker/engine.ts';
import type { Container } from '../docker/types.ts';
import { nodeName } from './kinds/find-node.ts';
import { labelNames, readSlot } from './names.ts';

/** The container of a node or a balancer, with what people call it. Nothing but its labels tells that: no file does. */
export type Server = {
  readonly cluster: string;
  readonly group: string;
  readonly kind: 'node' | 'balancer';
  /** A balancer's is its group's. */
  readonly name: string;
  /** Of a node. */
  readonly slot: number | undefined;
  readonly container: Container;
};

/** Nodes and the balancer of a group. */
export type FoundGroup = {
  readonly cluster: string;
  readonly name: string;
  readonly nodes: readonly Server[];
  readonly balancer: Server | undefined;
};

/** All that the engine has of nodes and balancers, group by group, the balancer first. */
export async function listServers(engine: Pick<Engine, 'listContainers'>): Promise<readonly Server[]> {
  const [balancers, nodes] = await Promise.all([
    engine.listContainers({ [labelNames.kind]: 'balancer' }),
    listNodes(engine),
  ]);
  return [...balancers.flatMap(toBalancer), ...nodes].sort(inOrder);
}

/** All that the engine has of nodes. */
export async function listNodes(engine: Pick<Engine, 'listContainers'>): Promise<readonly Server[]> {
  return (await engine.listContainers({ [labelNames.kind]: 'node' })).flatMap(toNode);
}

function toBalancer(container: Container): readonly Server[] {
  const { [labelNames.cluster]: cluster, [labelNames.group]: group } = container.labels;
  if (cluster === undefined || group === undefined) return [];
  return [{ cluster, group, kind: 'balancer', name: group, slot: undefined, container }];
}

function toNode(container: Container): readonly Server[] {
  const { [labelNames.cluster]: cluster, [labelNames.group]: group } = container.labels;
  const slot = readSlot(container.labels);
  if (cluster === undefined || group === undefined || slot === undefined) return [];
  return [{ cluster, group, kind: 'node', name: nodeName({ container, group, slot }), slot, container }];
}

function inOrder(a: Server, b: Server): number {
  return compare(a.cluster, b.cluster) || compare(a.group, b.group) || (a.slot ?? -1) - (b.slot ?? -1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Those of a cluster, all of them where none is named; throws where it has none. */
export function ofCluster(servers: readonly Server[], cluster: string | undefined): readonly Server[] {
  if (servers.length === 0) {
    throw new PgherdError('not-found', 'no cluster of pgherd is on this engine', {
      remedy: 'make one with `pgherd reconcile --once FILE`, or name another engine with -H',
    });
  }
  if (cluster === undefined) return servers;
  const found = servers.filter((server) => server.cluster === cluster);
  if (found.length > 0) return found;
  throw unknown('cluster', cluster, unique(servers.map((server) => server.cluster)));
}

/** The one node or balancer of a name, `CLUSTER/NAME`, or name of a container. */
export function findServer(servers: readonly Server[], word: string, cluster: string | undefined): Server {
  const among = ofCluster(servers, cluster);
  const named = among.filter((server) => server.name === word || full(server) === word);
  const found = named.length > 0 ? named : among.filter(({ container }) => container.name === word);
  const [first, ...others] = found;
  if (first === undefined) throw unknown('node or balancer', word, unique(among.map(({ name }) => name)));
  if (others.length > 0) throw ambiguous('node', word, found.map(full));
  return first;
}

/** The group of a name or `CLUSTER/NAME`; without one, the only group there is. */
export function findGroup(
  servers: readonly Server[],
  word: string | undefined,
  cluster: string | undefined,
): FoundGroup {
  const among = ofCluster(servers, cluster);
  const groups = unique(among.map(({ cluster: of, group }) => `${of}/${group}`));
  const nameOf = (group: string): string => group.slice(group.indexOf('/') + 1);
  const found = groups.filter((group) => word === undefined || nameOf(group) === word || group === word);
  const [first, ...others] = found;
  if (first === undefined) throw unknown('group', word ?? '', unique(groups.map(nameOf)));
  if (others.length > 0) {
    if (word !== undefined) throw ambiguous('group', word, found);
    throw new PgherdError('ambiguous', `there are several groups: ${found.join(', ')}`, {
      remedy: 'name one of them, and add --cluster where the name alone is not enough',
    });
  }
  const members = among.filter(({ cluster: of, group }) => `${of}/${group}` === first);
  return {
    cluster: first.slice(0, first.indexOf('/')),
    name: nameOf(first),
    nodes: members.filter(({ kind }) => kind === 'node'),
    balancer: members.find(({ kind }) => kind === 'balancer'),
  };
}

function full({ cluster, name }: Server): string {
  return `${cluster}/${name}`;
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

function unknown(what: string, word: string, known: readonly string[]): PgherdError {
  return new PgherdError('not-found', `there is no ${what} "${word}" on this engine`, {
    remedy: listKnown(word, known),
  });
}

function ambiguous(what: string, word: string, candidates: readonly string[]): PgherdError {
  return new PgherdError('ambiguous', `several clusters have a ${what} "${word}": ${candidates.join(', ')}`, {
    remedy: 'say which with --cluster',
  });
}
