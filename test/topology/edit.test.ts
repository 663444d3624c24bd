import { describe, expect, it } from 'vitest';
import { addReplicas, removeReplica, type EditResult } from '../../src/topology/edit.ts';
import { parseSound } from './support.ts';

const env = { NAME: 'herd', REPLICAS: '2' };
const head = 'cluster_name: shop\nnetwork: { subnet: 10.1.0.0/16 }\nbalancers:\n  - name: lb1\n';

/** What becomes of the lines of the balancer `lb1`, or what is said against it. */
function show(result: EditResult): string {
  if (!('refused' in result)) return result.text.replace(head, '');
  const { message, remedy, diagnostics = [] } = result.refused;
  return [message, `remedy: ${remedy}`, ...diagnostics.map((each) => each.message)].join('\n');
}

function add(lines: string, count = 1, file = 'topology.yaml'): string {
  return show(addReplicas(whole(lines), 'lb1', count, { file, env, cwd: '/', others: [] }));
}

function remove(lines: string, slot: number, file = 'topology.yaml'): string {
  return show(removeReplica(whole(lines), 'lb1', slot, { file, env, cwd: '/', others: [] }));
}

function whole(lines: string): string {
  return /^\uFEFF?\{|cluster_name/.test(lines) ? lines : head + lines;
}

function json(replicas: unknown, indent?: number | string): string {
  return JSON.stringify({ cluster_name: 'shop', balancers: [{ name: 'lb1', replicas }] }, null, indent);
}

describe('a number of replicas', () => {
  it('grows', () => expect(add('    replicas: 2 # two\n', 3)).toBe('    replicas: 5 # two\n'));
  it('is put in where there is none, as its neighbours are', () => {
    expect(add('    port: 19999 # here\n# end')).toBe('    port: 19999 # here\n    replicas: 1\n# end');
    expect(add('cluster_name: shop\nbalancers: [{name: lb1}]')).toBe(
      'cluster_name: shop\nbalancers: [{name: lb1, replicas: 1}]',
    );
    expect(add('{"cluster_name":"shop","balancers":[{"name":"lb1"}]}')).toBe(
      '{"cluster_name":"shop","balancers":[{"name":"lb1","replicas":1}]}',
    );
  });
  it('shrinks where the last one goes', () =>
    expect(remove('    replicas: 2 # two\n', 2)).toBe('    replicas: 1 # two\n'));
  it('becomes a list of the others where another one goes', () => {
    expect(remove('    replicas: 3 # three\n    port: 19999\n', 1)).toBe(
      '    replicas: # three\n      - node_id: 2\n      - node_id: 3\n    port: 19999\n',
    );
    expect(remove('cluster_name: shop\nbalancers:\n- { name: lb1, replicas: 3 }\n', 2)).toBe(
      'cluster_name: shop\nbalancers:\n- { name: lb1, replicas: [{ node_id: 1 }, { node_id: 3 }] }\n',
    );
    expect(remove(json(3), 2)).toBe(json([{ node_id: 1 }, { node_id: 3 }]));
    expect(remove(`${json(3, '\t')}\n`, 2)).toBe(`${json([{ node_id: 1 }, { node_id: 3 }], '\t')}\n`);
  });
  it('is left to a human where it is a variable', () =>
    expect(add('    replicas: ${REPLICAS}\n')).toBe(
      'replicas of lb1 is ${REPLICAS}: a variable, not a number\nremedy: change the variable, or write a number into the file',
    ));
});

describe('a new entry of a list', () => {
  it('goes on from the others in every key that each has its own, and copies the rest', () => {
    const lines = `    replicas:
      - { node_id: 1, host: "replica1", port: 15433, ip_address: 10.1.1.21, memory: 1GB }
      - { node_id: 2, host: 'replica2', port: 15434, ip_address: 10.1.1.22, memory: 2GB } # large
`;
    expect(add(lines)).toBe(
      `${lines}      - { node_id: 3, host: 'replica3', port: 15435, ip_address: 10.1.1.23, memory: 2GB }\n`,
    );
  });
  it('stands right behind the last one, without the comments of that, and what follows stays where it is', () =>
    expect(
      add(`    replicas:
      - node_id: 1

      # the second
      - node_id: 2 # two
        # tuned
        parameters: &tuned
          work_mem: 64MB # much

      # - node_id: 9
    # next`),
    ).toBe(`    replicas:
      - node_id: 1

      # the second
      - node_id: 2 # two
        # tuned
        parameters: &tuned
          work_mem: 64MB # much

      - node_id: 3
        parameters:
          work_mem: 64MB

      # - node_id: 9
    # next`));
  it('gets a slot above all others, also where none is written', () => {
    expect(add('    replicas:\n      - node_id: 7\n      - node_id: 3\n')).toContain('      - node_id: 8\n');
    expect(add('    replicas:\n      - {}\n      - {}\n')).toBe('    replicas:\n      - {}\n      - {}\n      - {}\n');
    expect(add('    replicas:\n      - node_id: 3\n      - host: b\n')).toBe(
      '    replicas:\n      - node_id: 3\n      - host: b\n      - node_id: 4\n        host: b4\n',
    );
  });
  it.each([
    [['replica1', 'replica2'], 'replica3'],
    [['replica01'], 'replica02'],
    [['replica3', 'replica1'], 'replica4'],
    [['db-1.example.com', 'db-2.example.com'], 'db-3.example.com'],
    [['pg17-replica'], 'pg17-replica2'],
    [['alpha', 'beta'], 'beta3'],
    [['${NAME}-1'], '${NAME}-2'],
  ])('among %j is called %s', (names, next) => {
    const lines = names.map((name, index) => `      - { node_id: ${index + 1}, host: "${name}" }\n`).join('');
    expect(add(`    replicas:\n${lines}`)).toContain(`host: "${next}" }`);
  });
  it('takes no name, address or port that something else in the file has', () =>
    expect(
      add(`    ip_address: 10.1.1.22
    port: 15434
    primary: { host: replica2 }
    replicas:
      - { host: replica1, ip_address: 10.1.1.21, port: 15433 }
`),
    ).toContain('\n      - { host: replica3, ip_address: 10.1.1.23, port: 15435 }\n'));
  it('takes no port and no container name of a cluster beside it', () => {
    const beside = parseSound(
      'cluster_name: other\nbalancers: [{ name: b, port: 15434, container_name: c2 }]',
      {},
      'other.yaml',
    );
    const text = `${head}    replicas: [{ container_name: c1, port: 15433 }]\n`;
    const result = addReplicas(text, 'lb1', 1, { file: 'topology.yaml', env, cwd: '/', others: [beside] });
    expect(show(result)).toBe(
      '    replicas: [{ container_name: c1, port: 15433 }, { container_name: c3, port: 15435 }]\n',
    );
  });
  it('is the first of an empty list, in the manner of the file', () => {
    expect(add('    replicas: [] # none\n')).toBe('    replicas: # none\n      - node_id: 1\n');
    expect(add('    replicas: [ # none\n    ]\n')).toBe('    replicas: [ # none\n      { node_id: 1 }\n    ]\n');
    expect(add(json([]))).toBe(json([{ node_id: 1 }]));
    expect(add(json([], 2))).toBe(json([{ node_id: 1 }], 2));
  });
  it('is written as the list is', () => {
    const two = [1, 2].map((slot) => ({ node_id: slot, host: `r${slot}` }));
    const three = [...two, { node_id: 3, host: 'r3' }];
    for (const indent of [undefined, 2, 4, '\t']) expect(add(json(two, indent))).toBe(json(three, indent));
    expect(add('    replicas: [{ host: a1 }, # one\n      { host: a2 } # two\n    ]\n')).toBe(
      '    replicas: [{ host: a1 }, # one\n      { host: a2 }, # two\n      { host: a3 }\n    ]\n',
    );
    expect(add('    replicas: [\n      { host: a1 },\n    ]\n')).toBe(
      '    replicas: [\n      { host: a1 },\n      { host: a2 },\n    ]\n',
    );
    expect(add('    replicas: [ { host: a1 }\n              , { host: a2 } # two\n              ]\n')).toBe(
      '    replicas: [ { host: a1 }\n              , { host: a2 } # two\n              , { host: a3 }\n              ]\n',
    );
  });
  it('is left to a human where a variable would have to go on', () =>
    expect(add('    replicas:\n      - { port: "${PORT:-15433}" }\n')).toBe(
      'port of the last replica is ${PORT:-15433}: what comes after a variable is not known\n' +
        'remedy: add the replica to the file by hand',
    ));
});

describe('an entry that goes', () => {
  const lines = `    replicas: # all of them
      # of rack one
      - node_id: 1 # one

      # of rack two
      - node_id: 2 # two
        host: second # its name

      - node_id: 3
    # next
`;
  it('takes its own comments with it, and one of two blank lines', () =>
    expect(remove(lines, 2)).toBe(`    replicas: # all of them
      # of rack one
      - node_id: 1 # one

      - node_id: 3
    # next
`));
  it('the first takes what stands above it only where the next has such lines too', () => {
    expect(remove(lines, 1)).toContain('all of them\n      # of rack two\n      - node_id: 2 # two\n');
    expect(remove('    replicas:\n      # replicas\n      - node_id: 1\n      - node_id: 2\n', 1)).toBe(
      '    replicas:\n      # replicas\n      - node_id: 2\n',
    );
  });
  it('the last leaves an empty list', () => {
    expect(remove('    replicas: # all\n      - node_id: 1 # one\n    port: 1\n', 1)).toBe(
      '    replicas: [] # all\n    port: 1\n',
    );
    expect(remove(json([{ node_id: 1 }], 2), 1)).toBe(json([], 2));
    expect(remove('    replicas: [ # all\n      { node_id: 1 },\n    ]\n', 1)).toBe('    replicas: [ # all\n    ]\n');
  });
  it('leaves the others their slots, written out where they followed from the position', () =>
    expect(remove('    replicas:\n      - host: a\n      - host: b\n      - { host: c }\n      - {}\n', 1)).toBe(
      '    replicas:\n      - node_id: 2\n        host: b\n      - { node_id: 3, host: c }\n      - { node_id: 4 }\n',
    ));
  it('stays where something else repeats it', () => {
    const shared = `    replicas: [{ node_id: 1, parameters: &tuned { jit: off } }]\n    postgres: { parameters: *tuned }\n`;
    expect(remove(shared, 1)).toBe(
      'what goes is shared with another part of the file by an alias\nremedy: edit the file by hand',
    );
  });
  it('stays where the file would not be valid without it', () =>
    expect(remove('    replicas: 1\n    replication: { mode: quorum }\n', 1)).toContain(
      'topology.yaml would not be valid with this change',
    ));
});

it('line ends, a byte order mark and a missing last line break stay', () => {
  const text = '\uFEFFcluster_name: shop\r\nbalancers:\r\n- name: lb1\r\n  replicas:\r\n  - host: a1';
  expect(add(text)).toBe(`${text}\r\n  - host: a2`);
});

it('a list that two groups share by an alias is left to a human', () =>
  expect(add('    replicas: &r [{ cpus: 1 }]\n  - { name: lb2, replicas: *r }\n')).toBe(
    'replicas of lb1 is shared with another part of the file by an alias\nremedy: edit the file by hand',
  ));
