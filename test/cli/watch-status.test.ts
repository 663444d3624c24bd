import { describe, expect, it } from 'vitest';
import { forTerminal } from '../../src/cli/neutral.ts';
import { painter } from '../../src/cli/output.ts';
import { fitScreen, printer, watchStatus, type Look } from '../../src/cli/watch-status.ts';
import { widthOf } from '../../src/cli/text-width.ts';
import { recordOutput } from './recorder.ts';

function lookOf(text: string, state = text, problems: readonly string[] = []): Look {
  return { text, state, problems };
}

describe('a status that is watched', () => {
  it('is looked at until it is called off, also in the midst of a look', async () => {
    const controller = new AbortController();
    const shown: string[] = [];
    let looks = 0;
    const look = (): Promise<Look> => {
      looks += 1;
      if (looks < 3) return Promise.resolve(lookOf(`look ${looks}`));
      controller.abort();
      return new Promise(() => undefined);
    };
    await watchStatus(look, ({ text }) => shown.push(text), 0, controller.signal);
    expect(shown).toEqual(['look 1', 'look 2']);
  });

  it('is printed where it is no terminal, whenever something has changed', () => {
    const { output, printed } = recordOutput();
    const show = printer(output);
    for (const [text, state] of [
      ['up 1s', 'up'],
      ['up 2s', 'up'],
      ['down', 'down'],
      ['up 1s', 'up'],
    ] as const) {
      show(lookOf(text, state));
    }
    expect(printed).toEqual(['up 1s', 'down', 'up 1s']);
  });

  it('goes on while the engine does not answer: that is said once, and nothing printed until something is new', () => {
    const { output, printed, noted } = recordOutput();
    const show = printer(output);
    const down = lookOf('', '', ['error: no engine']);
    for (const each of [lookOf('up'), down, down, lookOf('up'), down]) show(each);
    expect(printed).toEqual(['up']);
    expect(noted).toEqual(['error: no engine', 'error: no engine']);
  });
});

describe('lines on a screen', () => {
  const lines = ['one', 'two', 'three', 'four', 'the foot'];

  it('are all of them where there is room for them and the cursor', () => {
    expect(fitScreen(lines, { columns: 80, rows: 6 }, '…')).toEqual(lines);
  });

  it('say how many there is no room for, and end with the last', () => {
    expect(fitScreen(lines, { columns: 80, rows: 5 }, '…')).toEqual(['one', 'two', '… 2 more lines', 'the foot']);
    expect(fitScreen(lines, { columns: 80, rows: 3 }, '...')).toEqual(['... 4 more lines', 'the foot']);
    expect(fitScreen(lines, { columns: 80, rows: 1 }, '...')).toEqual(['the foot']);
  });

  it('are cut before the last column, painted or not', () => {
    const [plain, painted] = fitScreen(
      ['a long line of text', painter(true)('green', 'a long line of text')],
      { columns: 8, rows: 5 },
      '…',
    );
    expect(plain).toBe('a long…');
    expect(forTerminal(painted ?? '')).toBe('\u001b[32ma long…\u001b[0m');
    expect(widthOf(painted ?? '')).toBe(7);
  });
});
