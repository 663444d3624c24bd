import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const main = path.join(import.meta.dirname, 'main.mjs');

// In a process of its own: the whole of it goes by a virtual clock.
async function simulate(...args: readonly string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [main, ...args], { maxBuffer: 2 ** 26 });
  // It exits with 1 where something does not hold.
  return run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof Error && 'stdout' in error) return String(error.stdout);
      throw error;
    },
  );
}

it('finds no second writer and nothing lost in the first seeds', async () => {
  const found = await simulate('--seeds', '40', '--jobs', '2', '--stop-after', '1000');
  expect(found).not.toMatch(/acknowledged and lost|kept nowhere|two writers|still runs|a bug/);
  expect(found).toMatch(/20 seeds/);
});

it('does the same again for the same seed', async () => {
  const [one, other] = [await simulate('--seed', '7'), await simulate('--seed', '7')];
  expect(one.split('\n').length).toBeGreaterThan(20);
  expect(other).toBe(one);
});
