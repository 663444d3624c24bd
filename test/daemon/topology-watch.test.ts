import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchTopologies, type TopologyWatch, type WatchOptions } from '../../src/daemon/topology-watch.ts';
import type { Sources } from '../../src/daemon/topology-state.ts';
import { loadTopologies } from '../../src/topology/load.ts';
import { until } from '../e2e/support/until.ts';
import { parseSound } from '../topology/support.ts';

vi.setConfig({ testTimeout: 60_000 });

const run = promisify(execFile);

let root = '';
let watch: TopologyWatch | undefined;
/** What was told, in order. */
let told: string[] = [];
let loads = 0;
const errors: unknown[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'pgherd-watch-')));
  [told, loads] = [[], 0];
});
afterEach(async () => {
  await watch?.close();
  await rm(root, { recursive: true });
  expect(errors).toEqual([]);
});

function describeCluster(replicas: number, cluster = 'shop'): string {
  return `cluster_name: ${cluster}\nbalancers:\n  - name: lb1\n    replicas: ${replicas}\n`;
}

/** Of each cluster: how many replicas, and what is wrong with its file. */
function show(sources: Sources): string {
  const clusters = [...sources.values()].map(({ cluster, topology, diagnostics }) =>
    [`${cluster} ${topology.groups[0].nodes.length - 1}`, ...diagnostics.map(({ code }) => code)].join(' '),
  );
  return clusters.toSorted().join(', ');
}

/** Watches paths below the root, by events alone: no rescan comes to their help. */
async function start(paths: readonly string[], options: Partial<WatchOptions> = {}): Promise<TopologyWatch> {
  const absolute = paths.map((path) => join(root, path));
  watch = watchTopologies(absolute, {
    load: () => {
      loads += 1;
      return loadTopologies(absolute);
    },
    onChange: ({ sources, unplaced }) => {
      told.push([show(sources), ...unplaced.map(({ code }) => `unplaced ${code}`)].join('; '));
    },
    onError: (error) => errors.push(error),
    settle: { short: 40, long: 300 },
    rescan: 3_600_000,
    ...options,
  });
  await watch.ready;
  return watch;
}

/** Waits until exactly this was told, in this order. */
async function untilTold(...expected: readonly string[]): Promise<void> {
  await until(`told ${expected.join(' | ')}`, () => told.length >= expected.length, Boolean, 20_000).catch(
    () => undefined,
  );
  expect(told).toEqual(expected);
}

/** Writes a file that is old enough to be taken in at the start. */
async function place(name: string, content: string): Promise<void> {
  await mkdir(join(root, name, '..'), { recursive: true });
  await writeFile(join(root, name), content);
  await utimes(join(root, name), 1, 1);
}

