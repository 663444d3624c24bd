import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatDiagnostic, loadTopologies, type LoadDeps } from '../../src/topology/load.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

/** A file system that holds just these files, below /project. */
function createFiles(files: Files, env: Readonly<Record<string, string>> = {}): LoadDeps {
  const entries = new Map(Object.entries(files).map(([name, content]) => [`/project/${name}`, content]));
  const missing = () => Object.assign(new Error('missing'), { code: 'ENOENT' });
  return {
    cwd: '/project',
    env,
    readFile: async (path) => {
      const content = entries.get(path);
      if (content === undefined) throw missing();
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
    stat: async (path) => {
      const content = entries.get(path);
      const directory = [...entries.keys()].some((name) => name.startsWith(`${path}/`));
      if (content === undefined && !directory) throw missing();
      return {
        isFile: () => content !== undefined,
        isDirectory: () => directory,
        size: content?.length ?? 0,
        mtimeMs: 0,
      };
    },
    readdir: async (path) =>
      [...entries.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
  };
}

async function load(paths: readonly string[], files: Files, env: Readonly<Record<string, string>> = {}) {
  const { topologies, diagnostics } = await loadTopologies(paths, createFiles(files, env));
  return {
    clusters: topologies.map(({ cluster, file }) => `${cluster} from ${file}`),
    said: diagnostics.map(formatDiagnostic).join('\n'),
  };
}

const cluster = (name: string, rest = '') => `cluster_name: ${name}\nbalancers: [{ name: lb1 }]\n${rest}`;

describe('which files', () => {
  it.each(['topology.yaml', 'topology.yml'])('%s is taken where no path is given', async (name) => {
    expect(await load([], { [name]: cluster('shop'), 'other.yaml': '' })).toEqual({
      clusters: [`shop from ${name}`],
      said: '',
    });
  });
  it('then topology.json, then the directory topologies', async () => {
    const json = '{ "cluster_name": "shop", "balancers": [{ "name": "lb1" }] }';
    expect((await load([], { 'topology.json': json, 'topologies/a.yaml': cluster('a') })).clusters).toEqual([
      'shop from topology.json',
    ]);
    expect((await load([], { 'topologies/a.yaml': cluster('a') })).clusters).toEqual(['a from topologies/a.yaml']);
  });
  it('a directory holds many, in the order of their names', async () => {
    const files = {
      'all/b.yml': cluster('b'),
      'all/a.json': '{ "cluster_name": "a", "balancers": [{ "name": "lb1" }] }',
      'all/.hidden.yaml': 'broken: [',
      'all/README.md': '#',
    };
    expect((await load(['all'], files)).clusters).toEqual(['a from all/a.json', 'b from all/b.yml']);
  });
  it('a file given twice is one file', async () => {
    expect((await load(['a.yaml', './a.yaml', '/project/a.yaml'], { 'a.yaml': cluster('a') })).clusters).toEqual([
      'a from a.yaml',
    ]);
  });
  it('a cluster with a mistake is left out, the others load', async () => {
    const { clusters, said } = await load(['all'], {
      'all/a.yaml': cluster('a'),
      'all/b.yaml': cluster('b', 'colour: blue\n'),
    });
    expect(clusters).toEqual(['a from all/a.yaml']);
    expect(said).toContain('all/b.yaml:3:1: colour: unknown key "colour"');
  });
});

describe('files that cannot be read', () => {
  it('nothing here', async () =>
    expect((await load([], {})).said).toMatchInlineSnapshot(`
    ".: no topology.yaml, topology.yml, topology.json or topologies/ here
      hint: give a path, or write a topology.yaml"
  `));
  it('no such file', async () =>
    expect((await load(['shop.yaml'], {})).said).toMatchInlineSnapshot(`
    "shop.yaml: no such file or directory
      hint: check the path"
  `));
  it('a directory without topologies', async () =>
    expect((await load(['docs'], { 'docs/README.md': '' })).said).toMatchInlineSnapshot(`
      "docs: the directory holds no topology
        hint: put a .yaml, .yml or .json file for each cluster there"
    `));
  it('text in another encoding', async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode('cluster_name: shop\n# caf'), 0xe9, 0x0a]);
    expect((await load(['shop.yaml'], { 'shop.yaml': bytes })).said).toMatchInlineSnapshot(`
      "shop.yaml:2:1: not UTF-8 text
        hint: save the file as UTF-8"
    `);
  });
  it('more than a topology can need', async () => {
    expect((await load(['shop.yaml'], { 'shop.yaml': '#'.repeat(2 ** 20 + 1) })).said).toMatchInlineSnapshot(`
      "shop.yaml: larger than 1 MiB
        hint: one cluster a file: is this the right one?"
    `);
  });
  it('no permission', async () => {
    const denied = () => Promise.reject(Object.assign(new Error('denied'), { code: 'EACCES' }));
    const deps = { ...createFiles({ 'shop.yaml': cluster('shop') }), readFile: denied };
    const { diagnostics } = await loadTopologies(['shop.yaml'], deps);
    expect(diagnostics.map(formatDiagnostic).join('\n')).toMatchInlineSnapshot(`
      "shop.yaml: permission denied
        hint: make it readable for this user"
    `);
  });
  it('a file that an editor is writing is read again until it stands still', async () => {
    const deps = createFiles({ 'shop.yaml': cluster('shop') });
    let reads = 0;
    const half = new TextEncoder().encode('cluster_name: sh');
    const { topologies } = await loadTopologies(['shop.yaml'], {
      ...deps,
      readFile: (path) => (++reads === 1 ? Promise.resolve(half) : deps.readFile(path)),
      stat: async (path) => ({ ...(await deps.stat(path)), mtimeMs: Math.min(reads, 2) }),
    });
    expect([topologies.length, reads]).toEqual([1, 3]);
  });
});

