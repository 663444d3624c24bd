import { formatIpv4, parseCidr, parseIpv4 } from '../base/ipv4.ts';
import { Refusal } from './edit-refusal.ts';
import { interpolate, type Environment } from './interpolate.ts';
import type { Group, Node, Topology } from './model.ts';

/** What no new node may have: names in lower case, and addresses and ports. */
type Taken = {
  readonly names: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
};

/** Gives a new replica the values that go on from its siblings'. */
export type NextValues = {
  /** Above all that are there: the volume of one that is gone belongs to its slot. */
  readonly slot: number;
  /** `texts` are the siblings' as the file has them, the last one's last. */
  readonly name: (texts: readonly string[]) => string;
  readonly address: () => string;
  readonly port: () => number;
};

/** The values of one more replica of the group; `others` are topologies beside this one on the same host. */
export function findNext(topology: Topology, group: Group, others: readonly Topology[], env: Environment): NextValues {
  const taken = listTaken(topology, others);
  const [, ...replicas] = group.nodes;
  const last = replicas.at(-1);
  const slot = (last?.slot ?? 0) + 1;
  return {
    slot,
    name: (texts) => nextName(texts, last?.slot ?? 0, slot, (text) => isFreeName(text, taken, env)),
    address: () => nextAddress(topology, replicas, taken),
    port: () => nextPort(replicas, taken),
  };
}

function listTaken(topology: Topology, others: readonly Topology[]): Taken {
  const parts = topology.groups.flatMap(({ balancer, nodes }) => [balancer, ...nodes]);
  const names = [
    ...topology.groups.flatMap(({ name, nodes }) => [name, ...nodes.map((node) => node.name)]),
    ...parts.map(({ containerName }) => containerName),
    ...others.flatMap(({ groups }) =>
      groups.flatMap(({ balancer, nodes }) => [balancer, ...nodes].map(({ containerName }) => containerName)),
    ),
  ];
  const ports = [topology, ...others].flatMap(({ groups }) =>
    groups.flatMap(({ balancer, nodes }) => [
      ...[balancer.port, balancer.pcpPort, balancer.restApiPort],
      ...nodes.map((node) => node.port),
    ]),
  );
  return {
    names: new Set(names.map((name) => name.toLowerCase())),
    addresses: new Set(parts.flatMap(({ address }) => address ?? [])),
    ports: new Set(ports.flatMap((port) => port ?? [])),
  };
}

function isFreeName(text: string, { names }: Taken, env: Environment): boolean {
  const result = interpolate(text, env);
  return 'problem' in result || !names.has(result.text.toLowerCase());
}

/**
 * The last number of a name counts on, from the highest that a sibling has there: where it ends the name, is the slot of
 * the node, or is what sets the siblings apart. A name without such a number gets its slot.
 */
function nextName(texts: readonly string[], lastSlot: number, slot: number, isFree: (text: string) => boolean): string {
  const last = texts.at(-1) ?? '';
  const frame = splitNumber(last);
  const alike = frame === undefined ? [] : texts.flatMap((text) => splitNumber(text) ?? []).filter(isAlike(frame));
  const counts =
    frame !== undefined &&
    (frame.after === '' ||
      Number(frame.digits) === lastSlot ||
      alike.some(({ digits }) => Number(digits) !== Number(frame.digits)));
  const write = (number: number): string => {
    if (!counts) return `${last}${/\d$/.test(last) ? '-' : ''}${number}`;
    return `${frame.before}${String(number).padStart(frame.digits.length, '0')}${frame.after}`;
  };
  let number = counts ? Math.max(...alike.map(({ digits }) => Number(digits))) + 1 : slot;
  while (!isFree(write(number))) number += 1;
  return write(number);
}

type Frame = { readonly before: string; readonly digits: string; readonly after: string };

/** A text around its last number, which stands in no variable; undefined where there is none. */
function splitNumber(text: string): Frame | undefined {
  const plain = text.lastIndexOf('}') + 1;
  const [, before, digits, after] = /^(.*?)(\d{1,9})(\D*)$/s.exec(text.slice(plain)) ?? [];
  if (before === undefined || digits === undefined || after === undefined) return undefined;
  return { before: text.slice(0, plain) + before, digits, after };
}

function isAlike({ before, after }: Frame): (other: Frame) => boolean {
  return (other) => other.before === before && other.after === after;
}

/** The first that is free above the replicas', else the first at all. */
function nextAddress({ network }: Topology, replicas: readonly Node[], { addresses }: Taken): string {
  const subnet = network.subnet === undefined ? undefined : parseCidr(network.subnet);
  const highest = Math.max(0, ...replicas.map(({ address }) => parseIpv4(address ?? '') ?? 0));
  if (subnet !== undefined) {
    // the first is the network's own, the second the gateway's, the last for broadcasts
    const [low, high] = [subnet.first + 2, subnet.last - 1];
    const find = (from: number, to: number): string | undefined => {
      for (let address = from; address <= to; address += 1) {
        if (!addresses.has(formatIpv4(address))) return formatIpv4(address);
      }
      return undefined;
    };
    const found = find(Math.max(low, highest + 1), high) ?? find(low, high);
    if (found !== undefined) return found;
  }
  throw new Refusal(`no address of ${network.subnet ?? 'the network'} is free`, 'use a larger network.subnet');
}

function nextPort(replicas: readonly Node[], { ports }: Taken): number {
  let port = Math.max(0, ...replicas.map((replica) => replica.port ?? 0)) + 1;
  while (ports.has(port)) port += 1;
  if (port <= 65_535) return port;
  throw new Refusal('no port above those of the replicas is free', 'add the replica to the file by hand');
}
