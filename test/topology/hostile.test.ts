import { describe, expect, it } from 'vitest';
import { defaultSenders } from '../../src/topology/rules-parameters.ts';
import { nodeSettings } from '../../src/postgres/config.ts';
import { diagnose } from './support.ts';

const sound = 'cluster_name: shop\nbalancers:\n  - name: lb1\n';

/** The first line that is said, soon and not at length. The bound in time is generous: what it finds takes minutes. */
function firstSaid(text: string, file = 'topology.yaml', env: Readonly<Record<string, string>> = {}): string {
  const started = performance.now();
  const said = diagnose(text, env, file);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(said.length).toBeLessThan(60_000);
  return said.split('\n')[0] ?? '';
}

describe('one mistake, said at its place', () => {
  it.each([
    ['a tab before a key', 'cluster_name: shop\nnetwork:\n\tname: x\n', '3:1: not valid YAML: tabs are not'],
    ['a port in quotes', `${sound}    port: "19999"\n`, '4:11: balancers[0].port: expected a port'],
    ['half a port', `${sound}    port: 19999.5\n`, '4:11: balancers[0].port: expected a port'],
    ['a port with underscores', `${sound}    port: 10_000\n`, '4:11: balancers[0].port: expected a port'],
    ['two ports in one', `${sound}    port: 5432:5432\n`, '4:11: balancers[0].port: expected a port'],
    ['no number', `${sound}    port: .nan\n`, '4:11: balancers[0].port: expected a port from 1 to 65535, got "NaN"'],
    ['no end', `${sound}    weight: .inf\n`, '4:13: balancers[0].weight: expected a number from 0'],
    ['a number of 400 digits', `${sound}    port: 1${'0'.repeat(400)}\n`, '4:11: balancers[0].port: expected a port'],
    [
      'a parameter that loses digits',
      `${sound}    config: { x: 12345678901234567890 }\n`,
      '4:18: balancers[0].config.x: a',
    ],
    ['fewer than no replicas', `${sound}    replicas: -1\n`, '4:15: balancers[0].replicas: expected a list'],
    ['a million replicas', `${sound}    replicas: 1000000\n`, '4:15: balancers[0].replicas: expected a list'],
    ['names of emoji', 'cluster_name: "🐘"\nbalancers: [{ name: lb1 }]\n', '1:15: cluster_name: expected a name'],
    ['a date', `${sound}    container_name: 2001-12-14 21:59\n`, '4:21: balancers[0].container_name: expected a name'],
    ['text over lines', 'cluster_name: |\n  shop\nbalancers: [{ name: lb1 }]\n', '1:15: cluster_name: expected a name'],
    ['keys that are numbers', `1: 2\n${sound}`, '1:1: ["1"]: unknown key "1"'],
    ['a key that is nothing', `${sound}: x\n`, '4:1: [""]: unknown key ""'],
    ['a key that is a mapping', '? {a: b}\n: c\n', '1:3: a key must be text'],
    ['an alias as key', 'cluster_name: &x shop\nbalancers: [{ *x : lb1 }]\n', '2:15: a key must be text'],
    ['keys of every object', `${sound}constructor: 1\n`, '4:1: constructor: unknown key'],
    ['the same, spelled otherwise', `{ "\\u005f_proto__": 1 }`, '1:3: the key __proto__ is not allowed'],
    ['a value that is an asterisk', `${sound}    config: { x: * }\n`, '4:18: not valid YAML: alias cannot be'],
    ['a value that starts with @', 'cluster_name: @shop\n', '1:15: not valid YAML: plain value cannot start'],
    ['a byte order mark within', 'cluster_name: shop\n\uFEFFbalancers: [{ name: lb1 }]\n', '1:1: balancers: missing'],
    ['a NUL', 'cluster_name: sh\0op\n', '1:17: a NUL character: this is not plain text'],
    ['UTF-16', Buffer.from(sound, 'utf16le').toString(), '1:2: a NUL character: this is not plain text'],
    [
      'a variable without end',
      'cluster_name: "${NAME"\nbalancers: [{ name: lb1 }]\n',
      '1:15: cluster_name: a variable is not complete',
    ],
    [
      'variables within variables',
      'cluster_name: "${A:-${B}}"\nbalancers: [{ name: lb1 }]\n',
      '1:15: cluster_name: a variable is not complete',
    ],
    ['text after the end', `${sound}...\nmore: 1\n`, '5:1: a second document starts here'],
  ])('%s', (_, text, start) => expect(firstSaid(text)).toContain(`topology.yaml:${start}`));

  it('a variable that names itself is replaced once', () =>
    expect(
      firstSaid('cluster_name: "${SELF}"\nbalancers: [{ name: lb1 }]\n', 'topology.yaml', { SELF: '${SELF}' }),
    ).toContain('1:15: cluster_name: expected a name'));

  it.each([
    ['a comment', '{\n  // the cluster\n  "cluster_name": "shop"\n}\n', '2:3: this is not a comment'],
    ['a comment in stars', '{ /* the cluster */ "cluster_name": "shop" }', '1:3: this is not a comment'],
    [
      'a comma that is missing',
      '{\n  "cluster_name": "shop"\n  "balancers": []\n}\n',
      '3:3: not valid JSON: missing ,',
    ],
    ['a colon that is missing', '{ "cluster_name" "shop" }', '1:18: not valid JSON: missing , or :'],
    ['a brace too many', '{ "cluster_name": "shop" }}\n', '1:27: not valid JSON: unexpected'],
    ['a second text', '{ "cluster_name": "shop" }\n{}\n', '2:1: not valid JSON'],
  ])('in JSON, %s', (_, text, start) => expect(firstSaid(text, 'topology.json')).toContain(`topology.json:${start}`));

  it('a file of nothing but keys has as many mistakes as values', () => {
    const text = 'cluster_name:\nnetwork:\npostgres:\nbalancers:\n  -\n  - name:\n    port:\n    replicas:\n      -\n';
    expect(diagnose(text).match(/got nothing/g)).toHaveLength(7);
  });
  it('thousands of mistakes are one, said a hundred times', () => {
    const said = diagnose(sound + Array.from({ length: 5000 }, (_, index) => `key${index}: 1`).join('\n'));
    expect(said.match(/unknown key/g)).toHaveLength(100);
    expect(said).toMatch(/\ntopology\.yaml: 4900 more of this kind or another from line 104 on$/);
  });
  it('every key that occurs twice is shown, and no password in one of them', () => {
    const said = diagnose(
      `${sound}    port: 1\n    port: 2\npostgres: {}\npostgres:\n  password: hunter2\n  password: hunter2\n`,
    );
    expect(said.match(/occurs twice/g)).toHaveLength(3);
    expect(said).not.toContain('hunter2');
  });
  it('a password with a dollar sign is not shown', () => {
    expect(diagnose(`${sound}postgres: { password: "hunter2\${" }\n`)).not.toContain('hunter2');
  });
});

