import { link as linkFile, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { replaceFile } from '../../src/cli/replace-file.ts';

let directory: string;
let file: string;
let link: string;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgherd-replace-'));
  file = join(directory, 'real.yaml');
  link = join(directory, 'link.yaml');
  await writeFile(file, 'before', { mode: 0o640 });
  await symlink(file, link);
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

it('replaces what a link points at, and keeps the link and the mode', async () => {
  await replaceFile(link, bytes('before'), bytes('after'));
  expect(await readFile(file, 'utf8')).toBe('after');
  expect((await lstat(link)).isSymbolicLink()).toBe(true);
  expect((await stat(file)).mode & 0o777).toBe(0o640);
  expect(await readdir(directory)).toEqual(['link.yaml', 'real.yaml']);
});

it('leaves a file alone that is not what was read, and nothing beside it', async () => {
  await expect(replaceFile(file, bytes('older'), bytes('after'))).rejects.toMatchObject({ code: 'edit-refused' });
  expect(await readFile(file, 'utf8')).toBe('before');
  expect(await readdir(directory)).toEqual(['link.yaml', 'real.yaml']);
});

it('leaves a file alone that has another name, which would keep the old content', async () => {
  const other = join(directory, 'other.yaml');
  await linkFile(file, other);
  await expect(replaceFile(file, bytes('before'), bytes('after'))).rejects.toMatchObject({
    code: 'edit-refused',
    message: expect.stringContaining('hard links') as string,
  });
  expect([await readFile(file, 'utf8'), await readFile(other, 'utf8')]).toEqual(['before', 'before']);
});

it('says that a file cannot be replaced which is not there', async () => {
  await expect(replaceFile(join(directory, 'none.yaml'), bytes(''), bytes(''))).rejects.toMatchObject({
    code: 'edit-refused',
  });
});
