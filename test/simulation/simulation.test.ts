import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { mutations } from './mutations.ts';
import { lastOfReign } from './wal.ts';

const main = path.join(import.meta.dirname, 'main.mjs');
const root = path.resolve(import.meta.dirname, '../..');

vi.setConfig({ testTimeout: 600_000 });

// In a process of its own: the whole of it goes by a virtual clock.
async function simulate(...args: readonly string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 });
  // It exits with 1 if something does not hold.
  return run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof Error && 'stdout' in error) return String(error.stdout);
      throw error;
    },
  );
}

it('finds no second writer, no loss and no standstill in the first seeds', async () => {
  const found = await simulate('--seeds', '200', '--jobs', '2');
  expect(found.split('\n').filter((line) => !/^\d+ seeds, 0 with a fault; /.test(line) && line !== '')).toEqual([]);
  expect(found.match(/^100 seeds/gm)).toHaveLength(2);
});

it('does the same again for the same seed', async () => {
  const trace = async (): Promise<string> => (await simulate('--seed', '7')).replaceAll(/process \d+/g, 'process');
  const [one, other] = [await trace(), await trace()];
  expect(one.split('\n').length).toBeGreaterThan(20);
  expect(other).toBe(one);
});

it('counts what a leader wrote last by its lead: not what it writes when it leads again', () => {
  const row = (at: number, by: string, timeline: number) => ({ at, by, timeline });
  const all = [row(1000, 'one', 1), row(4705, 'one', 1), row(9000, 'two', 2), row(22_000, 'one', 3)];
  expect(lastOfReign(row(1000, 'one', 1), all)).toBe(4705);
  expect(lastOfReign(row(4705, 'one', 1), all)).toBe(4705);
});

describe('a mutation', () => {
  it.each(mutations.map((each) => [each.name, each] as const))('%s changes what is there, once', async (_, each) => {
    for (const { file, find } of each.changes) {
      const text = await readFile(path.join(root, file), 'utf8');
      expect(text.split(find).length - 1, `"${find}" in ${file}`).toBe(1);
    }
  });

  it('of each finding that can be simulated is in the list', () => {
    const findings = new Set(mutations.map(({ finding }) => finding));
    const missing = Array.from({ length: 20 }, (_, index) => `F${String(index + 1)}`).filter(
      (each) => !findings.has(each),
    );
    // Settings that the file may not have, and a change of the file itself: the simulation has one file a run.
    expect(missing).toEqual(['F14', 'F17']);
  });
});
