import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSources } from '../../../src/cli/completion/sources.ts';
import type { Engine } from '../../../src/docker/engine.ts';

let folder: string;
let shop: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-complete-'));
  shop = join(folder, 'shop.yaml');
  await writeFile(shop, 'cluster_name: shop\nbalancers: [{ name: lb1, replicas: 1 }]\n');
  await writeFile(join(folder, 'broken.yaml'), 'cluster_name: [\n');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const container = {
  labels: { 'pgherd.cluster': 'bank', 'pgherd.group': 'main', 'pgherd.node': '1', 'pgherd.kind': 'node' },
  volumes: [{ name: 'bank_main_1_1', target: '/data' }],
};

/** A minute is more than any answer takes here. */
function create(engine: () => Promise<Partial<Record<keyof Engine, unknown>>>, deadline = 60_000) {
  const reasons: string[] = [];
  const sources = createSources({
    connect: async () => ({ host: 'unix:///e', ...(await engine()) }) as unknown as Engine,
    home: folder,
    deadline,
    explain: (reason) => reasons.push(reason),
  });
  return { sources, reasons };
}

const never = new Promise<never>(() => undefined);

describe('names come', () => {
  it('from the files, with no word to the engine', async () => {
    const { sources, reasons } = create(() => never);
    expect(await sources.findNames('group', { paths: [shop] })).toEqual([{ text: 'lb1', description: 'cluster shop' }]);
    expect(await sources.findNames('node', { paths: ['~/shop.yaml'] })).toHaveLength(2);
    expect(reasons).toEqual([]);
  });

  it('from the engine where no file can be read', async () => {
    const { sources } = create(async () => ({ listContainers: async () => [container] }));
    for (const paths of [[join(folder, 'none.yaml')], [join(folder, 'broken.yaml')]]) {
      expect(await sources.findNames('node', { paths })).toEqual([
        { text: 'main-replica1', description: 'main of bank' },
      ]);
      expect(await sources.findNames('cluster', { paths })).toEqual([{ text: 'bank', description: 'unix:///e' }]);
    }
  });

  it('of volumes from the engine: those that no node has', async () => {
    const volumes = ['bank_main_1_1', 'bank_main_1_2'].map((name) => ({ name, labels: { 'pgherd.cluster': 'bank' } }));
    const { sources } = create(async () => ({
      listContainers: async () => [container],
      listVolumes: async () => volumes,
    }));
    expect(await sources.findNames('volume', { paths: [shop] })).toEqual([
      { text: 'bank_main_1_2', description: 'of bank' },
    ]);
  });
});

describe('there are no names, and why', () => {
  const paths = ['none.yaml'];

  it('where the engine does not answer in time', async () => {
    const { sources, reasons } = create(async () => ({ listContainers: () => never }), 50);
    expect(await sources.findNames('group', { paths })).toEqual([]);
    expect(reasons).toEqual(['the engine did not answer within 50 ms']);
  });

  it('where there is no engine', async () => {
    const { sources, reasons } = create(() => Promise.reject(new Error('no engine')));
    expect(await sources.findNames('group', { paths })).toEqual([]);
    expect(reasons).toEqual(['no engine']);
  });
});
