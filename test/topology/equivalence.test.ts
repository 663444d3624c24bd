import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readersPerReplica } from '../../src/base/readers.ts';
import { parseSound } from './support.ts';

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const parameters = fc.dictionary(
  fc.constantFrom('work_mem', 'jit', 'random_page_cost', 'search_path', 'log_line_prefix', 'pg_stat_statements.max'),
  // a dollar sign would be a variable
  fc.oneof(
    fc.string().map((text) => text.replaceAll(/[\r\n\0$]/g, '')),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
  ),
);
const size = fc.constantFrom('512MB', '1g', '64 MiB', 536_870_912);
const duration = fc.constantFrom('500ms', '5s', '1m30s', 7, 0.25);
const settings = {
  image: optional(fc.constantFrom('postgres:16', 'registry.example:5000/pg@sha256:abc')),
  parameters: optional(parameters),
  hba: optional(
    fc.array(fc.constantFrom('hostssl app all samenet reject', 'host all "a # b" 10.0.0.0/8 scram-sha-256')),
  ),
  memory: optional(size),
  cpus: optional(fc.constantFrom(0.5, 2)),
  shm_size: optional(size),
  healthcheck: optional(
    fc.record({ interval: duration, retries: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: [] }),
  ),
  restart: optional(fc.constantFrom('always', 'no', 'on-failure')),
};
const postgres = fc.record({
  ...settings,
  user: optional(fc.constantFrom('postgres', 'app')),
  password: optional(fc.constantFrom({ file: 'pw' }, { env: 'PW' }, { generate: true })),
});
const replicas = fc.oneof(fc.nat(5), fc.array(fc.record(settings), { maxLength: 5 }));
const balancers = fc
  .array(
    fc.record({
      postgres: optional(postgres),
      primary: optional(fc.record(settings)),
      replicas: optional(replicas),
      weight: optional(fc.nat(9)),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((groups) => groups.map((group, index) => ({ name: `lb${index + 1}`, port: 19999 + index, ...group })));
const file = fc.record({
  cluster_name: fc.constantFrom('shop', 'my_cluster', 'no', '1e3', '0x10', 'null', 'True'),
  bind_address: optional(fc.constantFrom('0.0.0.0', '10.0.0.1')),
  postgres: optional(postgres),
  failover: optional(fc.record({ delay: duration })),
  balancers,
});

it('YAML and JSON of one topology are the same topology', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(file, fc.constantFrom('BLOCK', 'flow', 'QUOTED'), (value, style) => {
      const json = JSON.stringify(value, null, '\t');
      const yaml = stringify(JSON.parse(json), {
        collectionStyle: style === 'flow' ? 'flow' : 'block',
        ...(style === 'QUOTED' ? { defaultStringType: 'QUOTE_SINGLE' } : {}),
      });
      expect(parseSound(yaml)).toEqual(parseSound(json));
      expect(parseSound(yaml.replaceAll('\n', '\r\n'))).toEqual(parseSound(json));
    }),
  );
});

it(
  'the nodes of a group have one max_connections, and it holds what the balancer may open',
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(file, (value) => {
        for (const { nodes, balancer } of parseSound(JSON.stringify(value)).groups) {
          const [limit, ...others] = new Set(nodes.map(({ parameters }) => Number(parameters['max_connections'])));
          const pool = Number(balancer.config['num_init_children']) * Number(balancer.config['max_pool']);
          expect(others).toEqual([]);
          expect(limit).toBeGreaterThan(pool * Math.min(readersPerReplica, Math.max(1, nodes.length - 1)));
        }
      }),
    );
  },
);
