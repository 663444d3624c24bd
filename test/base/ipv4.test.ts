import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCidr, formatIpv4, parseCidr, parseIpv4, subnetsOverlap } from '../../src/base/ipv4.ts';

describe('addresses', () => {
  it('read and write back the same', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(formatIpv4(parseIpv4(text) ?? -1)).toBe(text);
      }),
    );
  });
  it.each(['', '1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d'])('%j is none', (text) =>
    expect(parseIpv4(text)).toBeUndefined(),
  );
});

describe('subnets', () => {
  it('drop host bits', () =>
    expect(formatCidr(parseCidr('172.31.1.9/29') ?? { first: 0, last: 0, prefix: 0 })).toBe('172.31.1.8/29'));
  it('know their first and last address', () => {
    expect(parseCidr('255.255.255.0/24')).toEqual({ first: 0xffffff00, last: 0xffffffff, prefix: 24 });
  });
  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/8/8'])('%j is none', (text) =>
    expect(parseCidr(text)).toBeUndefined(),
  );
  it.each([
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.1.0.0/16', '10.0.0.0/8', true],
    ['10.0.0.0/16', '10.1.0.0/16', false],
  ])('%s and %s overlap: %s', (a, b, expected) => {
    const [one, other] = [parseCidr(a), parseCidr(b)];
    expect(one !== undefined && other !== undefined && subnetsOverlap(one, other)).toBe(expected);
  });
});
