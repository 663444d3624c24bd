import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCidr, parseIpv4 } from '../../src/base/ipv4.ts';
import { allocateAddresses } from '../../src/reconcile/allocate.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import type { Topology } from '../../src/topology/model.ts';
import { convergedSnapshot, emptySnapshot, topologyOf } from './support.ts';

function herd(network: string, ...replicas: readonly number[]): Topology {
  const balancers = replicas.map((count, index) => `  - { name: lb${String(index + 1)}, replicas: ${String(count)} }`);
  return topologyOf(`cluster_name: shop\nnetwork: ${network}\nbalancers:\n${balancers.join('\n')}\n`);
}

/** Addresses as `name address`, one an entry. */
function list(topology: Topology, snapshot: Snapshot = emptySnapshot(topology)): readonly string[] {
  const addresses = allocateAddresses(topology, snapshot);
  return topology.groups.flatMap(({ name, nodes }) => [
    `${name} ${addresses.balancer(name) ?? '-'}`,
    ...nodes.map((node) => `${node.name} ${addresses.node(name, node.slot) ?? '-'}`),
  ]);
}

const large = '{ subnet: 172.31.0.0/16, rw_subnet: 172.30.0.0/24 }';
const small = '{ subnet: 10.7.0.0/27, rw_subnet: 10.8.0.0/28 }';

describe('addresses', () => {
  it("are the old script's where the subnet is large enough", () => {
    expect(list(herd(large, 2, 0))).toEqual([
      'lb1 172.31.1.10',
      'lb1-primary 172.31.1.20',
      'lb1-replica1 172.31.1.21',
      'lb1-replica2 172.31.1.22',
      'lb2 172.31.2.10',
      'lb2-primary 172.31.2.20',
    ]);
  });

  it('are dense in a smaller one, after the gateway', () => {
    expect(list(herd(small, 1))).toEqual(['lb1 10.7.0.2', 'lb1-primary 10.7.0.3', 'lb1-replica1 10.7.0.4']);
  });

  it('are not known before the engine has chosen a subnet', () => {
    expect(list(herd('{}', 0))).toEqual(['lb1 -', 'lb1-primary -']);
    expect(allocateAddresses(herd('{}', 0), emptySnapshot(herd('{}', 0))).write('lb1')).toBeUndefined();
  });

  it('stay with what runs, whatever is added around it', () => {
    const before = herd(small, 1);
    expect(list(herd(small, 3), convergedSnapshot(before))).toEqual([
      ...list(before),
      'lb1-replica2 10.7.0.5',
      'lb1-replica3 10.7.0.6',
    ]);
  });

  it('stay with those that another call holds, and so does the pair of their group', () => {
    const before = herd(small, 1, 0);
    const converged = convergedSnapshot(before);
    const [balancers, nodes] = [converged.balancers, converged.nodes];
    const busy = [...balancers, ...nodes].map(({ container }) => container);
    const held = { ...converged, balancers: [], nodes: [], busy };
    expect(list(herd(small, 2, 0), held)).toEqual(list(herd(small, 2, 0), converged));
    expect(allocateAddresses(before, held).write('lb2')).toEqual(allocateAddresses(before, converged).write('lb2'));
  });

  it('of what leaves are not given to what comes', () => {
    const after = herd(small, 0, 0);
    expect(list(after, convergedSnapshot(herd(small, 1)))).toEqual([
      'lb1 10.7.0.2',
      'lb1-primary 10.7.0.3',
      'lb2 10.7.0.5',
      'lb2-primary 10.7.0.6',
    ]);
  });

  it("on the write network are a pair for each group: the leader's and the balancer's", () => {
    const { write } = allocateAddresses(herd(small, 0, 0), emptySnapshot(herd(small, 0, 0)));
    expect(write('lb1')).toEqual({ leader: '10.8.0.2', balancer: '10.8.0.3' });
    expect(write('lb2')).toEqual({ leader: '10.8.0.4', balancer: '10.8.0.5' });
    expect(write('lb3')).toBeUndefined();
  });

  it('are inside their subnet and nobody else’s, whatever the file', () => {
    const sizes = fc.array(fc.nat(4), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(sizes, sizes, fc.constantFrom(large, '{ subnet: 10.7.0.0/25 }'), (from, to, network) => {
        const subnet = parseCidr(network === large ? '172.31.0.0/16' : '10.7.0.0/25');
        const given = list(herd(network, ...to), convergedSnapshot(herd(network, ...from)));
        const addresses = given.map((line) => line.split(' ')[1] ?? '');
        expect(new Set(addresses).size).toBe(addresses.length);
        for (const address of addresses) {
          expect(parseIpv4(address)).toBeGreaterThan((subnet?.first ?? 0) + 1);
          expect(parseIpv4(address)).toBeLessThan(subnet?.last ?? 0);
        }
      }),
      { numRuns: 30 },
    );
  });
});