describe.each([{ polling: false }, { polling: true }])('a file, polling: $polling', (options) => {
  beforeEach(async () => {
    await place('etc/shop.yaml', describeCluster(1));
    await start(['etc/shop.yaml'], options);
    expect(told).toEqual(['shop 1']);
  });
  const file = (name = 'shop.yaml') => join(root, 'etc', name);

  it('written anew and renamed into place', async () => {
    for (const replicas of [2, 3, 4]) {
      await writeFile(file('shop.yaml.new'), describeCluster(replicas));
      await rename(file('shop.yaml.new'), file());
      await until(
        'taken in',
        () => told.at(-1),
        (last) => last === `shop ${replicas}`,
      );
    }
    expect(told).toEqual(['shop 1', 'shop 2', 'shop 3', 'shop 4']);
  });

  it('moved away and written anew, as vim does', async () => {
    await rename(file(), file('shop.yaml~'));
    await writeFile(file(), describeCluster(2));
    await rm(file('shop.yaml~'));
    await until(
      'taken in',
      () => told.at(-1),
      (last) => last === 'shop 2',
    );
    expect(told.filter((line) => line !== 'shop 1 no-file')).toEqual(['shop 1', 'shop 2']);
  });

  it('edited by sed', async () => {
    await run('sed', ['-i', 's/replicas: 1/replicas: 3/', file()]);
    await untilTold('shop 1', 'shop 3');
    await run('sed', ['-i', 's/replicas: 3/replicas: 2/', file()]);
    await untilTold('shop 1', 'shop 3', 'shop 2');
  });

  it('rewritten in place with the same size', async () => {
    await writeFile(file(), describeCluster(2));
    await untilTold('shop 1', 'shop 2');
  });

  it('touched: looked at, and nothing is told', async () => {
    await until('nothing is to be looked at', () => loads, isUnchanged());
    const before = loads;
    await run('touch', [file()]);
    await until(
      'looked at',
      () => loads,
      (now) => now > before,
    );
    await watch?.reload();
    expect(told).toEqual(['shop 1']);
  });

  it('broken, then put right', async () => {
    await writeFile(file(), 'cluster_name: [');
    await untilTold('shop 1', 'shop 1 syntax');
    await writeFile(file(), '');
    await untilTold('shop 1', 'shop 1 syntax', 'shop 1 empty');
    await writeFile(file(), describeCluster(2));
    await untilTold('shop 1', 'shop 1 syntax', 'shop 1 empty', 'shop 2');
  });

  it('deleted, and put back', async () => {
    await rm(file());
    await untilTold('shop 1', 'shop 1 no-file');
    await writeFile(file(), describeCluster(1));
    await untilTold('shop 1', 'shop 1 no-file', 'shop 1');
  });

  it('that cannot be read', async () => {
    await rm(file());
    await symlink('shop.yaml', file());
    await until(
      'told so',
      () => told.at(-1),
      (last) => last === 'shop 1 unreadable',
    );
  });
});

/** Holds when an observation is as it was four times before. */
function isUnchanged(): (now: number) => boolean {
  const seen: number[] = [];
  return (now) => {
    seen.push(now);
    return seen.length > 4 && seen.slice(-5).every((one) => one === now);
  };
}

describe('a file that is written in two halves', () => {
  const first = describeCluster(1);
  const groups = (...replicas: readonly number[]) =>
    replicas.map((count, index) => `  - name: more${index}\n    replicas: ${count}\n`).join('');
  const sizeOf = (sources: Sources) => sources.get('shop')?.topology.groups.flatMap(({ nodes }) => nodes).length;

  /** Truncates, writes the first half, and some time after that was read the second. */
  async function writeInHalves(path: string, second: string): Promise<void> {
    const before = loads;
    await writeFile(path, first);
    await until(
      'the half is read',
      () => loads,
      (now) => now > before,
    );
    await delay(300);
    await appendFile(path, second);
  }

  it.each([{ polling: false }, { polling: true }])('is never a smaller cluster, polling: $polling', async (options) => {
    await place('shop.yaml', first + groups(1, 1));
    const sizes: (number | undefined)[] = [];
    await start(['shop.yaml'], {
      ...options,
      // Far more than 300 ms, even on a machine that has no time for us.
      settle: { short: 40, long: 4000 },
      onChange: ({ sources }) => sizes.push(sizeOf(sources)),
    });
    // The half would do as a topology.
    expect(parseSound(first).groups).toHaveLength(1);
    await writeInHalves(join(root, 'shop.yaml'), groups(1, 2));
    await until(
      'the second half is taken in',
      () => sizes.at(-1),
      (size) => size === 7,
    );
    expect(sizes).toEqual([6, 7]);
    // As it was before: nothing at all.
    await writeInHalves(join(root, 'shop.yaml'), groups(1, 2));
    await watch?.reload();
    expect(sizes).toEqual([6, 7]);
  });

  it('is one when it stays so', async () => {
    await place('shop.yaml', first + groups(1, 1));
    const sizes: (number | undefined)[] = [];
    await start(['shop.yaml'], { onChange: ({ sources }) => sizes.push(sizeOf(sources)) });
    await writeFile(join(root, 'shop.yaml'), first);
    await until(
      'it is taken in',
      () => sizes.at(-1),
      (size) => size === 2,
    );
    expect(sizes).toEqual([6, 2]);
  });

  it('is not taken in by a reload either', async () => {
    await place('shop.yaml', first + groups(1, 1));
    const sizes: (number | undefined)[] = [];
    await start(['shop.yaml'], {
      settle: { short: 40, long: 4000 },
      onChange: ({ sources }) => sizes.push(sizeOf(sources)),
    });
    await writeFile(join(root, 'shop.yaml'), first);
    const before = loads;
    const reloaded = watch?.reload();
    await until(
      'the half is read',
      () => loads,
      (now) => now > before,
    );
    await appendFile(join(root, 'shop.yaml'), groups(2, 2));
    await reloaded;
    expect(sizes).toEqual([6, 8]);
  });

  it('just as the watch begins is waited for', async () => {
    await writeFile(join(root, 'shop.yaml'), first);
    const sizes: (number | undefined)[] = [];
    const ready = start(['shop.yaml'], {
      settle: { short: 40, long: 3000 },
      onChange: ({ sources }) => sizes.push(sizeOf(sources)),
    });
    await until(
      'it was read',
      () => loads,
      (now) => now > 0,
    );
    await appendFile(join(root, 'shop.yaml'), groups(1));
    await ready;
    expect(sizes).toEqual([4]);
  });
});

