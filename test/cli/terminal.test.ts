import { describe, expect, it } from 'vitest';
import { readSize, readTerminal } from '../../src/cli/terminal.ts';

const usual = { TERM: 'xterm-256color', LANG: 'en_GB.UTF-8' };

function read(env: Readonly<Record<string, string>>, settings: { tty?: boolean; color?: boolean } = {}) {
  const { tty = true, color = true } = settings;
  return readTerminal({ isTTY: tty }, { ...usual, ...env }, { color, platform: 'linux' });
}

describe('a terminal', () => {
  it('is live, in colour and Unicode', () => {
    expect(read({})).toEqual({ isTerminal: true, isLive: true, colour: true, unicode: true });
  });

  it.each([
    ['NO_COLOR', { NO_COLOR: '1' }, { isLive: true, colour: false }],
    ['NO_COLOR, whatever its value', { NO_COLOR: '0' }, { isLive: true, colour: false }],
    ['an empty NO_COLOR', { NO_COLOR: '' }, { colour: true }],
    ['TERM=dumb', { TERM: 'dumb' }, { isLive: false, colour: false }],
    ['no TERM', { TERM: '' }, { isLive: false, colour: false }],
    ['CI', { CI: 'true' }, { isLive: false, colour: true }],
    ['CI=false', { CI: 'false' }, { isLive: true }],
    ['LANG=C', { LANG: 'C' }, { isLive: true, unicode: false }],
    ['no locale', { LANG: '' }, { unicode: false }],
    ['LC_ALL before LANG', { LC_ALL: 'POSIX' }, { unicode: false }],
    ['C.utf8', { LC_ALL: 'C.utf8' }, { unicode: true }],
    ['the console of Linux', { TERM: 'linux' }, { isLive: true, unicode: false }],
  ])('by %s', (_, env, facts) => {
    expect(read(env)).toMatchObject(facts);
  });

  it('has no colours with --no-color, also where they are forced', () => {
    expect(read({ FORCE_COLOR: '1' }, { color: false }).colour).toBe(false);
  });
});

describe('what is no terminal', () => {
  it('is not live, and plain', () => {
    expect(read({}, { tty: false })).toEqual({ isTerminal: false, isLive: false, colour: false, unicode: false });
  });

  it('has colours where they are forced', () => {
    expect(read({ FORCE_COLOR: '1' }, { tty: false }).colour).toBe(true);
    expect(read({ FORCE_COLOR: '0' }, { tty: false }).colour).toBe(false);
  });
});

it('takes a terminal without a size for a usual one', () => {
  expect(readSize({ columns: 0, rows: 0 })).toEqual({ columns: 80, rows: 24 });
  expect(readSize({ columns: 132, rows: 50 })).toEqual({ columns: 132, rows: 50 });
});
