import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readJournal, type JournalEntry } from '../../src/daemon/journal.ts';

const processes = 5;
const entriesEach = 150;
const patience = 120_000;

/** Says that it is ready, waits for a word, then writes its entries. */
const program = `
  import { once } from 'node:events';
  import { openJournal } from './src/daemon/journal.ts';
  const [dir, by, count, maxBytes, keep] = process.argv.slice(2);
  const onError = (error) => { console.error(error); process.exitCode = 1; };
  const options = { now: () => new Date(), onError, maxBytes: Number(maxBytes), keep: Number(keep) };
  const journal = openJournal(dir, options);
  console.log('ready');
  await once(process.stdin, 'data');
  for (let number = 0; number < Number(count); number++) {
    await journal.append({ cluster: 'shop', by, type: 'step', message: String(number) + ' ' + by.repeat(number % 90) });
  }
  await journal.close();
  process.stdin.destroy();
`;

let built = '';
let writer = '';
beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'pgherd-writer-'));
  writer = join(built, 'writer.mjs');
  const resolveDir = join(import.meta.dirname, '../..');
  await build({
    stdin: { contents: program, resolveDir, loader: 'ts' },
    outfile: writer,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(async () => {
  await rm(built, { recursive: true });
});

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pgherd-journal-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

/** Runs the writers, all at once. */
async function write(maxBytes: number, keep: number): Promise<void> {
  const children = Array.from({ length: processes }, (_, index) => {
    const settings = [dir, `writer${index}`, entriesEach, maxBytes, keep].map(String);
    const child = spawn(process.execPath, [writer, ...settings], { stdio: 'pipe' });
    const ended = Promise.all([once(child, 'exit'), text(child.stderr)]);
    return { child, ended };
  });
  await Promise.all(children.map(({ child, ended }) => Promise.race([once(child.stdout, 'data'), ended])));
  for (const { child } of children) child.stdin.end('go');
  for (const { ended } of children) {
    expect(await ended).toEqual([[0, null], '']);
  }
}

function groupByWriter(entries: readonly JournalEntry[]): ReadonlyMap<string, readonly number[]> {
  const numbers = new Map<string, number[]>();
  for (const { by, message } of entries) {
    const list = numbers.get(by) ?? [];
    numbers.set(by, list);
    list.push(Number.parseInt(message, 10));
  }
  return numbers;
}

const wholeRow = Array.from({ length: entriesEach }, (_, index) => index);

it(
  'processes that write at once lose nothing, and keep their order',
  async () => {
    await write(100 * 1024 * 1024, 3);
    const rows = groupByWriter(await readJournal(dir, {}));
    expect(rows.size).toBe(processes);
    for (const numbers of rows.values()) expect(numbers).toEqual(wholeRow);
  },
  patience,
);

it(
  'processes that rotate at once neither lose nor double an entry',
  async () => {
    await write(3000, 1_000_000);
    expect((await readdir(dir)).length).toBeGreaterThan(20);
    const rows = groupByWriter(await readJournal(dir, {}));
    expect(rows.size).toBe(processes);
    for (const numbers of rows.values()) expect([...numbers].sort((a, b) => a - b)).toEqual(wholeRow);
  },
  patience,
);

it(
  'processes that rotate at once stay within the bounds, and the newest entries stay',
  async () => {
    const [maxBytes, keep] = [20_000, 3];
    await write(maxBytes, keep);
    const names = await readdir(dir);
    expect(names.length).toBeLessThanOrEqual(keep);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size));
    // Each process may add a line to what another one is about to rotate away.
    for (const size of sizes) expect(size).toBeLessThan(2 * maxBytes);
    const rows = groupByWriter(await readJournal(dir, {}));
    expect(Math.max(...[...rows.values()].flat())).toBe(entriesEach - 1);
  },
  patience,
);
