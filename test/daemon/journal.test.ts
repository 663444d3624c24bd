import fc from 'fast-check';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { maxLineBytes } from '../../src/daemon/journal-entry.ts';
import { openJournal, readJournal, type Journal, type NewEntry } from '../../src/daemon/journal.ts';

// A busy machine makes them slow, not wrong.
vi.setConfig({ testTimeout: 60_000 });

let folder = '';
let dir = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-journal-'));
  dir = join(folder, 'state');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A clock that is set by hand. */
let time = 0;
beforeEach(() => {
  time = Date.parse('2026-11-23T12:45:02.000Z');
});

let errors: unknown[] = [];
beforeEach(() => {
  errors = [];
});

type Bounds = { readonly maxBytes?: number; readonly keep?: number };

function open(bounds: Bounds = {}): Journal {
  return openJournal(dir, { now: () => new Date(time), onError: (error) => errors.push(error), ...bounds });
}

function entry(message: string, more: Partial<NewEntry> = {}): NewEntry {
  return { cluster: 'shop', by: 'daemon', type: 'step', message, ...more };
}

async function messages(filter: Parameters<typeof readJournal>[1] = {}): Promise<readonly string[]> {
  return (await readJournal(dir, filter)).map(({ message }) => message);
}

const current = (): string => join(dir, 'journal.jsonl');

describe('an entry', () => {
  it('is a line of JSON with the time it happened', async () => {
    const full = {
      cluster: 'shop',
      run: '7f3a',
      by: 'reconcile --once',
      type: 'step',
      resource: 'node/lb1-replica1',
      reason: 'its container is exited (exit code 137)',
      message: 'start',
      milliseconds: 312,
    } as const;
    await open().append(full);
    expect(JSON.parse(await readFile(current(), 'utf8'))).toEqual({ at: '2026-11-23T12:45:02.000Z', ...full });
    expect(await readJournal(dir, {})).toEqual([{ at: '2026-11-23T12:45:02.000Z', ...full }]);
  });

  it('comes after those of earlier calls, awaited or not', async () => {
    const journal = open();
    const numbers = Array.from({ length: 50 }, (_, index) => String(index));
    await Promise.all(numbers.map((number) => journal.append(entry(number))));
    expect(await messages()).toEqual(numbers);
  });

  it('is for nobody else to read', async () => {
    await open().append(entry('a'));
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect((await stat(current())).mode & 0o777).toBe(0o600);
  });

  it('keeps its message, or the whole characters that fit', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      fc
        .tuple(fc.constantFrom('a', 'é', '😀', '\n', '\ud83d', '\u0001', '"'), fc.integer({ min: 1, max: 20_000 }))
        .map(([unit, times]) => unit.repeat(times)),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.option(text, { nil: undefined }), async (message, reason) => {
        await rm(dir, { recursive: true, force: true });
        await open().append(entry(message, reason === undefined ? {} : { reason }));
        const line = await readFile(current());
        expect(line.length).toBeLessThanOrEqual(maxLineBytes);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const [read] = await readJournal(dir, {});
        expectWholeOrCut(read?.message, message);
        if (reason === undefined) expect(read).not.toHaveProperty('reason');
        else expectWholeOrCut(read?.reason, reason);
      }),
      { numRuns: 150 },
    );
    expect(errors).toEqual([]);
  });

  it('uses all of the line before it is cut', async () => {
    await open().append(entry('😀'.repeat(10_000)));
    expect((await stat(current())).size).toBeGreaterThan(maxLineBytes - 4);
  });
});

function expectWholeOrCut(read: string | undefined, written: string): void {
  if (read === written) return;
  const kept = read?.slice(0, -1) ?? '';
  expect(read?.at(-1)).toBe('…');
  expect(written.startsWith(kept)).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(written))).toBeGreaterThan(2000);
  const [last, next] = [kept.charCodeAt(kept.length - 1), written.charCodeAt(kept.length)];
  const isPairSplit = last >= 0xd800 && last < 0xdc00 && next >= 0xdc00 && next < 0xe000;
  expect(isPairSplit).toBe(false);
}

