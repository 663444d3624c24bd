import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readersPerReplica } from '../../src/base/readers.ts';
import { mapReaders, toExtraHosts, toHostsLines } from '../../src/balancer/hosts.ts';

const [a, b, c] = ['10.0.0.4', '10.0.0.5', '10.0.0.6'] as const;
const up = (address: string): { address: string; serves: boolean } => ({ address, serves: true });
const down = (address: string): { address: string; serves: boolean } => ({ address, serves: false });

describe('readers', () => {
  it.each([
    ['each to its own while all serve', [up(a), up(b)], [a, b]],
    ['to another while theirs is down', [down(a), up(b)], [b, b]],
    ['to different ones where several are down', [down(a), up(b), up(c), down('10.0.0.7')], [b, b, c, c]],
    ['to nobody where all others have two already', [down(a), down(b), up(c)], [c, '127.0.0.1', c]],
    ['to nobody where none serves', [down(a), down(b)], ['127.0.0.1', '127.0.0.1']],
    ['nowhere where there are none', [], []],
  ])('go %s', (_, replicas, expected) => {
    expect(mapReaders(replicas)).toEqual(expected);
  });

  it('go to no replica that is down, to no other server, and to none too often, however many are down', () => {
    const list = fc.array(fc.boolean(), { maxLength: 12 });
    fc.assert(
      fc.property(list, (states) => {
        const replicas = states.map((serves, index) => ({ address: `10.0.0.${String(index + 4)}`, serves }));
        const meant = mapReaders(replicas);
        expect(meant).toHaveLength(replicas.length);
        for (const [index, { address, serves }] of replicas.entries()) {
          if (serves) expect(meant[index]).toBe(address);
          const times = meant.filter((each) => each === address).length;
          expect(times).toBeLessThanOrEqual(serves ? readersPerReplica : 0);
        }
        const known = new Set(['127.0.0.1', ...replicas.map(({ address }) => address)]);
        expect(meant.filter((each) => !known.has(each))).toEqual([]);
      }),
    );
  });

  it('have names in Docker and in the hosts file', () => {
    expect(toExtraHosts([a, b])).toEqual([`reader1:${a}`, `reader2:${b}`]);
    expect(toHostsLines([a, b])).toBe(`${a} reader1\n${b} reader2\n`);
  });
});
