import { execFile } from 'node:child_process';
import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { dockerLines, engineHost } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);

let cluster: TestCluster;
let proxy: Proxy;
let daemon: DaemonProcess;
/** The folder that is a link, and what it leads to. */
let folder: string;
let file: string;
/** Grows with each edit, so that each can be told from the one before. */
let size = 1000;

beforeAll(async () => {
  cluster = await newCluster();
  proxy = await startProxy({ upstream: await engineHost() });
  folder = join(cluster.directory, 'current');
  file = join(folder, 'shop.yaml');
  await mkdir(join(cluster.directory, 'v0'));
  await symlink('v0', folder);
  await writeFile(file, text(size));
  daemon = await DaemonProcess.start(cluster, { host: proxy.host, paths: [folder] });
  await daemon.become('Ready', 'True');
});

afterAll(async () => {
  await proxy.close();
  await cluster.cleanup();
});

beforeEach(() => {
  proxy.reset();
});

function text(workMem: number): string {
  return `${head(workMem)}${tail}`;
}

/** A valid file by itself, of a cluster without replicas. */
function head(workMem: number): string {
  return [
    `cluster_name: ${cluster.name}`,
    `network: { subnet: ${cluster.subnet}, rw_subnet: ${cluster.rwSubnet} }`,
    `postgres: { parameters: { max_connections: 40, work_mem: ${String(workMem)}kB } }`,
    'balancers:',
    '  - name: lb1',
    '    config: { num_init_children: 2, max_pool: 1 }',
    '',
  ].join('\n');
}

const tail = '    replicas: 1\n';

function next(): number {
  size += 1;
  return size;
}

/** Waits until servers have the value, and all is well; nothing may have been made, removed or restarted for it. */
async function expectInForce(workMem: number): Promise<void> {
  await until(
    `work_mem is ${String(workMem)} kB`,
    () => psql(`${cluster.name}-lb1-primary`, "SELECT setting FROM pg_settings WHERE name = 'work_mem'"),
    (now) => now === String(workMem),
  );
  await daemon.become('TopologyValid', 'True');
  await daemon.become('Ready', 'True');
  expect(changes()).toEqual(['PUT archive']);
}

/** What was asked of the engine that changes something, in short, each once; execs are not told apart. */
function changes(): readonly string[] {
  const calls = proxy.mutating().map(({ method, path }) => `${method} ${path.split('/').at(-1) ?? ''}`);
  return [...new Set(calls)];
}

it('takes in what an editor writes to a new file and puts in the place of the old one', async () => {
  await writeFile(`${file}.new`, text(next()));
  await rename(`${file}.new`, file);
  await expectInForce(size);
});

it('takes in what `sed -i` does', async () => {
  const [before, after] = [size, next()];
  await run('sed', ['-i', `s/work_mem: ${String(before)}kB/work_mem: ${String(after)}kB/`, file]);
  await expectInForce(size);
});

it('takes in a file of the same size, written in place', async () => {
  await writeFile(file, text(next()));
  await expectInForce(size);
});

it('takes in what is written in two halves, and never the first for the whole', async () => {
  const before = (await containers()).length;
  await writeFile(file, head(next()));
  await delay(300);
  await appendFile(file, tail);
  await expectInForce(size);
  expect(await containers()).toHaveLength(before);
});

it('takes in a folder that is swapped by its link', async () => {
  await mkdir(join(cluster.directory, 'v1'));
  await writeFile(join(cluster.directory, 'v1', 'shop.yaml'), text(next()));
  await run('ln', ['-sfn', 'v1', folder]);
  await expectInForce(size);
});

it('takes in files that are links, swapped all at once as a ConfigMap is', async () => {
  for (const name of ['..one', '..two']) await mkdir(join(folder, name));
  await writeFile(join(folder, '..one', 'shop.yaml'), text(next()));
  await symlink('..one', join(folder, '..data'));
  await symlink('..data/shop.yaml', join(folder, 'link.new'));
  await rename(join(folder, 'link.new'), file);
  await expectInForce(size);
  proxy.reset();
  await writeFile(join(folder, '..two', 'shop.yaml'), text(next()));
  await run('ln', ['-sfn', '..two', join(folder, '..new')]);
  await rename(join(folder, '..new'), join(folder, '..data'));
  await expectInForce(size);
  await rm(file);
  await writeFile(file, text(size));
  await daemon.become('TopologyValid', 'True');
});

it('changes nothing for a touch', async () => {
  const now = new Date();
  await utimes(file, now, now);
  // An edit after it shows that the touch was seen: only the edit was acted on.
  const before = daemon.log().length;
  await writeFile(file, text(next()));
  await expectInForce(size);
  const found = daemon
    .log()
    .slice(before)
    .filter(({ msg }) => msg === 'not as the file says')
    // What it has not loaded at once may be told of once more.
    .filter(({ steps }) => (steps as readonly string[]).includes('node/lb1-primary: write-config'));
  expect(found).toHaveLength(1);
});

it.each([
  ['broken', 'balancers: [\n', 'syntax'],
  ['empty', '', ''],
  ['wrong', 'cluster_name: 7\n', ''],
])('keeps the cluster as it was while the file is %s, and says so', async (_, broken) => {
  await writeFile(file, broken);
  const condition = await daemon.become('TopologyValid', 'False');
  expect(condition?.message).toContain('the last good topology is kept');
  expect(await containers()).toHaveLength(4);
  expect(changes()).toEqual([]);
  await writeFile(file, text(size));
  await daemon.become('TopologyValid', 'True');
  expect(changes()).toEqual([]);
});

it('keeps the cluster while the file is gone, and repairs it all the same', async () => {
  await rm(file);
  const condition = await daemon.become('TopologyValid', 'False');
  expect(condition).toMatchObject({ reason: 'no-file' });
  expect(changes()).toEqual([]);
  await run('docker', ['kill', `${cluster.name}-lb1-replica1`], {
    env: { ...process.env, DOCKER_HOST: await engineHost() },
  });
  await until(
    'it is started again',
    () => daemon.steps(),
    (steps) => steps.at(-1) === 'node/lb1-replica1: await-node',
  );
  await daemon.become('Ready', 'True');
  await writeFile(file, text(size));
  await daemon.become('TopologyValid', 'True');
});

/** Containers of the cluster, its lock among them. */
function containers(): Promise<readonly string[]> {
  return dockerLines('ps', '--all', '--quiet', '--filter', `label=pgherd.cluster=${cluster.name}`);
}