describe.each([{ polling: false }, { polling: true }])('links, polling: $polling', (options) => {
  const link = (target: string, name: string) => run('ln', ['-sfn', target, join(root, name)]);
  beforeEach(async () => {
    await place('v1/shop.yaml', describeCluster(1));
    await place('v2/shop.yaml', describeCluster(2));
    await place('v3/shop.yaml', describeCluster(3));
  });

  it.each(['current', 'current/shop.yaml'])('a link to a directory that is set to another: %s', async (path) => {
    await link('v1', 'current');
    await start([path], options);
    await link('v2', 'current');
    await until(
      'the second',
      () => told.at(-1),
      (last) => last === 'shop 2',
    );
    await link(join(root, 'v3'), 'current');
    await until(
      'the third',
      () => told.at(-1),
      (last) => last === 'shop 3',
    );
    // What the link stands for now is followed as well.
    await writeFile(join(root, 'v3/shop.yaml'), describeCluster(4));
    await until(
      'written to',
      () => told.at(-1),
      (last) => last === 'shop 4',
    );
    expect(told.filter((line) => !line.includes('no-file'))).toEqual(['shop 1', 'shop 2', 'shop 3', 'shop 4']);
  });

  it.each(['etc', 'etc/shop.yaml'])('a link to a file that is set to another: %s', async (path) => {
    await mkdir(join(root, 'etc'));
    await link('../v1/shop.yaml', 'etc/shop.yaml');
    await start([path], options);
    await link('../v2/shop.yaml', 'etc/shop.yaml');
    await until(
      'the second',
      () => told.at(-1),
      (last) => last === 'shop 2',
    );
    await writeFile(join(root, 'v2/shop.yaml'), describeCluster(4));
    await until(
      'written to',
      () => told.at(-1),
      (last) => last === 'shop 4',
    );
  });

  it.each(['etc', 'etc/shop.yaml'])('a ConfigMap that is swapped: %s', async (path) => {
    await place('etc/..1/shop.yaml', describeCluster(1));
    await link('..1', 'etc/..data');
    await link('..data/shop.yaml', 'etc/shop.yaml');
    await start([path], options);
    for (const replicas of [2, 3, 4]) {
      await place(`etc/..${replicas}/shop.yaml`, describeCluster(replicas));
      await symlink(`..${replicas}`, join(root, 'etc/..data_tmp'));
      await rename(join(root, 'etc/..data_tmp'), join(root, 'etc/..data'));
      await rm(join(root, `etc/..${replicas - 1}`), { recursive: true });
      await until(
        'swapped',
        () => told.at(-1),
        (last) => last === `shop ${replicas}`,
      );
    }
    // Swapped at once, it is never seen without its file.
    expect(told).toEqual(['shop 1', 'shop 2', 'shop 3', 'shop 4']);
  });
});

