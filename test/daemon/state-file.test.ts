import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/daemon/conditions.ts';
import { readConditions, writeConditions } from '../../src/daemon/state-file.ts';

const ready: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'AsTheFileSays',
  message: '',
  since: '2026-01-01T12:00:00.000Z',
  observedGeneration: 3,
};

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pgherd-state-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const path = (): string => join(dir, 'clusters', 'shop.json');

/** A state file with something else in it. */
async function write(change: Readonly<Record<string, unknown>>): Promise<void> {
  await writeConditions(dir, 'shop', [ready]);
  const state: unknown = JSON.parse(await readFile(path(), 'utf8'));
  await writeFile(path(), JSON.stringify({ ...(state as object), ...change }));
}

describe('what a daemon says of a cluster', () => {
  it('is read as it was written, with who wrote it and when', async () => {
    const before = Date.now();
    await writeConditions(dir, 'shop', [ready]);
    const state = await readConditions(dir, 'shop');
    expect(state).toMatchObject({ cluster: 'shop', host: hostname(), pid: process.pid, conditions: [ready] });
    expect(Date.parse(state?.writtenAt ?? '')).toBeGreaterThanOrEqual(before);
  });

  it('is what it said last', async () => {
    await writeConditions(dir, 'shop', [ready]);
    await writeConditions(dir, 'shop', [{ ...ready, status: 'False' }]);
    expect((await readConditions(dir, 'shop'))?.conditions).toMatchObject([{ status: 'False' }]);
  });

  it('is kept for each cluster', async () => {
    await writeConditions(dir, 'shop', [ready]);
    await writeConditions(dir, 'bank', []);
    expect((await readConditions(dir, 'shop'))?.conditions).toHaveLength(1);
    expect((await readConditions(dir, 'bank'))?.conditions).toHaveLength(0);
  });

  it('is for its user only', async () => {
    await writeConditions(dir, 'shop', [ready]);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'clusters'))).mode & 0o777).toBe(0o700);
  });

  it('is whole whoever writes at the same time, and nothing else is left', async () => {
    const messages = Array.from({ length: 20 }, (_, index) => 'x'.repeat(index * 1000));
    await Promise.all(messages.map((message) => writeConditions(dir, 'shop', [{ ...ready, message }])));
    const [found] = (await readConditions(dir, 'shop'))?.conditions ?? [];
    expect(messages).toContain(found?.message);
    expect(await readdir(join(dir, 'clusters'))).toEqual(['shop.json']);
  });

  it('can be done without where it cannot be written', async () => {
    await writeFile(join(dir, 'clusters'), 'a file in its place');
    await writeConditions(dir, 'shop', [ready]);
    expect(await readConditions(dir, 'shop')).toBeUndefined();
  });

  it('leaves no draft where it cannot be put in its place', async () => {
    await mkdir(path(), { recursive: true });
    await writeConditions(dir, 'shop', [ready]);
    expect(await readdir(join(dir, 'clusters'))).toEqual(['shop.json']);
  });
});

describe('nothing is known', () => {
  it('where no daemon wrote anything', async () => {
    expect(await readConditions(dir, 'shop')).toBeUndefined();
    expect(await readConditions(join(dir, 'nowhere'), 'shop')).toBeUndefined();
  });

  it('from a daemon that has ended', async () => {
    const { pid } = spawnSync('true');
    await write({ pid });
    expect(await readConditions(dir, 'shop')).toBeUndefined();
  });

  it('from one whose number another process has now', async () => {
    await write({ began: 'at another time' });
    expect(await readConditions(dir, 'shop')).toBeUndefined();
  });

  it('from one of another host, whose processes are others', async () => {
    await write({ host: `not-${hostname()}` });
    expect(await readConditions(dir, 'shop')).toBeUndefined();
  });

  it.each([
    ['is empty', ''],
    ['is cut short', '{"cluster":"shop","host":'],
    ['is something else', '[]'],
    ['is nothing', 'null'],
    ['has no conditions', JSON.stringify({ cluster: 'shop', host: hostname(), pid: process.pid })],
  ])('from a file that %s', async (_, text) => {
    await writeConditions(dir, 'shop', [ready]);
    await writeFile(path(), text);
    expect(await readConditions(dir, 'shop')).toBeUndefined();
  });
});
