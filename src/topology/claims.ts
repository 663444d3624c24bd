import { parseCidr, subnetsOverlap } from '../base/ipv4.ts';
import type { Issue } from './diagnostic.ts';
import type { Group, Node, Topology } from './model.ts';
import type { Path } from './path.ts';
import type { Resolved } from './resolve.ts';

/** Something that only one part of all topologies may have. */
export type Claim = {
  /** `cluster`, `group`, `slot`, `node` and `address` are taken within a cluster, the others on the whole host. */
  readonly kind: 'cluster' | 'group' | 'slot' | 'node' | 'container' | 'network' | 'subnet' | 'address' | 'port' | 'volumes';
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
  const { cluster, network, bindAddress } = topology;
  const host = '';
  const claims: Claim[] = [
    { kind: 'cluster', value: cluster, scope: host, path: ['cluster_name'] },
    { kind: 'network', value: network.name, scope: host, path: ['network', 'name'], derivedFrom: cluster },
    { kind: 'network', value: network.writeName, scope: host, path: ['network', 'rw_name'], derivedFrom: cluster },
    ...claimSubnets(topology),
  ];
  topology.groups.forEach((group, index) => {
    const path = origins.get(group) ?? ['balancers', index];
    claims.push({ kind: 'group', value: group.name, scope: cluster, path: [...path, 'name'] });
    for (const node of group.nodes) claims.push(...claimNode(topology, group, node, origins.get(node) ?? path, index));
    const { containerName, address, port, pcpPort, restApiPort } = group.balancer;
    const derived = containerName === `${cluster}-${group.name}` ? { derivedFrom: `${cluster} ${group.name}` } : {};
    claims.push({ kind: 'container', value: containerName, scope: host, path: [...path, 'container_name'], ...derived });
    claims.push({ kind: 'volumes', value: `${cluster}_${group.name}`, scope: host, path: [...path, 'name'], derivedFrom: `${cluster} ${group.name}` });
    if (address !== undefined) claims.push({ kind: 'address', value: address, scope: cluster, path: [...path, 'ip_address'] });
    for (const [key, value] of Object.entries({ port, pcp_port: pcpPort, rest_api_port: restApiPort })) {
      if (value !== undefined) claims.push({ kind: 'port', value: String(value), scope: bindAddress, path: [...path, key] });
    }
  });
  return claims;
}

function claimSubnets({ network }: Topology): Claim[] {
  const given = { subnet: network.subnet, rw_subnet: network.writeSubnet };
  return Object.entries(given).flatMap(([key, value]) =>
    value === undefined ? [] : [{ kind: 'subnet', value, scope: '', path: ['network', key] } as const],
  );
}

function claimNode(topology: Topology, group: Group, node: Node, path: Path, index: number): Claim[] {
  const { cluster, bindAddress } = topology;
  const slot = `${cluster} ${group.name} ${node.slot}`;
  const named = node.name === `${group.name}-${node.slot === 0 ? 'primary' : `replica${node.slot}`}` ? { derivedFrom: slot } : {};
  const contained = node.containerName === `${cluster}-${node.name}` ? { derivedFrom: `${cluster} ${node.name.toLowerCase()}` } : {};
  return [
    { kind: 'slot', value: String(node.slot), scope: `${cluster} ${index}`, path: [...path, 'node_id'] },
    { kind: 'node', value: node.name, scope: cluster, path: [...path, 'host'], ...named },
    { kind: 'container', value: node.containerName, scope: '', path: [...path, 'container_name'], ...contained },
    ...(node.address === undefined ? [] : [{ kind: 'address', value: node.address, scope: cluster, path: [...path, 'ip_address'] } as const]),
    ...(node.port === undefined ? [] : [{ kind: 'port', value: String(node.port), scope: bindAddress, path: [...path, 'port'] } as const]),
  ];
}

/** Each claim that an earlier one has taken, with that one; what merely follows from another clash is left out. */
export function findClashes<T extends Claim>(claims: readonly T[]): { first: T; second: T }[] {
  const byKey = new Map<string, T[]>();
  const clashes: { first: T; second: T }[] = [];
  for (const second of claims) {
    const key = second.kind === 'subnet' ? 'subnet' : `${second.kind} ${fold(second)}`;
    const earlier = byKey.get(key) ?? [];
    byKey.set(key, [...earlier, second]);
    const first = earlier.find((claim) => claimsClash(claim, second));
    if (first !== undefined) clashes.push({ first, second });
  }
  return clashes;
}

/** Names of nodes are host names, and those do not differ by case. */
function fold(claim: Claim): string {
  return claim.kind === 'node' ? claim.value.toLowerCase() : claim.value;
}

function claimsClash(a: Claim, b: Claim): boolean {
  if (a.derivedFrom !== undefined && a.derivedFrom === b.derivedFrom) return a.kind === 'network' && a.value === b.value && a.path[1] !== b.path[1];
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
