import { describe, expect, it } from 'vitest';
import { isOfServer, listFamily, splitCommand } from './processes.ts';
import { scriptOf } from './script-watch.ts';

describe('a script of a node is known by its shell', () => {
  it.each([
    [['sh', '/var/lib/postgresql/data/pgherd/config/detach', '30'], 'detach'],
    [['sh', '/var/lib/postgresql/pgherd/rev.1a2b.3c4d/promote', 'pgherd_1'], 'promote'],
    [['/bin/sh', '/var/lib/postgresql/data/pgherd/config/caught-up', '120', 'a'], 'caught-up'],
    [['sh', '/var/lib/postgresql/data/pgherd/config/heartbeat'], undefined],
    [['psql', '/var/lib/postgresql/data/pgherd/config/detach'], undefined],
    [['sh', '-c', 'detach'], undefined],
    [[], undefined],
  ])('%j', (command, expected) => {
    expect(scriptOf(command)).toBe(expected);
  });
});

describe('a process of a server is known by its command', () => {
  it.each([
    ['postgres\0-D\0/data\0', true],
    ['postgres: lb1-primary: checkpointer \0\0\0', true],
    ['psql\0-U\0postgres\0', false],
    ['', false],
  ])('%j', (text, expected) => {
    expect(isOfServer({ command: splitCommand(text) })).toBe(expected);
  });
});

it('is of its own family, and so are those that it has started', () => {
  expect(listFamily(process.pid)[0]).toBe(process.pid);
  expect(listFamily(process.ppid)).toContain(process.pid);
});
