import { describe, expect, it } from 'vitest';
import { interpolate } from '../../src/topology/interpolate.ts';
import { diagnose, parseSound } from './support.ts';

const env = { TAG: '17', EMPTY: '', PORT: '19999' };

describe('a variable', () => {
  it.each([
    ['postgres:${TAG}', 'postgres:17'],
    ['${TAG}-${TAG}', '17-17'],
    ['${NONE:-16}', '16'],
    ['${EMPTY:-16}', '16'],
    ['${NONE-16}', '16'],
    ['${EMPTY-16}', ''],
    ['${TAG:-16}', '17'],
    ['${TAG:?no tag}', '17'],
    ['${EMPTY?no tag}', ''],
    ['${NONE:-}', ''],
    ['$$', '$'],
    ['$${TAG}', '${TAG}'],
    ['"$user", public', '"$user", public'],
    ['costs 5$', 'costs 5$'],
  ])('%s is %s', (text, expected) => {
    expect(interpolate(text, env)).toMatchObject({ text: expected });
  });
  it.each([
    ['${NONE}', 'the variable NONE is not set'],
    ['${NONE:?choose a tag}', 'the variable NONE is needed: choose a tag'],
    ['${EMPTY:?choose a tag}', 'the variable EMPTY is needed: choose a tag'],
    ['${NONE?}', 'the variable NONE is not set'],
    ['${TAG', 'a variable is not complete'],
    ['${}', 'a variable is not complete'],
    ['${9TAG}', 'a variable is not complete'],
    ['${TAG:-${OTHER}}', 'a variable is not complete'],
    // every object has one, and none of them is a variable
    ['${constructor}', 'the variable constructor is not set'],
  ])('%s is refused', (text, message) => {
    expect(interpolate(text, env)).toMatchObject({ problem: { message } });
  });
});

describe('in a topology', () => {
  it('a variable that is a number stands where a number does', () => {
    const { groups } = parseSound(
      `
cluster_name: shop
postgres: { image: "postgres:\${TAG}", cpus: "\${CPUS:-1.5}", password: { generate: "\${YES}" } }
balancers:
  - name: lb1
    port: \${PORT}
    replicas: \${REPLICAS:-2}
    config: { max_pool: "\${POOL:-3}" }
`,
      { ...env, YES: 'true' },
    );
    expect(groups[0].balancer.port).toBe(19999);
    expect(groups[0].balancer.config['max_pool']).toBe('3');
    expect(groups[0].nodes.map(({ image, cpus }) => [image, cpus])).toEqual(Array(3).fill(['postgres:17', 1.5]));
  });
  it('text stays text, even where it looks like a number', () => {
    expect(parseSound('cluster_name: ${NAME}\nbalancers: [{ name: lb1 }]\n', { NAME: '17' }).cluster).toBe('17');
  });
  it('keys are left alone, and a value is never read as YAML', () => {
    const text =
      'cluster_name: shop\npostgres: { parameters: { search_path: "${PATHS}" } }\nbalancers: [{ name: lb1 }]\n';
    const { groups } = parseSound(text, { PATHS: '{ a: [b] } # $TAG ${TAG}' });
    expect(groups[0].nodes[0].parameters['search_path']).toBe('{ a: [b] } # $TAG ${TAG}');
  });
  it('what is wrong is shown where it stands', () => {
    const text = `
cluster_name: shop
balancers:
  - name: lb1
    port: \${NONE}
    pcp_port: \${BIG}
    rest_api_port: \${WORD}
    image: pgbalancer:\${TAG:?say which}
`;
    expect(diagnose(text, { BIG: '99999', WORD: 'http' })).toMatchInlineSnapshot(`
      "topology.yaml:5:11: balancers[0].port: the variable NONE is not set
            port: \${NONE}
                  ^^^^^^^
        hint: set it, or write \${NONE:-default}
      topology.yaml:6:15: balancers[0].pcp_port: expected a port from 1 to 65535, got "99999"
            pcp_port: \${BIG}
                      ^^^^^^
      topology.yaml:7:20: balancers[0].rest_api_port: expected a port from 1 to 65535, got "http"
            rest_api_port: \${WORD}
                           ^^^^^^^
      topology.yaml:8:12: balancers[0].image: the variable TAG is needed: say which
            image: pgbalancer:\${TAG:?say which}
                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        hint: set TAG in the environment"
    `);
  });
  it('inside braces a variable needs quotes', () => {
    expect(diagnose('cluster_name: shop\nbalancers:\n  - { name: lb1, port: ${PORT} }\n', env)).toMatchInlineSnapshot(`
      "topology.yaml:3:25: not valid YAML: unexpected flow-map-start at node end
          - { name: lb1, port: \${PORT} }
                                ^
        hint: inside { } and [ ] write "\${NAME}" with quotes"
    `);
  });
});
