import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { revisionNeedsRestart } from '../../src/base/revision.ts';
import {
  balancerParameters,
  formatParameters,
  parseParameters,
  type BalancerConfig,
} from '../../src/balancer/config.ts';
import { balancerEntries, balancerRevision } from '../../src/balancer/revision.ts';

const config: BalancerConfig = {
  flavor: 'pgbalancer',
  writeAddress: '10.8.0.2',
  writerWeight: undefined,
  readers: 2,
  parameters: { num_init_children: '16' },
  pcp: false,
};
const parametersOf = (more: Partial<BalancerConfig>): Readonly<Record<string, string>> =>
  balancerParameters({ ...config, ...more }, '/etc/pgbalancer/config');

describe('parameters', () => {
  it('read back from the file as they were written, whatever is in them', () => {
    const values = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0\u2028\u2029]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z][a-z_0-9]*$/), values), (parameters) => {
        expect(parseParameters(formatParameters(parameters))).toEqual({ ...parameters });
      }),
    );
  });

  it('name the writer by its address and the readers by name, none of which may be failed over', () => {
    expect(parametersOf({})).toMatchObject({
      backend_hostname0: '10.8.0.2',
      backend_weight0: '0',
      backend_flag0: 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER',
      backend_hostname1: 'reader1',
      backend_weight1: '1',
      backend_flag1: 'DISALLOW_TO_FAILOVER',
      backend_hostname2: 'reader2',
    });
    expect(parametersOf({})).not.toHaveProperty('backend_hostname3');
  });

  it.each([
    [0, undefined, '1'],
    [0, 0.5, '1'],
    [1, undefined, '0'],
    [1, 0.5, '0.5'],
  ])('with %i readers and the weight %s give the writer %s of the reads', (readers, writerWeight, expected) => {
    expect(parametersOf({ readers, writerWeight })['backend_weight0']).toBe(expected);
  });

  it("are the file's, but for those that would let the balancer decide for itself", () => {
    const parameters = { num_init_children: '8', failover_on_backend_error: 'on', health_check_period: '10' };
    expect(parametersOf({ parameters })).toMatchObject({
      num_init_children: '8',
      load_balance_mode: 'on',
      failover_on_backend_error: 'off',
      health_check_period: '0',
      sr_check_period: '0',
      use_watchdog: 'off',
    });
  });

  it('let PCP listen where the file publishes it, and only there', () => {
    expect(parametersOf({ pcp: true })['pcp_listen_addresses']).toBe('*');
    expect(parametersOf({})['pcp_listen_addresses']).toBe('localhost');
  });
});

describe('a revision', () => {
  const nameOf = (more: Partial<BalancerConfig>, secrets = 'secrets.1.generated'): string =>
    balancerRevision({ ...config, ...more }, secrets).name;

  it.each<[string, string]>([
    ['a parameter', nameOf({ parameters: { num_init_children: '32' } })],
    ['the number of readers', nameOf({ readers: 3 })],
    ['the weight of the writer', nameOf({ writerWeight: 1 })],
    ['the flavor', nameOf({ flavor: 'pgpool' })],
    ['the passwords', nameOf({}, 'secrets.2.generated')],
  ])('changes with %s, by a restart', (_, name) => {
    expect(revisionNeedsRestart(nameOf({}), name)).toBe(true);
  });

  it('is private, and its passwords are escaped for the pool', () => {
    const entries = balancerEntries(balancerRevision(config, 'secrets.1.generated'), {
      superuser: { name: 'postgres', password: 'a:b\\c' },
      monitor: { name: 'pgherd_monitor', password: 'm' },
    });
    const { name } = balancerRevision(config, 'secrets.1.generated');
    expect(entries.find(({ path }) => path.endsWith('/pool_passwd'))).toEqual({
      type: 'file',
      path: `pgbalancer/${name}/pool_passwd`,
      content: 'postgres:TEXTa\\:b\\\\c\npgherd_monitor:TEXTm\n',
      mode: 0o600,
    });
    expect(entries.filter((entry) => entry.type === 'link')).toEqual([
      { type: 'link', path: 'pgbalancer/config', target: name },
      { type: 'link', path: 'pgbalancer/pgbalancer.conf', target: 'config/pgbalancer.conf' },
    ]);
  });
});
