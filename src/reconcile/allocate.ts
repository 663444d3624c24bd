import { formatIpv4, parseCidr, parseIpv4, type Cidr } from '../base/ipv4.ts';
import type { Container, Network } from '../docker/types.ts';
import type { Topology } from '../topology/model.ts';
import { findContainer, listContainers } from './group.ts';
import { labelNames, readSlot } from './names.ts';
import type { Snapshot } from './snapshot.ts';

/** Addresses on the cluster's network and on its write network. */
export type Addresses = {
  /** Undefined where the network is still to get its subnet from the engine. */
  readonly balancer: (group: string) => string | undefined;
  readonly node: (group: string, slot: number) => string | undefined;
  /** The address on the write network that the group's leader holds, and that of its balancer beside it. */
  readonly write: (group: string) => { readonly leader: string; readonly balancer: string } | undefined;
};

type Claim = {
  readonly key: string;
  readonly given: string | undefined;
  readonly kept: string | undefined;
  readonly preferred: number;
};

/**
 * Gives every container its address: the file's, else the one it has, else the old convention's (group N: `.N.10` its
 * balancer, `.N.20` its primary, `.N.21` … its replicas) where the subnet is large enough and it is free, else the first
 * that is free. What runs keeps its address whatever is added or removed around it.
 */
export function allocateAddresses(topology: Topology, snapshot: Snapshot): Addresses {
  const main = subnetOf(topology.network.subnet, find(snapshot.networks, topology.network.name));
  const write = subnetOf(topology.network.writeSubnet, find(snapshot.networks, topology.network.writeName));
  const leaving = leavingAddresses(topology, snapshot);
  const addresses =
    main === undefined ? new Map<string, string>() : assign(main, claims(topology, snapshot, main), leaving);
  const pairs = write === undefined ? new Map<string, number>() : assignPairs(topology, snapshot, write, leaving);
  return {
    balancer: (group) => addresses.get(group),
    node: (group, slot) => addresses.get(key(group, slot)),
    write: (group) => {
      const pair = pairs.get(group);
      return pair === undefined ? undefined : { leader: formatIpv4(pair), balancer: formatIpv4(pair + 1) };
    },
  };
}

function contains(subnet: Cidr, address: number | undefined): boolean {
  return address !== undefined && address >= subnet.first && address <= subnet.last;
}

function key(group: string, slot: number): string {
  return `${group}/${String(slot)}`;
}

function find(networks: readonly Network[], name: string): Network | undefined {
  return networks.find((network) => network.name === name);
}

// A live subnet cannot change: where the file says another one, that is blocked, and addresses stay what they are.
function subnetOf(given: string | undefined, live: Network | undefined): Cidr | undefined {
  const text = live?.subnets[0] ?? given;
  return text === undefined ? undefined : parseCidr(text);
}

function claims(topology: Topology, snapshot: Snapshot, subnet: Cidr): readonly Claim[] {
  const { name } = topology.network;
  const kept = (container: Container | undefined): string | undefined => container?.networks[name]?.address;
  return topology.groups.flatMap((group, index) => {
    const block = subnet.first + (index + 1) * 256;
    return [
      {
        key: group.name,
        given: group.balancer.address,
        kept: kept(findContainer(snapshot, group.name, undefined)),
        preferred: block + 10,
      },
      ...group.nodes.map((node) => ({
        key: key(group.name, node.slot),
        given: node.address,
        kept: kept(findContainer(snapshot, group.name, node.slot)),
        preferred: block + 20 + node.slot,
      })),
    ];
  });
}

// What the file no longer has holds its addresses, on either network, until it is removed.
function leavingAddresses(topology: Topology, snapshot: Snapshot): readonly string[] {
  const groups = new Map(topology.groups.map((group) => [group.name, group]));
  const isInFile = ({ labels }: Container): boolean => {
    const [group, slot] = [groups.get(labels[labelNames.group] ?? ''), readSlot(labels)];
    return group !== undefined && (slot === undefined || group.nodes.some((node) => node.slot === slot));
  };
  const leaving = listContainers(snapshot).filter((container) => !isInFile(container));
  return leaving.flatMap((container) => Object.values(container.networks).flatMap(({ address }) => address ?? []));
}

function assign(subnet: Cidr, wanted: readonly Claim[], leaving: readonly string[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  const used = new Set<string>();
  const take = (claim: Claim, address: string): void => {
    given.set(claim.key, address);
    used.add(address);
  };
  for (const claim of wanted) if (claim.given !== undefined) take(claim, claim.given);
  for (const claim of wanted) {
    if (given.has(claim.key) || claim.kept === undefined || used.has(claim.kept)) continue;
    if (contains(subnet, parseIpv4(claim.kept))) take(claim, claim.kept);
  }
  for (const address of leaving) used.add(address);
  for (const claim of wanted) {
    if (given.has(claim.key)) continue;
    const address = firstFree(subnet, used, claim.preferred);
    if (address !== undefined) take(claim, address);
  }
  return given;
}

function firstFree(subnet: Cidr, used: ReadonlySet<string>, preferred: number): string | undefined {
  // The first address is the gateway's; the last is the broadcast address.
  const isFree = (address: number): boolean =>
    address > subnet.first + 1 && address < subnet.last && !used.has(formatIpv4(address));
  if (isFree(preferred)) return formatIpv4(preferred);
  for (let address = subnet.first + 2; address < subnet.last; address += 1) {
    if (isFree(address)) return formatIpv4(address);
  }
  return undefined;
}

// A pair for each group, the leader's address even and the balancer's odd: one tells the other, so that the pair is
// kept as long as either container is there.
function assignPairs(
  topology: Topology,
  snapshot: Snapshot,
  subnet: Cidr,
  leaving: readonly string[],
): ReadonlyMap<string, number> {
  const { writeName } = topology.network;
  const pairs = new Map<string, number>();
  const even = (address: string | undefined): number | undefined => {
    const number = parseIpv4(address ?? '');
    if (number === undefined || !contains(subnet, number)) return undefined;
    return number - (number % 2);
  };
  for (const { name } of topology.groups) {
    const containers = listContainers(snapshot).filter(({ labels }) => labels[labelNames.group] === name);
    const kept = containers.map((each) => even(each.networks[writeName]?.address));
    const pair = kept.find((address) => address !== undefined);
    if (pair !== undefined && ![...pairs.values()].includes(pair)) pairs.set(name, pair);
  }
  for (const { name } of topology.groups) {
    if (pairs.has(name)) continue;
    const taken = new Set([...pairs.values(), ...leaving.map(even)]);
    for (let pair = subnet.first + 2; pair + 1 < subnet.last; pair += 2) {
      if (taken.has(pair)) continue;
      pairs.set(name, pair);
      break;
    }
  }
  return pairs;
}