describe('what repeats', () => {
  it('is written once a minute, and the next entry says how often it was not', async () => {
    const journal = open();
    for (let second = 0; second < 90; second++) {
      await journal.append(entry('exited'));
      time += 1000;
    }
    await journal.append(entry('converged'));
    expect((await readJournal(dir, {})).map(({ message, repeated }) => [message, repeated])).toEqual([
      ['exited', undefined],
      ['exited', 59],
      ['converged', 29],
    ]);
  });

  it('is the same of the same cluster: others between do not hide it', async () => {
    const journal = open();
    for (let round = 0; round < 3; round++) {
      await journal.append(entry('exited', { run: String(round), milliseconds: round }));
      await journal.append(entry('exited', { cluster: 'blog' }));
    }
    expect((await readJournal(dir, {})).map(({ cluster }) => cluster)).toEqual(['shop', 'blog']);
  });

  it.each([{ type: 'failed' }, { resource: 'node/a' }, { reason: 'disk' }, { message: 'other' }] as const)(
    'is not what differs in %j',
    async (other) => {
      const journal = open();
      await journal.append(entry('exited'));
      await journal.append({ ...entry('exited'), ...other });
      expect(await messages()).toHaveLength(2);
    },
  );

  it('is written again after the clock was set back', async () => {
    const journal = open();
    await journal.append(entry('exited'));
    time -= 3_600_000;
    await journal.append(entry('exited'));
    expect(await messages()).toHaveLength(2);
  });

  it('is written when the journal is closed, as of the last time', async () => {
    const journal = open();
    for (let second = 0; second < 5; second++) {
      await journal.append(entry('exited'));
      time += 1000;
    }
    await journal.close();
    expect((await readJournal(dir, {})).map(({ at, repeated }) => [at, repeated])).toEqual([
      ['2026-11-23T12:45:02.000Z', undefined],
      ['2026-11-23T12:45:06.000Z', 3],
    ]);
  });
});

describe('rotation', () => {
  it('bounds what the journal takes, and keeps the newest entries', async () => {
    const journal = open({ maxBytes: 2000, keep: 3 });
    for (let number = 0; number < 500; number++) {
      await journal.append(entry(`entry ${number}`));
      const sizes = await sizesOfFiles();
      expect(sizes.length).toBeLessThanOrEqual(3);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(2000);
    }
    const kept = await messages();
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `entry ${500 - kept.length + index}`));
  });

  it('keeps the current file alone where one is to be kept', async () => {
    const journal = open({ maxBytes: 300, keep: 1 });
    for (let number = 0; number < 20; number++) await journal.append(entry(`entry ${number}`));
    expect(await readdir(dir)).toEqual(['journal.jsonl']);
    expect((await messages()).at(-1)).toBe('entry 19');
  });

  it('writes a line that is larger than a file may be', async () => {
    const journal = open({ maxBytes: 100, keep: 3 });
    for (const letter of ['a', 'b']) await journal.append(entry(letter.repeat(1000)));
    expect(await messages()).toEqual(['a'.repeat(1000), 'b'.repeat(1000)]);
  });

  it('goes on where a rotation was killed between its two calls', async () => {
    const journal = open({ maxBytes: 300, keep: 4 });
    await journal.append(entry('first'));
    await writeFile(join(dir, 'journal.1.jsonl'), '');
    for (let number = 0; number < 5; number++) await journal.append(entry(`entry ${number}`));
    expect(await messages()).toEqual(['first', ...Array.from({ length: 5 }, (_, index) => `entry ${index}`)]);
    expect(await readdir(dir)).toContain('journal.2.jsonl');
  });

  async function sizesOfFiles(): Promise<readonly number[]> {
    return Promise.all((await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size));
  }
});