describe('what a file refers to', () => {
  const text = `
cluster_name: shop
postgres: { init_scripts: [init/a.sql, init/b.sql], password: { file: pw } }
balancers:
  - name: lb1
  - { name: lb2, postgres: { password: { env: PW }, init_scripts: [c.sh] } }
`;
  it('must be there, as seen from the file; a password may come later', async () => {
    const { said, clusters } = await load(['all/shop.yaml'], { 'all/shop.yaml': text, 'all/init/a.sql': '' });
    expect(said).toMatchInlineSnapshot(`
      "all/shop.yaml:3:40: postgres.init_scripts[1]: there is no script init/b.sql
        postgres: { init_scripts: [init/a.sql, init/b.sql], password: { file: pw } }
                                               ^^^^^^^^^^
        hint: paths start at the directory of the topology file, /project/all
      all/shop.yaml:3:71: warning: postgres.password.file: there is no file pw
        postgres: { init_scripts: [init/a.sql, init/b.sql], password: { file: pw } }
                                                                              ^^
        hint: paths start at the directory of the topology file, /project/all
      all/shop.yaml:6:47: warning: balancers[1].postgres.password.env: the variable PW is not set
          - { name: lb2, postgres: { password: { env: PW }, init_scripts: [c.sh] } }
                                                      ^^
        hint: set it before the cluster is created
      all/shop.yaml:6:68: balancers[1].postgres.init_scripts[0]: there is no script c.sh
          - { name: lb2, postgres: { password: { env: PW }, init_scripts: [c.sh] } }
                                                                           ^^^^
        hint: paths start at the directory of the topology file, /project/all"
    `);
    expect(clusters).toEqual([]);
  });
  it('is found', async () => {
    const files = { 'shop.yaml': text, 'init/a.sql': '', 'init/b.sql': '', 'c.sh': '', pw: 'secret' };
    expect(await load(['shop.yaml'], files, { PW: 'secret' })).toEqual({ clusters: ['shop from shop.yaml'], said: '' });
  });
});