describe.each([{ polling: false }, { polling: true }])('a directory, polling: $polling', (options) => {
  it('in which files come and go', async () => {
    await place('etc/shop.yaml', describeCluster(1));
    await start(['etc'], options);
    await writeFile(join(root, 'etc/bank.yaml'), describeCluster(2, 'bank'));
    await untilTold('shop 1', 'bank 2, shop 1');
    await writeFile(join(root, 'etc/new.yaml'), '');
    await untilTold('shop 1', 'bank 2, shop 1', 'bank 2, shop 1; unplaced empty');
    await rm(join(root, 'etc/new.yaml'));
    await rename(join(root, 'etc/shop.yaml'), join(root, 'etc/shop.off'));
    await until(
      'gone',
      () => told.at(-1),
      (last) => last === 'bank 2, shop 1 no-file',
    );
    await rename(join(root, 'etc/shop.off'), join(root, 'etc/store.yaml'));
    await until(
      'back under another name',
      () => told.at(-1),
      (last) => last === 'bank 2, shop 1',
    );
    expect(watch?.sources().get('shop')).toMatchObject({ file: join(root, 'etc/store.yaml'), generation: 1 });
  });

  it('in which a copy of a file is made', async () => {
    await place('etc/shop.yaml', describeCluster(1));
    await start(['etc'], options);
    await writeFile(join(root, 'etc/copy-of-shop.yaml'), describeCluster(0));
    await untilTold('shop 1', 'shop 1 duplicate-cluster');
    await rm(join(root, 'etc/copy-of-shop.yaml'));
    await untilTold('shop 1', 'shop 1 duplicate-cluster', 'shop 1');
  });

  it('that does not exist yet', async () => {
    await start(['etc/herd/clusters'], options);
    expect(told).toEqual(['; unplaced no-file']);
    await mkdir(join(root, 'etc'));
    await mkdir(join(root, 'etc/herd/clusters'), { recursive: true });
    await writeFile(join(root, 'etc/herd/clusters/shop.yaml'), describeCluster(1));
    await until(
      'there',
      () => told.at(-1),
      (last) => last === 'shop 1',
    );
    await writeFile(join(root, 'etc/herd/clusters/shop.yaml'), describeCluster(2));
    await until(
      'written to',
      () => told.at(-1),
      (last) => last === 'shop 2',
    );
  });

  it('that is removed and made again, or replaced', async () => {
    await place('etc/shop.yaml', describeCluster(1));
    await start(['etc'], options);
    await rm(join(root, 'etc'), { recursive: true });
    await place('etc/shop.yaml', describeCluster(2));
    await until(
      'made again',
      () => told.at(-1),
      (last) => last === 'shop 2',
    );
    await place('other/shop.yaml', describeCluster(3));
    await rename(join(root, 'etc'), join(root, 'old'));
    await rename(join(root, 'other'), join(root, 'etc'));
    await until(
      'replaced',
      () => told.at(-1),
      (last) => last === 'shop 3',
    );
    await writeFile(join(root, 'etc/shop.yaml'), describeCluster(4));
    await until(
      'written to',
      () => told.at(-1),
      (last) => last === 'shop 4',
    );
  });
});

it('after close nothing is watched, and nothing told', async () => {
  await place('shop.yaml', describeCluster(1));
  await start(['shop.yaml'], { polling: true });
  await watch?.close();
  const before = loads;
  await writeFile(join(root, 'shop.yaml'), describeCluster(2));
  const resources = () =>
    process.getActiveResourcesInfo().filter((name) => name.startsWith('FSEvent') || name === 'StatWatcher');
  await until('no watcher is open', resources, (names) => names.length === 0);
  expect([loads, told]).toEqual([before, ['shop 1']]);
});