describe('a disk that refuses', () => {
  it('stops nothing: the first failure is reported, each entry is tried', async () => {
    await writeFile(dir, 'a file where the folder is to be');
    const journal = open();
    await journal.append(entry('lost'));
    await journal.append(entry('lost as well'));
    expect(errors).toMatchObject([{ code: 'ENOTDIR' }]);
    await rm(dir);
    await journal.append(entry('written'));
    await journal.close();
    expect(await messages()).toEqual(['written']);
    expect(errors).toHaveLength(1);
  });

  it('makes no repetition of what it did not take', async () => {
    await writeFile(dir, '');
    const journal = open();
    await journal.append(entry('exited'));
    await rm(dir);
    await journal.append(entry('exited'));
    expect(await messages()).toEqual(['exited']);
  });

  it('that cut a line spoils no other', async () => {
    const journal = open();
    await journal.append(entry('a'));
    await journal.append(entry('b'));
    await truncate(current(), (await stat(current())).size - 10);
    await journal.append(entry('c'));
    expect(await messages()).toEqual(['a', 'c']);
  });

  it('that does not answer drops entries rather than fill memory', async () => {
    const journal = open();
    const appends = Array.from({ length: 3000 }, (_, index) => journal.append(entry(String(index))));
    expect(errors).toHaveLength(1);
    await Promise.all(appends);
    expect(await messages()).toHaveLength(1000);
  });
});

describe('a closed journal', () => {
  it('has written all, and takes no more', async () => {
    const journal = open();
    void journal.append(entry('a'));
    void journal.append(entry('b'));
    await journal.close();
    expect(await messages()).toEqual(['a', 'b']);
    await journal.append(entry('c'));
    expect(await messages()).toEqual(['a', 'b']);
  });
});

describe('reading', () => {
  beforeEach(async () => {
    const journal = open({ maxBytes: 300, keep: 100 });
    for (let number = 0; number < 12; number++) {
      const cluster = number % 2 === 0 ? 'shop' : 'blog';
      await journal.append(entry(String(number), { cluster, type: number % 3 === 0 ? 'failed' : 'step' }));
      time += 60_000;
    }
  });

  it('gives the entries of all files, oldest first, by number and not by name', async () => {
    expect((await readdir(dir)).length).toBeGreaterThan(3);
    expect(await messages()).toEqual(Array.from({ length: 12 }, (_, index) => String(index)));
  });

  it('gives what the filter wants', async () => {
    expect(await messages({ clusters: ['blog'] })).toEqual(['1', '3', '5', '7', '9', '11']);
    expect(await messages({ clusters: [], types: ['failed'] })).toEqual(['0', '3', '6', '9']);
    expect(await messages({ since: new Date(time - 2 * 60_000) })).toEqual(['10', '11']);
    expect(await messages({ clusters: ['blog', 'shop'], types: ['step', 'failed'], limit: 2 })).toEqual(['10', '11']);
    expect(await messages({ limit: 0 })).toEqual([]);
    expect(await messages({ limit: 99 })).toHaveLength(12);
  });

  it('skips what is no entry', async () => {
    const at = '2026-11-23T12:45:02.000Z';
    const broken = [
      '',
      'text',
      '{"at":',
      'null',
      '7',
      '[]',
      '{}',
      JSON.stringify({ at, cluster: 'shop', by: 'daemon', type: 'from a later version', message: 'a' }),
      JSON.stringify({ at: 'yesterday', cluster: 'shop', by: 'daemon', type: 'step', message: 'a' }),
      JSON.stringify({ at, cluster: 'shop', by: 'daemon', type: 'step', message: 'a', milliseconds: 'two' }),
      JSON.stringify({ at, cluster: 'shop', by: 'daemon', type: 'step' }),
    ];
    await writeFile(current(), `${broken.join('\n')}\n`, { flag: 'a' });
    await writeFile(join(dir, 'journal.x.jsonl'), 'not of the journal');
    expect(await messages()).toHaveLength(12);
  });

  it('of no folder, or an empty one, gives nothing', async () => {
    expect(await readJournal(join(folder, 'none'), {})).toEqual([]);
    await mkdir(join(folder, 'empty'));
    expect(await readJournal(join(folder, 'empty'), {})).toEqual([]);
  });

  it('fails where there is something else', async () => {
    await expect(readJournal(current(), {})).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('leaves the rights of a folder that was there', async () => {
    await chmod(dir, 0o755);
    await open().append(entry('x'));
    expect((await stat(dir)).mode & 0o777).toBe(0o755);
  });
});