describe('several clusters', () => {
  it('of one name, said once', async () => {
    expect((await load(['a.yaml', 'b.yaml'], { 'a.yaml': cluster('shop'), 'b.yaml': cluster('shop') })).said)
      .toMatchInlineSnapshot(`
      "b.yaml:1:15: cluster_name: the cluster name "shop" is already taken by cluster_name of a.yaml:1
        cluster_name: shop
                      ^^^^
        hint: choose another"
    `);
  });
  it('that share a network, a subnet, a container name or a port', async () => {
    const a = `
cluster_name: a
network: { name: net, subnet: 172.31.0.0/16 }
balancers: [{ name: lb1, port: 19999, primary: { container_name: db } }]
`;
    const b = `
cluster_name: b
network: { name: net, subnet: 172.31.8.0/24 }
bind_address: 0.0.0.0
balancers: [{ name: lb1, port: 19999, primary: { container_name: db } }]
`;
    expect((await load(['a.yaml', 'b.yaml'], { 'a.yaml': a, 'b.yaml': b })).said).toMatchInlineSnapshot(`
      "b.yaml:3:18: network.name: the network name "net" is already taken by network.name of a.yaml:3
        network: { name: net, subnet: 172.31.8.0/24 }
                         ^^^
        hint: clusters do not share a network: set network.name
      b.yaml:3:31: network.subnet: the subnet 172.31.8.0/24 overlaps 172.31.0.0/16 of network.subnet of a.yaml:3
        network: { name: net, subnet: 172.31.8.0/24 }
                                      ^^^^^^^^^^^^^
        hint: give each network a subnet of its own
      b.yaml:5:32: balancers[0].port: the port 19999 is already taken by balancers[0].port of a.yaml:4
        balancers: [{ name: lb1, port: 19999, primary: { container_name: db } }]
                                       ^^^^^
        hint: give each published port a number of its own on its bind_address
      b.yaml:5:66: balancers[0].primary.container_name: the container name "db" is already taken by balancers[0].primary.container_name of a.yaml:4
        balancers: [{ name: lb1, port: 19999, primary: { container_name: db } }]
                                                                         ^^
        hint: choose another"
    `);
  });
  it('whose ports differ in their address do not clash', async () => {
    const on = (name: string, address: string) => `
cluster_name: ${name}
bind_address: ${address}
balancers: [{ name: lb1, port: 19999 }]
`;
    expect(
      (await load(['a.yaml', 'b.yaml'], { 'a.yaml': on('a', '127.0.0.1'), 'b.yaml': on('b', '127.0.0.2') })).said,
    ).toBe('');
  });
  it('whose volumes would bear one name', async () => {
    const a = 'cluster_name: shop_eu\nbalancers: [{ name: lb1 }]\n';
    const b = 'cluster_name: shop\nbalancers: [{ name: eu_lb1 }]\n';
    expect((await load(['a.yaml', 'b.yaml'], { 'a.yaml': a, 'b.yaml': b })).said).toMatchInlineSnapshot(`
      "b.yaml:2:21: balancers[0].name: the volume prefix "shop_eu_lb1" is already taken by balancers[0].name of a.yaml:2
        balancers: [{ name: eu_lb1 }]
                            ^^^^^^
        hint: rename the group: volumes are named <cluster>_<group>_<slot>_<generation>"
    `);
  });
});

describe('on the real file system', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pgherd-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('what is no file is not read, and a pipe does not hold up', async () => {
    await promisify(execFile)('mkfifo', [join(folder, 'pipe.yaml')]);
    await symlink('loop.yaml', join(folder, 'loop.yaml'));
    await symlink('nowhere', join(folder, 'nowhere.yaml'));
    await symlink('/dev/zero', join(folder, 'zero.yaml'));
    await mkdir(join(folder, 'folder.yaml'));
    const { diagnostics } = await loadTopologies([folder]);
    expect(diagnostics.map(({ file, message }) => `${file.slice(folder.length + 1)}: ${message}`)).toEqual([
      'folder.yaml: not a regular file',
      'loop.yaml: a chain of links without end',
      'nowhere.yaml: no such file or directory',
      'pipe.yaml: not a regular file',
      'zero.yaml: not a regular file',
    ]);
  });
  it('a directory named like a file is a directory', async () => {
    const { diagnostics } = await loadTopologies([join(folder, 'folder.yaml')]);
    expect(diagnostics.map(({ message }) => message)).toEqual(['the directory holds no topology']);
  });
  it.each(['short.yaml', 'old-format.json', 'old-format-two-balancers.json'])(
    'the example %s is sound',
    async (name) => {
      const { topologies, diagnostics } = await loadTopologies([
        new URL(`../../examples/${name}`, import.meta.url).pathname,
      ]);
      expect([topologies.length, diagnostics]).toEqual([1, []]);
    },
  );
});
