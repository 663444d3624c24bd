import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { events, type EventsFlags } from '../../src/cli/commands/events.ts';
import type { Output } from '../../src/cli/output.ts';
import { openJournal, type Journal, type NewEntry } from '../../src/daemon/journal.ts';
import { until } from '../e2e/support/until.ts';
import { recordOutput } from './recorder.ts';

// A busy machine makes them slow, not wrong.
vi.setConfig({ testTimeout: 60_000 });

let folder = '';
let dir = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-events-'));
  dir = join(folder, 'state');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

type Run = { readonly out: readonly string[]; readonly notes: readonly string[]; readonly output: Output };

function createRun(settings: Partial<Output> = {}): Run {
  const { output, printed: out, noted: notes } = recordOutput(settings);
  return { out, notes, output };
}

/** What the command prints, says and ends with. */
async function run(
  clusters: readonly string[] = [],
  flags: Partial<EventsFlags> = {},
  settings: Partial<Output> = {},
): Promise<{ readonly code: number; readonly out: readonly string[]; readonly notes: readonly string[] }> {
  const { out, notes, output } = createRun(settings);
  const code = await events(clusters, { format: 'text', color: false, stateDir: dir, ...flags }, output);
  return { code, out, notes };
}

/** Local time, as it is shown: the test holds in any zone. */
let now = new Date(0);
beforeEach(() => {
  now = new Date(2026, 10, 23, 13, 45, 2);
});

function open(): Journal {
  return openJournal(dir, {
    now: () => now,
    onError: (error) => {
      throw error;
    },
  });
}

const start: NewEntry = {
  cluster: 'shop',
  by: 'reconcile --once',
  type: 'step',
  resource: 'node/lb1-replica1',
  message: 'start',
  milliseconds: 312,
  reason: 'its container is exited (exit code 137)',
};

