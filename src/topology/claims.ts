import { parseCidr, subnetsOverlap } from '../base/ipv4.ts';
import type { Issue } from './diagnostic.ts';
import type { Group, Node, Topology } from './model.ts';
import type { Path } from './path.ts';
import type { Resolved } from './resolve.ts';

/** Something that only one part of all topologies may have. */
export type Claim = {
  /** `cluster`, `group`, `slot`, `node` and `address` are taken within a cluster, the others on the whole host. */
  readonly kind:
    'cluster' | 'group' | 'slot' | 'node' | 'container' | 'network' | 'subnet' | 'address' | 'port' | 'volumes';
  /** What is claimed, as shown to the user. */
  readonly value: string;
  /** Where two claims of one kind are compared: the cluster, the group, or everywhere. */
  readonly scope: string;
  readonly path: Path;
  /** What the value is derived from, where the file does not give it: a clash of two such is reported there. */
  readonly derivedFrom?: string;
};

export type Clash = { readonly first: Claim; readonly second: Claim };

const labels = {
  cluster: 'the cluster name',
  group: 'the name',
  slot: 'the node_id',
  node: 'the node name',
  container: 'the container name',
  network: 'the network name',
  subnet: 'the subnet',
  address: 'the address',
  port: 'the port',
  volumes: 'the volume prefix',
} satisfies Record<Claim['kind'], string>;

/** Everything that a topology claims, in an order in which a cause comes before what follows from it. */
export function listClaims({ topology, origins }: Resolved): Claim[] {
  const { cluster, network } = topology;
  const write = { derivedFrom: `network ${network.name}` };
  return [
    { kind: 'cluster', value: cluster, scope: host, path: ['cluster_name'] },
    claimName('network', network.name, ['network', 'name'], network.name === cluster ? { derivedFrom: cluster } : {}),
    claimName(
      'network',
      network.writeName,
      ['network', 'rw_name'],
      network.writeName === `${network.name}_rw` ? write : {},
    ),
    ...claimSubnet(network.subnet, ['network', 'subnet']),
    ...claimSubnet(network.writeSubnet, ['network', 'rw_subnet']),
    ...topology.groups.flatMap((group, index) => {
      const path = origins.get(group) ?? ['balancers', index];
      const nodes = group.nodes.flatMap((node) => claimNode(topology, group, node, origins.get(node) ?? path, index));
      return [...claimBalancer(topology, group, path), ...nodes];
    }),
  ];
}

/** The scope of what is taken on the whole host. */
const host = '';

function claimBalancer({ cluster, bindAddress }: Topology, { name, balancer }: Group, path: Path): Claim[] {
  const derived = { derivedFrom: `${cluster} ${name}` };
  const container = balancer.containerName === `${cluster}-${name}` ? derived : {};
  return [
    { kind: 'group', value: name, scope: cluster, path: [...path, 'name'] },
    claimName('container', balancer.containerName, [...path, 'container_name'], container),
    claimName('volumes', `${cluster}_${name}`, [...path, 'name'], derived),
    ...claimAddress(balancer.address, cluster, path),
    ...claimPort(balancer.port, bindAddress, [...path, 'port']),
    ...claimPort(balancer.pcpPort, bindAddress, [...path, 'pcp_port']),
    ...claimPort(balancer.restApiPort, bindAddress, [...path, 'rest_api_port']),
  ];
}

function claimNode({ cluster, bindAddress }: Topology, group: Group, node: Node, path: Path, index: number): Claim[] {
  const isDefault = node.name === (node.slot === 0 ? `${group.name}-primary` : `${group.name}-replica${node.slot}`);
  const named = isDefault ? { derivedFrom: `${cluster} ${group.name} ${node.slot}` } : {};
  const derived = { derivedFrom: `${cluster} ${node.name.toLowerCase()}` };
  const container = node.containerName === `${cluster}-${node.name}` ? derived : {};
  return [
    { kind: 'slot', value: String(node.slot), scope: `${cluster} ${index}`, path: [...path, 'node_id'] },
    { kind: 'node', value: node.name, scope: cluster, path: [...path, 'host'], ...named },
    claimName('container', node.containerName, [...path, 'container_name'], container),
    ...claimAddress(node.address, cluster, path),
    ...claimPort(node.port, bindAddress, [...path, 'port']),
  ];
}

function claimName(
  kind: 'container' | 'network' | 'volumes',
  value: string,
  path: Path,
  origin: Pick<Claim, 'derivedFrom'>,
): Claim {
  return { kind, value, scope: host, path, ...origin };
}

function claimSubnet(value: string | undefined, path: Path): Claim[] {
  return value === undefined ? [] : [{ kind: 'subnet', value, scope: host, path }];
}

function claimAddress(value: string | undefined, scope: string, path: Path): Claim[] {
  return value === undefined ? [] : [{ kind: 'address', value, scope, path: [...path, 'ip_address'] }];
}

function claimPort(port: number | undefined, scope: string, path: Path): Claim[] {
  return port === undefined ? [] : [{ kind: 'port', value: String(port), scope, path }];
}

/** Each claim that an earlier one has taken, with that one; what merely follows from another clash is left out. */
export function findClashes<T extends Claim>(claims: readonly T[]): { first: T; second: T }[] {
  const byKey = new Map<string, T[]>();
  const clashes: { first: T; second: T }[] = [];
  for (const second of claims) {
    const key = second.kind === 'subnet' ? 'subnet' : `${second.kind} ${fold(second)}`;
    const earlier = byKey.get(key) ?? [];
    const first = earlier.find((claim) => claimsClash(claim, second));
    byKey.set(key, earlier);
    earlier.push(second);
    if (first !== undefined) clashes.push({ first, second });
  }
  return clashes;
}

/** Names of nodes are host names, and those do not differ by case. */
function fold(claim: Claim): string {
  return claim.kind === 'node' ? claim.value.toLowerCase() : claim.value;
}

function claimsClash(a: Claim, b: Claim): boolean {
  if (a.derivedFrom !== undefined && a.derivedFrom === b.derivedFrom) return false;
  if (a.kind === 'port') return a.scope === b.scope || a.scope === '0.0.0.0' || b.scope === '0.0.0.0';
  if (a.kind !== 'subnet') return a.scope === b.scope;
  const [one, other] = [parseCidr(a.value), parseCidr(b.value)];
  return one !== undefined && other !== undefined && subnetsOverlap(one, other);
}

/** The issue of a clash, at the second claim; `where` names the place of the first. */
export function describeClash({ first, second }: Clash, where: string): Issue {
  const { kind, value, path } = second;
  if (kind === 'subnet') {
    const message = `the subnet ${value} overlaps ${first.value} of ${where}`;
    return { path, at: 'value', code: 'overlapping-subnet', message, hint: 'give each network a subnet of its own' };
  }
  const shown = ['slot', 'port', 'address'].includes(kind) ? value : JSON.stringify(value);
  const message = `${labels[kind]} ${shown} is already taken by ${where}`;
  return { path, at: 'value', code: `duplicate-${kind}`, message, hint: remedy(kind) };
}

function remedy(kind: Claim['kind']): string {
  if (kind === 'volumes') return 'rename the group: volumes are named <cluster>_<group>_<slot>_<generation>';
  if (kind === 'port') return 'give each published port a number of its own on its bind_address';
  if (kind === 'network') return 'clusters do not share a network: set network.name';
  return 'choose another';
}
