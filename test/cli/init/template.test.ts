import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDefaults, findProblems, type Answers } from '../../../src/cli/init/answers.ts';
import { renderTopology } from '../../../src/cli/init/template.ts';
import { parseTopology } from '../../../src/topology/parse.ts';
import type { Topology } from '../../../src/topology/model.ts';

const defaults = findDefaults('/srv/shop.yaml');

function parse(text: string): ReturnType<typeof parseTopology> {
  return parseTopology(text, 'topology.yaml', {});
}

/** What a topology says of the answers it was made from. */
function readBack({ cluster, network, groups: [group] }: Topology): Answers {
  return {
    cluster,
    balancer: group.name,
    port: String(group.balancer.port),
    replicas: String(group.nodes.length - 1),
    image: group.nodes[0].image,
    database: group.database,
    subnet: network.subnet ?? '',
    mode: group.replication.mode,
  };
}

/** A name of letters, digits and what may stand between them. */
const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,14}[a-zA-Z0-9]$/);

const good: fc.Arbitrary<Answers> = fc
  .record({
    cluster: fc.oneof(name, fc.constantFrom('true', 'NULL', '123', '1e5', '0x1f', 'off', '1.0')),
    balancer: fc.oneof(name, fc.constantFrom('true', '017', 'no')),
    port: fc.integer({ min: 1, max: 65_535 }).map(String),
    replicas: fc.integer({ min: 0, max: 18 }).map(String),
    image: fc.constantFrom(
      'postgres:13',
      'postgres:18',
      'registry.example:5000/a/postgres',
      'postgres@sha256:0a',
      '17',
    ),
    database: fc.oneof(
      name.map((text) => `d${text}`),
      fc.constantFrom('null', 'true', 'on', 'Inf'),
    ),
    subnet: fc.constantFrom('', '172.31.0.0/16', '10.9.8.0/24'),
    mode: fc.constantFrom('async', 'quorum'),
  })
  .filter(({ mode, replicas }) => mode === 'async' || replicas !== '0');

const anything: fc.Arbitrary<Answers> = fc.record({
  cluster: fc.string(),
  balancer: fc.string(),
  port: fc.oneof(fc.string(), fc.integer().map(String)),
  replicas: fc.oneof(fc.string(), fc.integer().map(String)),
  image: fc.string(),
  database: fc.string(),
  subnet: fc.string(),
  mode: fc.constantFrom('async', 'quorum'),
});

describe('a new file', () => {
  it('says what was answered, and nothing is wrong with it, whatever it was', () => {
    fc.assert(
      fc.property(good, (answers) => {
        const { topology, diagnostics } = parse(renderTopology(answers, './schema.json'));
        expect(diagnostics).toEqual([]);
        expect(topology && readBack(topology)).toEqual(answers);
      }),
    );
  });

  it('of one answer that makes no sense has a problem, or says just that', () => {
    const keys = fc.constantFrom<keyof Answers>(
      'cluster',
      'balancer',
      'port',
      'replicas',
      'image',
      'database',
      'subnet',
    );
    fc.assert(
      fc.property(anything, keys, (answers, key) => {
        const one = { ...defaults, [key]: answers[key] };
        const problems = findProblems(one);
        if (problems.length > 0) return;
        const { topology } = parse(renderTopology(one));
        expect(topology && readBack(topology)).toEqual(one);
      }),
      { numRuns: 500 },
    );
  });

  it('tells an editor where the schema is, in its first line', () => {
    expect(renderTopology(defaults, './.topology.schema.json').split('\n', 1)).toEqual([
      '# yaml-language-server: $schema=./.topology.schema.json',
    ]);
    expect(renderTopology(defaults)).not.toContain('$schema');
  });

  it.each(['async', 'quorum'] as const)('says in comments what else there is, all of it right: %s', (mode) => {
    const text = renderTopology({ ...defaults, mode });
    const isExample = /^( *)# (?=[a-z_]+: \S*[{\d])/;
    const examples = text.split('\n').filter((line) => isExample.test(line));
    expect(examples.length).toBeGreaterThanOrEqual(5);
    for (const example of examples) {
      const { diagnostics } = parse(text.replace(example, example.replace(isExample, '$1')));
      expect({ example, diagnostics }).toEqual({ example, diagnostics: [] });
    }
    const all = text.split('\n').map((line) => line.replace(isExample, '$1'));
    expect(parse(all.join('\n')).diagnostics).toEqual([]);
  });

  it('fits a screen of 120 columns', () => {
    for (const line of renderTopology(defaults, './.topology.schema.json').split('\n')) {
      expect(line.length).toBeLessThanOrEqual(120);
    }
  });
});

describe('a problem', () => {
  it.each([
    [{ cluster: 'a b' }, 'cluster', /^expected a name of at most 40 letters/],
    [{ balancer: '-' }, 'balancer', /^expected a name/],
    [{ port: '99999' }, 'port', 'expected a port from 1 to 65535, got "99999"'],
    [{ port: 'http' }, 'port', /^expected a port from 1 to 65535, got "http"/],
    [{ replicas: 'two' }, 'replicas', /^expected a list of at most 127 replicas, or their number/],
    [{ image: 'a b' }, 'image', /^expected the name of an image/],
    [{ database: '' }, 'database', /^expected/],
    [{ subnet: '10.0.0.0' }, 'subnet', /^expected an IPv4 subnet/],
    [{ mode: 'quorum', replicas: '0' }, 'mode', /would wait .* for ever/],
  ] as const)('is that of the answer, as validate says it: %o', (wrong, answer, message) => {
    const [problem] = findProblems({ ...defaults, ...wrong });
    expect(problem).toMatchObject({ answer, message: expect.stringMatching(message) as unknown });
  });
});

it.each([
  ['/srv/shop.yaml', 'shop'],
  ['/srv/bank/topology.yaml', 'bank'],
  ['/srv/topologies/main.yml', 'main'],
  ['/topology.yaml', 'shop'],
  ['/srv/a b/topology.yaml', 'shop'],
])('the cluster of %s is called %s where nothing is said', (path, cluster) => {
  expect(findDefaults(path).cluster).toBe(cluster);
});
