import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { findStateDir } from '../../src/daemon/state-dir.ts';

it('the state is where the flag says, before the environment', () => {
  expect(findStateDir('/flag', { XDG_STATE_HOME: '/xdg', HOME: '/home/a' })).toBe('/flag');
  expect(findStateDir('relative', {})).toBe(resolve('relative'));
});

it('the state is in XDG_STATE_HOME, where that is an absolute path', () => {
  expect(findStateDir(undefined, { XDG_STATE_HOME: '/xdg', HOME: '/home/a' })).toBe('/xdg/pgherd');
  for (const unusable of ['', 'relative', './relative']) {
    expect(findStateDir(undefined, { XDG_STATE_HOME: unusable, HOME: '/home/a' })).toBe('/home/a/.local/state/pgherd');
  }
});

it('the state is in the home folder else', () => {
  expect(findStateDir(undefined, { HOME: '/home/a' })).toBe('/home/a/.local/state/pgherd');
  expect(findStateDir('', { HOME: '' })).toBe(join(homedir(), '.local/state/pgherd'));
});
