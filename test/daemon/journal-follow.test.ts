import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  followJournal,
  openJournal,
  type Journal,
  type JournalFilter,
  type NewEntry,
} from '../../src/daemon/journal.ts';
import { until } from '../e2e/support/until.ts';

// A busy machine makes them slow, not wrong.
vi.setConfig({ testTimeout: 60_000 });

let folder = '';
let dir = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-follow-'));
  dir = join(folder, 'state');
});

/** What is followed in a test, ended after it. */
let stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops) await stop();
  stops = [];
  await rm(folder, { recursive: true });
});

/** Follows, and gives the messages seen so far. */
function follow(filter: JournalFilter = {}): readonly string[] {
  const seen: string[] = [];
  const controller = new AbortController();
  const ended = (async () => {
    for await (const { message } of followJournal(dir, filter, controller.signal)) seen.push(message);
  })();
  stops.push(async () => {
    controller.abort();
    await ended;
  });
  return seen;
}

function open(bounds: { readonly maxBytes?: number; readonly keep?: number } = {}): Journal {
  return openJournal(dir, {
    now: () => new Date(),
    onError: (error) => {
      throw error;
    },
    ...bounds,
  });
}

const entry = (message: string, cluster = 'shop'): NewEntry => ({ cluster, by: 'daemon', type: 'step', message });

const current = (): string => join(dir, 'journal.jsonl');

async function untilSeen(seen: readonly string[], expected: readonly string[]): Promise<void> {
  await until(
    `the entries ${expected.join(', ')}`,
    () => [...seen],
    ({ length }) => length >= expected.length,
  );
  expect(seen).toEqual(expected);
}

it('what is there is followed by what comes', async () => {
  const journal = open();
  await journal.append(entry('a'));
  const seen = follow();
  await untilSeen(seen, ['a']);
  await journal.append(entry('b'));
  await untilSeen(seen, ['a', 'b']);
});

it('a limit is for what is there, a filter for what comes as well', async () => {
  const journal = open();
  for (const message of ['a', 'b', 'c']) await journal.append(entry(message));
  const seen = follow({ limit: 2, clusters: ['shop'] });
  await untilSeen(seen, ['b', 'c']);
  for (const message of ['d', 'e', 'f']) await journal.append(entry(message));
  await journal.append(entry('x', 'blog'));
  await journal.append(entry('g'));
  await untilSeen(seen, ['b', 'c', 'd', 'e', 'f', 'g']);
});

it('a journal may begin later, its folder too', async () => {
  const seen = follow();
  const control = follow();
  await open().append(entry('a'));
  await untilSeen(seen, ['a']);
  await untilSeen(control, ['a']);
});

it('rotation neither loses nor doubles an entry', async () => {
  const journal = open({ maxBytes: 1000, keep: 1000 });
  const seen = follow();
  const expected = Array.from({ length: 300 }, (_, index) => `entry ${index}`);
  for (const message of expected) await journal.append(entry(message));
  await untilSeen(seen, expected);
});

it('a file that another program moved away is read to its end', async () => {
  const journal = open();
  await journal.append(entry('a'));
  const seen = follow();
  await untilSeen(seen, ['a']);
  await rename(current(), join(dir, 'journal.7.jsonl'));
  await journal.append(entry('b'));
  await appendFile(
    join(dir, 'journal.7.jsonl'),
    '{"at":"2026-11-23T12:45:02.000Z","cluster":"shop","by":"x","type":"step","message":"late"}\n',
  );
  await until(
    'all three',
    () => [...seen].sort(),
    ({ length }) => length === 3,
  );
  expect([...seen].sort()).toEqual(['a', 'b', 'late']);
});

it('a file that is removed is read to its end before', async () => {
  const journal = open();
  await journal.append(entry('a'));
  const seen = follow();
  await untilSeen(seen, ['a']);
  await journal.append(entry('b'));
  await rm(current());
  await journal.append(entry('c'));
  await untilSeen(seen, ['a', 'b', 'c']);
});

it('a journal that was emptied is read from its start', async () => {
  const journal = open();
  await journal.append(entry('a long message, longer than the next one'));
  const seen = follow();
  await untilSeen(seen, ['a long message, longer than the next one']);
  await truncate(current());
  await journal.append(entry('b'));
  await untilSeen(seen, ['a long message, longer than the next one', 'b']);
});

it('a journal that was removed is followed when it is there again, whatever its size', async () => {
  const journal = open();
  await journal.append(entry('a'));
  const seen = follow();
  await untilSeen(seen, ['a']);
  await rm(dir, { recursive: true });
  const expected = ['a'];
  for (let number = 0; number < 20; number++) {
    await journal.append(entry(`entry ${number}`));
    expected.push(`entry ${number}`);
  }
  await untilSeen(seen, expected);
});

it('a line counts when it is whole', async () => {
  const journal = open();
  await journal.append(entry('a'));
  const seen = follow();
  await untilSeen(seen, ['a']);
  const line = '{"at":"2026-11-23T12:45:02.000Z","cluster":"shop","by":"x","type":"step","message":"é"}\n';
  const bytes = Buffer.from(line);
  const middle = bytes.indexOf('é') + 1;
  await appendFile(current(), bytes.subarray(0, middle));
  // One that comes now meets the half line for sure.
  const other = follow();
  await untilSeen(other, ['a']);
  await appendFile(current(), bytes.subarray(middle));
  await untilSeen(seen, ['a', 'é']);
  await untilSeen(other, ['a', 'é']);
});

it('following ends with its signal, also before it began', async () => {
  await open().append(entry('a'));
  const seen: string[] = [];
  for await (const { message } of followJournal(dir, {}, AbortSignal.abort())) seen.push(message);
  expect(seen).toEqual(['a']);
});

it('following fails where the folder is something else', async () => {
  await writeFile(dir, '');
  const next = followJournal(dir, {}, AbortSignal.abort()).next();
  await expect(next).rejects.toMatchObject({ code: 'ENOTDIR' });
});
