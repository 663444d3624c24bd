import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { init, type InitFlags } from '../../../src/cli/commands/init.ts';
import { loadTopologies } from '../../../src/topology/load.ts';
import { recordOutput } from '../recorder.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-init-'));
  file = join(folder, 'shop.yaml');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(
  path: string,
  flags: Partial<InitFlags> = {},
): Promise<{ code: number; printed: string; noted: string }> {
  const format = flags.format ?? 'text';
  const { output, printed, noted } = recordOutput({ format });
  const code = await init([path], { format, color: false, schema: true, yes: true, ...flags }, output);
  return { code, printed: printed.join('\n'), noted: noted.join('\n') };
}

describe('init', () => {
  it('writes a file that can be applied, the schema beside it, and says what comes next', async () => {
    const { code, printed, noted } = await run(file, { replicas: '1' });
    expect({ code, noted }).toEqual({ code: 0, noted: '' });
    expect(printed).toContain(`${file}: written (cluster shop)\n${folder}/.topology.schema.json: its schema`);
    expect(printed).toContain(`\n  pgherd plan ${file}              see what would be done\n`);
    expect(await readFile(join(folder, '.topology.schema.json'), 'utf8')).toBe(
      await readFile('schemas/topology.schema.json', 'utf8'),
    );
    // The whole folder: the schema is not taken for a topology.
    const { topologies, diagnostics } = await loadTopologies([folder]);
    expect(diagnostics).toEqual([]);
    expect(topologies.map(({ cluster, groups }) => [cluster, groups[0].nodes.length])).toEqual([['shop', 2]]);
  });

  it('makes the folders that are missing', async () => {
    expect(await run(join(folder, 'a/b/bank.yml'), { schema: false })).toMatchObject({ code: 0, noted: '' });
    expect(await readdir(join(folder, 'a/b'))).toEqual(['bank.yml']);
  });

  it('leaves a file that is there, and replaces it when told', async () => {
    await writeFile(file, 'mine');
    expect(await run(file)).toEqual({
      code: 1,
      printed: '',
      noted: `error: ${file} exists already\n  remedy: give another name, or add --force to replace it`,
    });
    expect(await readFile(file, 'utf8')).toBe('mine');
    expect(await readdir(folder)).toEqual(['shop.yaml']);
    expect(await run(file, { force: true, schema: false })).toMatchObject({ code: 0, noted: '' });
    expect(await readFile(file, 'utf8')).toContain('cluster_name: shop');
    expect(await readdir(folder)).toEqual(['shop.yaml']);
  });

  it('leaves a schema that is another, and says how to renew it', async () => {
    const schema = join(folder, '.topology.schema.json');
    await writeFile(schema, '{}');
    const { code, noted } = await run(file);
    expect({ code, noted }).toEqual({
      code: 0,
      noted: `${schema}: is of another version, and was left\n  remedy: pgherd schema > ${schema}`,
    });
    expect(await readFile(schema, 'utf8')).toBe('{}');
  });

  it('says what is wrong with an option, and writes nothing', async () => {
    expect(await run(file, { port: '99999' })).toEqual({
      code: 1,
      printed: '',
      noted: 'error: --port: expected a port from 1 to 65535, got "99999"',
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['shop.json', 'shop', '.shop.yaml'])('writes YAML that pgherd finds: not %s', async (name) => {
    const { code, noted } = await run(join(folder, name));
    expect(code).toBe(1);
    expect(noted).toMatch(/init writes YAML\n {2}remedy: give it a name that ends in .yaml or .yml$/);
  });

  it('says why a file cannot be written, and leaves nothing', async () => {
    await mkdir(join(folder, 'shop.yaml'));
    const { code, noted } = await run(file, { force: true });
    expect(code).toBe(1);
    expect(noted).toMatch(/^error: .*shop\.yaml cannot be written: EISDIR/);
    expect(await readdir(folder)).toEqual(['shop.yaml']);
  });

  it('prints the file for -, and writes none', async () => {
    const { code, printed } = await run('-', { cluster: 'bank' });
    expect(code).toBe(0);
    expect(printed).toMatch(/^# A PostgreSQL cluster[^]*\ncluster_name: bank\n/);
    expect(printed).not.toContain('$schema');
  });

  it('has JSON for what it did', async () => {
    const { printed } = await run(file, { format: 'json', schema: false });
    expect(JSON.parse(printed)).toEqual({
      file,
      cluster: 'shop',
      next: [`pgherd plan ${file}`, `pgherd reconcile --once ${file}`, `pgherd status ${file}`],
    });
  });
});
