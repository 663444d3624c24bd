import { mkdir, mkdtemp, realpath, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findDirectories } from '../../src/daemon/topology-directories.ts';

let root = '';
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'pgherd-directories-')));
});
afterEach(() => rm(root, { recursive: true }));

/** A tree of directories (null), files (text) and links (`-> target`). */
async function create(tree: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    const path = join(root, name);
    await mkdir(content === null ? path : join(path, '..'), { recursive: true });
    if (content?.startsWith('-> ') === true) await symlink(content.slice(3).replace('ROOT', root), path);
    else if (content !== null) await writeFile(path, content);
  }
}

/** What is watched below the root: `directory: names`, with * for all topologies. */
async function find(...paths: readonly string[]): Promise<string[]> {
  const directories = await findDirectories(paths, root);
  return directories.map(({ path, listed, names }) => {
    const shown = path === root ? '.' : path.startsWith(root) ? path.slice(root.length + 1) : path;
    return `${shown}: ${[...(listed ? ['*'] : []), ...names].join(' ')}`;
  });
}

it('of a file: its directory', async () => {
  await create({ 'etc/shop.yaml': '' });
  expect(await find('etc/shop.yaml')).toEqual(['etc: shop.yaml']);
  expect(await find(join(root, 'etc/shop.yaml'))).toEqual(['etc: shop.yaml']);
});

it('of a directory: itself', async () => {
  await create({ 'etc/shop.yaml': '', 'etc/inner/bank.yaml': '' });
  expect(await find('etc')).toEqual(['etc: *']);
});

it('of two files in one directory: that one', async () => {
  await create({ 'etc/shop.yaml': '', 'etc/bank.yaml': '' });
  expect(await find('etc/shop.yaml', 'etc/../etc/bank.yaml')).toEqual(['etc: bank.yaml shop.yaml']);
});

it('of what is not there: the nearest directory that is', async () => {
  await create({ etc: null, 'etc/file': '' });
  expect(await find('etc/shop.yaml')).toEqual(['etc: shop.yaml']);
  expect(await find('etc/herd/clusters/shop.yaml')).toEqual(['etc: herd']);
  expect(await find('etc/file/shop.yaml')).toEqual(['etc: file']);
});

it('of no path: those of the usual names', async () => {
  await create({ 'topologies/shop.yaml': '' });
  expect(await find()).toEqual(['.: topology.json topology.yaml topology.yml', 'topologies: *']);
});

it('of a link to a directory: where the link is, and the real one', async () => {
  await create({ 'v1/shop.yaml': '', v2: null, current: '-> v1' });
  expect(await find('current')).toEqual(['.: current', 'v1: *']);
  expect(await find('current/shop.yaml')).toEqual(['.: current', 'v1: shop.yaml']);
});

it('of a link to a file: where the link is, and the real one', async () => {
  await create({ 'real/one.txt': '', 'etc/shop.yaml': '-> ../real/one.txt' });
  expect(await find('etc/shop.yaml')).toEqual(['etc: shop.yaml', 'real: one.txt']);
});

it('of a chain of links, relative, absolute and through links: every one of them', async () => {
  await create({
    'a/shop.yaml': '-> ../b/link/shop.yaml',
    'b/link': '-> ROOT/c/deep',
    'c/deep/shop.yaml': '-> ./../../d/shop.yaml',
    'd/shop.yaml': '',
  });
  expect(await find('a/shop.yaml')).toEqual(['a: shop.yaml', 'b: link', 'c/deep: shop.yaml', 'd: shop.yaml']);
});

it('of a mounted ConfigMap: the link that is swapped, and the directory it stands for', async () => {
  await create({
    'etc/..2026_01/shop.yaml': '',
    'etc/..data': '-> ..2026_01',
    'etc/shop.yaml': '-> ..data/shop.yaml',
  });
  expect(await find('etc')).toEqual(['etc: * ..data shop.yaml', 'etc/..2026_01: shop.yaml']);
  expect(await find('etc/shop.yaml')).toEqual(['etc: ..data shop.yaml', 'etc/..2026_01: shop.yaml']);
});

it('of a link to nowhere: where its target would be', async () => {
  await create({ 'etc/shop.yaml': '-> ../real/shop.yaml', real: null });
  expect(await find('etc/shop.yaml')).toEqual(['etc: shop.yaml', 'real: shop.yaml']);
});

it('of links without end: theirs', async () => {
  await create({ 'a/shop.yaml': '-> ../b/shop.yaml', 'b/shop.yaml': '-> ../a/shop.yaml' });
  expect(await find('a/shop.yaml')).toEqual(['a: shop.yaml', 'b: shop.yaml']);
});

it('another directory at the same path is another one, even with the same number', async () => {
  await create({ etc: null, other: null });
  const first = await findDirectories(['etc'], root);
  expect(await findDirectories(['etc'], root)).toEqual(first);
  await rmdir(join(root, 'etc'));
  await create({ etc: null });
  const second = await findDirectories(['etc'], root);
  await rename(join(root, 'other'), join(root, 'etc'));
  const third = await findDirectories(['etc'], root);
  expect(new Set([first, second, third].map(([directory]) => directory?.identity)).size).toBe(3);
});