describe('nothing takes long, whatever is repeated', { timeout: 60_000 }, () => {
  it.each([
    ['[,', '['.concat(','.repeat(300_000))],
    ['{}', '{}'.repeat(200_000)],
    ['""', '"'.repeat(300_000)],
    [':', ':'.repeat(500_000)],
    ['- ', '- '.repeat(400_000)],
    ['? ', '? '.repeat(400_000)],
    ['{"a":', '{"a":'.repeat(200_000)],
    ['blanks', ' '.repeat(1_000_000)],
    ['newlines', '\n'.repeat(1_000_000)],
    ['keys', sound + Array.from({ length: 60_000 }, (_, index) => `key${index}: 1\n`).join('')],
    [
      'parameters',
      `${sound}    config:\n${Array.from({ length: 10_000 }, (_, index) => `      "${index}": 1\n`).join('')}`,
    ],
    ['one key', sound + 'a: 1\n'.repeat(100_000)],
    ['a long key', `${sound}    config: { "${'x y'.repeat(200_000)}": 1 }\n`],
    ['a long name', `cluster_name: ${'a'.repeat(900_000)}\nbalancers: [{ name: lb1 }]\n`],
    ['${A:-', `cluster_name: "${'${A:-'.repeat(150_000)}"\n`],
    ['a default without end', `cluster_name: "\${A:-${'x'.repeat(900_000)}"\n`],
    ['the parts of a path', `${sound}ignore_changes: ["a${'.a'.repeat(40)}!"]\n`],
    ['digits', `${sound}    memory: "${'1'.repeat(500_000)}x"\n`],
    ['units', `${sound}postgres: { healthcheck: { interval: "${'1s'.repeat(200_000)}x" } }\n`],
    ['fields of an access rule', `${sound}postgres: { hba: ["host ${'a, '.repeat(200_000)}"] }\n`],
  ])('%s', (_, text) => expect(firstSaid(text)).toMatch(/^topology\.yaml:\d+:\d+: /));
});

it('the senders that a group is said to have are those that nodes are given', () => {
  const role = { is: 'bootstrap' } as const;
  const config = { name: 'a', number: 0, role, superuser: 'postgres', database: 'postgres', parameters: {}, hba: [] };
  const settings = nodeSettings(config, { data: '/d', home: '/h' } as never);
  expect([settings['max_wal_senders'], settings['max_replication_slots']]).toEqual([
    `${defaultSenders}`,
    `${defaultSenders}`,
  ]);
});
