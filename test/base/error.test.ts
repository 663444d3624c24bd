import { expect, it } from 'vitest';
import { hasCode, messageOf, PgherdError } from '../../src/base/error.ts';

it('a failure says what, why, what to do and whether to try again', () => {
  const cause = new Error('below');
  const failure = new PgherdError('port-taken', 'port 1 is taken', { cause, remedy: 'take another', retry: true });
  expect(failure).toMatchObject({
    name: 'PgherdError',
    code: 'port-taken',
    remedy: 'take another',
    retry: true,
    cause,
  });
  expect(new PgherdError('lock-lost', 'lost')).toMatchObject({ retry: false, remedy: 'run the command again' });
});

it('is known by its code, and nothing else is', () => {
  expect(hasCode(new PgherdError('lock-lost', ''), 'not-found', 'lock-lost')).toBe(true);
  expect(hasCode(new PgherdError('lock-lost', ''), 'not-found')).toBe(false);
  expect(hasCode(Object.assign(new Error(), { code: 'lock-lost' }), 'lock-lost')).toBe(false);
});

it.each([
  [new Error('why'), 'why'],
  ['text', 'text'],
  [undefined, 'undefined'],
])('anything that is thrown has a message', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
