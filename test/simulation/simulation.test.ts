import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const main = path.join(import.meta.dirname, 'main.mjs');

// In a process of its own: the whole of it goes by a virtual clock.
async function simulate(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 });
  return stdout;
}

it('finds nothing in the first seeds', async () => {
  expect(await simulate('--seeds', '200', '--jobs', '2')).toMatch(/ 0 with a fault/);
});

it('does the same again for the same seed', async () => {
  const [one, other] = [await simulate('--seed', '7'), await simulate('--seed', '7')];
  expect(one.split('\n').length).toBeGreaterThan(20);
  expect(other).toBe(one);
});
