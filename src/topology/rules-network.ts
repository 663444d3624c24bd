import { formatCidr, formatIpv4, parseCidr, parseIpv4, type Cidr } from '../base/ipv4.ts';
import type { DiagnosticCode } from './diagnostic-codes.ts';
import type { Issue } from './diagnostic.ts';
import type { Path } from './path.ts';
import type { Resolved } from './resolve.ts';

/** Subnets that are subnets, large enough, and addresses that lie in them. */
export function checkNetwork({ topology, origins }: Resolved, subnetIsBroken: boolean): Issue[] {
  const { subnet, writeSubnet } = topology.network;
  const issues = [...checkSubnet('subnet', subnet), ...checkSubnet('rw_subnet', writeSubnet)];
  const addresses = topology.groups.flatMap((group) =>
    [group.balancer, ...group.nodes].flatMap((part) => {
      const path = [...(origins.get(part) ?? []), 'ip_address'];
      return part.address === undefined ? [] : [{ address: part.address, path }];
    }),
  );
  const [first] = addresses;
  if (subnet === undefined) {
    // one mistake, however many addresses there are
    if (first !== undefined && !subnetIsBroken) issues.push(explainMissingSubnet(first.path));
    return issues;
  }
  const cidr = parseCidr(subnet);
  if (cidr === undefined) return issues;
  for (const { address, path } of addresses) issues.push(...checkAddress(address, cidr, path));
  const containers = topology.groups.reduce((count, group) => count + group.nodes.length + 1, 0);
  issues.push(...checkRoom('subnet', cidr, containers, 'one for each container'));
  const writeCidr = writeSubnet === undefined ? undefined : parseCidr(writeSubnet);
  const members = topology.groups.length * 2;
  if (writeCidr !== undefined) issues.push(...checkRoom('rw_subnet', writeCidr, members, 'two for each group'));
  return issues;
}

function checkSubnet(key: string, subnet: string | undefined): Issue[] {
  const cidr = subnet === undefined ? undefined : parseCidr(subnet);
  if (subnet === undefined || cidr === undefined || formatCidr(cidr) === subnet) return [];
  const message = `${subnet} is not the first address of a subnet`;
  return [{ path: ['network', key], at: 'value', code: 'subnet', message, hint: `write ${formatCidr(cidr)}` }];
}

function explainMissingSubnet(path: Path): Issue {
  const message = 'a fixed address needs network.subnet';
  return {
    path,
    at: 'value',
    code: 'address-without-subnet',
    message,
    hint: 'give network.subnet, or leave the addresses out',
  };
}

function checkAddress(address: string, subnet: Cidr, path: Path): Issue[] {
  const number = parseIpv4(address);
  if (number === undefined) return [];
  const refuse = (code: DiagnosticCode, message: string): Issue[] => {
    const hint = `choose one from ${formatIpv4(subnet.first + 2)} to ${formatIpv4(subnet.last - 1)}`;
    return [{ path, at: 'value', code, message, hint }];
  };
  const range = formatCidr(subnet);
  if (number < subnet.first || number > subnet.last)
    return refuse('address-outside', `${address} lies outside the subnet ${range}`);
  if (number === subnet.first) return refuse('address-reserved', `${address} is the network address of ${range}`);
  if (number === subnet.last) return refuse('address-reserved', `${address} is the broadcast address of ${range}`);
  if (number === subnet.first + 1) return refuse('address-reserved', `${address} is the gateway of ${range}`);
  return [];
}

/** Network, broadcast and gateway address are not for containers. */
function checkRoom(key: string, subnet: Cidr, needed: number, what: string): Issue[] {
  const room = subnet.last - subnet.first + 1 - 3;
  if (room >= needed) return [];
  const message = `${formatCidr(subnet)} has ${room} ${room === 1 ? 'address' : 'addresses'} to give, ${needed} are needed: ${what}`;
  const fitting = 32 - Math.ceil(Math.log2(needed + 3));
  return [
    { path: ['network', key], at: 'value', code: 'subnet-too-small', message, hint: `use a /${fitting} or larger` },
  ];
}
