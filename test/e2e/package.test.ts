import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { engineHost, newRun, ROOT } from './support/engine.ts';
import { output, run, type Result } from './support/run.ts';

type Packed = {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
};

let directory: string;
let packed: Packed;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgherd-package-'));
  // dist/ is built before the tests, and others run what is in it meanwhile: it is packed as it is.
  const told = await output('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], {
    cwd: ROOT,
  });
  const [first] = JSON.parse(told) as readonly Packed[];
  if (first === undefined) throw new Error(`npm pack told nothing:\n${told}`);
  packed = first;
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** File names with one for all that a build names by its content. */
function withoutHashes(paths: readonly string[]): readonly string[] {
  return [...new Set(paths.map((path) => path.replace(/[a-z-]+-[0-9A-Z]{8}\.js$/, 'NAME-HASH.js')))].toSorted();
}

describe('the package', () => {
  it('holds the command, its schema and examples, and nothing else', () => {
    expect(withoutHashes(packed.files.map(({ path }) => path))).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/NAME-HASH.js',
      'dist/THIRD-PARTY-LICENSES.txt',
      'dist/pgherd.js',
      'examples/daemon/pgherd.service',
      'examples/old-format-two-balancers.json',
      'examples/old-format.json',
      'examples/short.yaml',
      'package.json',
      'schemas/topology.schema.json',
    ]);
  });

  it('has the command as a program', () => {
    const command = packed.files.find(({ path }) => path === packageJson.bin.pgherd);
    expect(command?.mode).toBe(0o755);
  });

  it('is small: under 1 MB to load, 4 MB on disk', () => {
    expect(packed.size).toBeLessThan(1_000_000);
    expect(packed.unpackedSize).toBeLessThan(4_000_000);
  });

  it('is built whenever it is packed by hand', async () => {
    expect(packageJson.scripts.prepack).toBe('npm run --silent build');
    // Set for the project, it would keep npm pack from building, too.
    expect((await output('npm', ['config', 'get', 'ignore-scripts'], { cwd: ROOT })).trim()).toBe('false');
  });
});

describe('installed into an empty folder', () => {
  let place: string;

  beforeAll(async () => {
    place = join(directory, 'place');
    await mkdir(place);
    // An empty cache, and no registry: whatever it depended on could not be had.
    const install = ['install', '--offline', '--cache', join(directory, 'cache'), join(directory, packed.filename)];
    await output('npm', install, { cwd: place });
  });

  async function pgherd(...args: readonly string[]): Promise<Result> {
    return await run('npx', ['--no-install', 'pgherd', ...args], {
      cwd: place,
      env: { DOCKER_HOST: await engineHost(), NO_COLOR: '1' },
    });
  }

  const example = 'node_modules/pgherd/examples/short.yaml';

  it('brings nothing else along', async () => {
    const tree = JSON.parse(await output('npm', ['ls', '--omit=dev', '--all', '--json'], { cwd: place })) as {
      readonly dependencies: Readonly<Record<string, object>>;
    };
    expect(Object.keys(tree.dependencies)).toEqual(['pgherd']);
    expect(tree.dependencies['pgherd']).not.toHaveProperty('dependencies');
  });

  it('says its version and its commands', async () => {
    expect(await pgherd('--version')).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` });
    const help = await pgherd('--help');
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('pgherd reconcile --once shop.yaml');
  });

  it('checks files', async () => {
    expect(await pgherd('validate', example)).toMatchObject({
      code: 0,
      stdout: `${example}: valid (cluster shop, 1 group, 3 nodes)\n`,
    });
    const nothing = await pgherd('validate');
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain('topology.yaml');
  });

  it('plans on the engine', async () => {
    const cluster = `t${newRun().id}`;
    await writeFile(
      join(place, 'topology.yaml'),
      `cluster_name: ${cluster}\nbalancers: [{ name: lb1, replicas: 1 }]\n`,
    );
    const plan = await pgherd('plan');
    expect(plan.code).toBe(0);
    expect(plan.stdout).toContain('+ node/lb1-replica1 will be created: not on the engine');
    expect(plan.stdout).toMatch(/^Plan: 7 to create, 0 to restart, 0 to remove\./m);
  });
});
