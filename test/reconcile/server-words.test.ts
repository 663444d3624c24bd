import { expect, it } from 'vitest';
import { codeOf } from '../../src/reconcile/kinds/inside-node.ts';

it.each([
  ['FATAL:  could not extend file "base/5/16384": No space left on device', 'no-space'],
  ['PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device', 'no-space'],
  ['FATAL:  could not map anonymous shared memory: Cannot allocate memory', 'no-memory'],
  ['FATAL:  could not open file "pg_wal/000000010000000000000001": Too many open files', 'no-memory'],
  ['FATAL:  unrecognized configuration parameter "shared_bufers"', 'node-failed'],
])('the last words of a server, %s: %s', (said, code) => {
  expect(codeOf(said)).toBe(code);
});