describe('pgherd events', () => {
  it('prints a line for each event: when, where, what, how long and why', async () => {
    const journal = open();
    await journal.append(start);
    await journal.append({
      cluster: 'shop',
      by: 'daemon',
      type: 'converged',
      message: 'converged',
      milliseconds: 2449,
    });
    await journal.append({ cluster: 'blog', by: 'daemon', type: 'failed', resource: 'volume/v1', message: 'no space' });
    expect(await run()).toEqual({
      code: 0,
      out: [
        '2026-11-23 13:45:02  shop  lb1-replica1  step       start (312 ms): its container is exited (exit code 137)',
        '2026-11-23 13:45:02  shop                converged  converged (2.4 s)',
        '2026-11-23 13:45:02  blog  volume/v1     failed     no space',
      ],
      notes: [],
    });
  });

  it('says how often the one before was repeated', async () => {
    const journal = open();
    for (let time = 0; time < 4; time++) await journal.append(start);
    await journal.append({ cluster: 'shop', by: 'daemon', type: 'converged', message: 'converged' });
    expect((await run()).out.at(-1)).toMatch(/converged {2}converged \(after the last message repeated 3 times\)$/);
  });

  it('keeps an event in its line, and the terminal from its codes', async () => {
    await open().append({ ...start, message: 'a\n\tb\u001b[31m\u2028c', reason: 'd\r\ne\n' });
    expect((await run()).out).toEqual([expect.stringMatching(/ {2}a b \[31m c \(312 ms\): d e$/)]);
  });

  it('paints where colours are wanted, in the same columns', async () => {
    const journal = open();
    await journal.append({ ...start, type: 'step-failed' });
    await journal.append({ ...start, type: 'converged' });
    const { out } = await run([], {}, { colour: true });
    expect(out[0]).toContain('\u001b[31mstep-failed\u001b[39m  start');
    expect(out[1]).toContain('\u001b[32mconverged  \u001b[39m  start');
  });

  it('prints the lines themselves with --format json', async () => {
    await open().append(start);
    const { out } = await run([], {}, { format: 'json' });
    expect(out.map((line) => JSON.parse(line) as unknown)).toEqual([{ at: now.toISOString(), ...start }]);
  });

  it('says where it looked when there is nothing', async () => {
    expect(await run()).toEqual({ code: 0, out: [], notes: [`nothing in the journal (looked in ${dir})`] });
    await open().append(start);
    const notes = [`nothing in the journal that was asked for (looked in ${dir})`];
    expect(await run(['blog'])).toEqual({ code: 0, out: [], notes });
  });

  it('fails where the journal cannot be read', async () => {
    await writeFile(dir, '');
    const { code, notes } = await run();
    expect(code).toBe(1);
    expect(notes).toEqual([expect.stringMatching(/^error: the journal in .*state cannot be read: ENOTDIR/)]);
  });
});

describe('the events', () => {
  beforeEach(async () => {
    const journal = open();
    for (let number = 0; number < 120; number++) {
      const type = number % 2 === 0 ? 'step' : 'failed';
      await journal.append({ cluster: number < 60 ? 'shop' : 'blog', by: 'daemon', type, message: `m${number}` });
    }
  });

  const shown = async (clusters: readonly string[], flags: Partial<EventsFlags>): Promise<readonly string[]> =>
    (await run(clusters, flags)).out.map((line) => line.split(/ +/).at(-1) ?? '');

  it('are the last hundred, and it says that there are more', async () => {
    const { out, notes } = await run();
    expect(out).toHaveLength(100);
    expect(out.at(-1)).toContain('m119');
    expect(notes).toEqual(['the last 100; there are more, see --limit']);
  });

  it('are as many as --limit says', async () => {
    expect(await shown([], { limit: 2 })).toEqual(['m118', 'm119']);
    expect(await run([], { limit: 120 })).toMatchObject({ notes: [] });
  });

  it('are of the named clusters and types', async () => {
    expect(await shown(['shop'], { limit: 2, type: ['step'] })).toEqual(['m56', 'm58']);
    expect(await shown(['shop', 'blog'], { limit: 2, type: ['step,failed'] })).toEqual(['m118', 'm119']);
  });

  it('are of the types there are, and a slip gets a hint', async () => {
    const { code, out, notes } = await run([], { type: ['step', 'step-faild'] });
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(notes).toEqual([
      expect.stringMatching(
        /^error: --type "step-faild": did you mean "step-failed"\? there are started, .*restart-held$/,
      ),
    ]);
  });
});

describe('--since', () => {
  /** Entries of ten days, ten minutes and one second ago. */
  beforeEach(async () => {
    const journal = open();
    const today = Date.now();
    for (const [message, seconds] of [
      ['days', 864_000],
      ['minutes', 600],
      ['now', 1],
    ] as const) {
      now = new Date(today - seconds * 1000);
      await journal.append({ cluster: 'shop', by: 'daemon', type: 'step', message });
    }
  });

  const shownSince = async (since: string): Promise<readonly string[]> =>
    (await run([], { since })).out.map((line) => line.split(/ +/).at(-1) ?? '');

  it.each([
    ['30d', ['days', 'minutes', 'now']],
    ['2h', ['minutes', 'now']],
    ['15m', ['minutes', 'now']],
    ['500s', ['now']],
  ])('%s is a time ago', async (since, expected) => {
    expect(await shownSince(since)).toEqual(expected);
  });

  it('is a time as it is shown, or with a zone', async () => {
    const minutes = new Date(Date.now() - 900_000);
    const local = new Date(minutes.getTime() - minutes.getTimezoneOffset() * 60_000).toISOString();
    expect(await shownSince(minutes.toISOString())).toEqual(['minutes', 'now']);
    expect(await shownSince(minutes.toISOString().replace('Z', '+00:00'))).toEqual(['minutes', 'now']);
    expect(await shownSince(local.slice(0, 19))).toEqual(['minutes', 'now']);
    expect(await shownSince(local.slice(0, 19).replace('T', ' '))).toEqual(['minutes', 'now']);
    expect(await shownSince('2000-01-01')).toEqual(['days', 'minutes', 'now']);
  });

  it.each(['', 'yesterday', '10', '10 m', '-5m', '1w', '2026-13-01', '2026-11-23T25:00', '23.11.2026'])(
    '%j is refused, with what is accepted',
    async (since) => {
      const { code, out, notes } = await run([], { since });
      expect({ code, out }).toEqual({ code: 1, out: [] });
      expect(notes).toEqual([
        `error: --since ${JSON.stringify(since)}: expected a time ago (90s, 10m, 2h, 3d) or a date and time (2026-11-23, 2026-11-23T13:45, 2026-11-23T12:45:02Z)`,
      ]);
    },
  );
});

describe('--follow', () => {
  it('goes on until Ctrl-C, and ends with success', async () => {
    const journal = open();
    for (let number = 0; number < 20; number++) await journal.append({ ...start, message: `m${number}` });
    const { out, notes, output } = createRun();
    const interrupt = new AbortController();
    const flags: EventsFlags = { format: 'text', color: false, stateDir: dir, follow: true };
    const ended = events(['shop'], flags, output, interrupt.signal);
    await until(
      'the last ten',
      () => out.length,
      (length) => length === 10,
    );
    await journal.append({ ...start, cluster: 'blog' });
    await journal.append({ ...start, message: 'late' });
    await until(
      'the new one',
      () => out.length,
      (length) => length === 11,
    );
    interrupt.abort();
    expect(await ended).toBe(0);
    expect(out.at(-1)).toContain('late');
    expect(notes).toEqual([]);
  });

  it('says that there is nothing yet, and waits for it', async () => {
    const { out, notes, output } = createRun({ format: 'json' });
    const interrupt = new AbortController();
    const flags: EventsFlags = { format: 'json', color: false, stateDir: dir, follow: true };
    const ended = events([], flags, output, interrupt.signal);
    await until(
      'the note',
      () => notes.length,
      (length) => length > 0,
    );
    expect(notes).toEqual([`nothing in the journal yet (looking in ${dir})`]);
    await open().append(start);
    await until(
      'the event',
      () => out.length,
      (length) => length === 1,
    );
    interrupt.abort();
    expect(await ended).toBe(0);
  });

  it('shows all since a time', async () => {
    now = new Date();
    const journal = open();
    for (let number = 0; number < 200; number++) await journal.append({ ...start, message: `m${number}` });
    const { out, output } = createRun();
    const flags: EventsFlags = { format: 'text', color: false, stateDir: dir, follow: true, since: '1h' };
    expect(await events([], flags, output, AbortSignal.abort())).toBe(0);
    expect(out).toHaveLength(200);
  });
});
