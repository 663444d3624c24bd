import { describe, expect, it } from 'vitest';
import { readPasswords, type Passwords } from '../../src/reconcile/passwords.ts';
import { topologyOf } from './support.ts';

const missing = (): Promise<string> => Promise.reject(new Error('ENOENT'));

function read(source: string, env: Record<string, string> = {}, readFile = missing): Promise<Passwords> {
  const text = `cluster_name: shop\npostgres: { password: ${source} }\nbalancers: [{ name: lb1 }]\n`;
  return readPasswords(topologyOf(text), { env, readFile });
}

describe('a password', () => {
  it('that pgherd makes is not known', async () => {
    const passwords = await read('{ generate: true }');
    expect(passwords.of('lb1')).toBeUndefined();
    expect(passwords.fingerprints).toEqual({ lb1: undefined });
  });

  it('is read from a variable, or from a file less its last newline', async () => {
    expect((await read('{ env: PW }', { PW: 'open sesame' })).of('lb1')).toBe('open sesame');
    expect((await read('{ file: /pw }', {}, () => Promise.resolve('pencil\r\n'))).of('lb1')).toBe('pencil');
  });

  it('is known in plans by a fingerprint, which changes with it and does not tell it', async () => {
    const [one, other, again] = await Promise.all(
      ['a', 'b', 'a'].map(async (PW) => (await read('{ env: PW }', { PW })).fingerprints['lb1']),
    );
    expect(one).toMatch(/^[0-9a-f]{8}$/);
    expect(one).toBe(again);
    expect(one).not.toBe(other);
  });

  it.each([
    ['{ env: PW }', {}, 'the variable PW'],
    ['{ env: PW }', { PW: '' }, 'the variable PW'],
    ['{ env: PW }', { PW: 'two\nlines' }, 'the variable PW'],
    ['{ env: constructor }', {}, 'the variable constructor'],
    ['{ file: /nonesuch }', {}, 'the file /nonesuch'],
  ])('%s that is not there, empty or no line is asked for by name', async (source, env, where) => {
    await expect(read(source, env)).rejects.toMatchObject({
      code: 'secret-missing',
      message: `the password of group lb1 is not in ${where}`,
    });
  });
});
