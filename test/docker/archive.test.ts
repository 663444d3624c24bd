import fc from 'fast-check';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { expect, it } from 'vitest';
import { packArchive, unpackArchive } from '../../src/docker/archive.ts';

const names = fc.stringMatching(/^[a-z0-9._-]{1,60}$/).filter((name) => name !== '.' && name !== '..');

it('files come out of an archive as they went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(names, fc.string({ unit: 'grapheme' })), async (files) => {
      const entries = Object.entries(files).map(([path, content]) => ({
        type: 'file' as const,
        path: `folder/${path}`,
        content,
        mode: 0o600,
      }));
      const unpacked = await unpackArchive(Readable.from(await packArchive(entries, 999)));
      expect(Object.fromEntries(unpacked)).toEqual(
        Object.fromEntries(entries.map(({ path, content }) => [path, content])),
      );
    }),
    { numRuns: 30 },
  );
});

it('an archive says who owns what, with which rights, and the same every time', async () => {
  const entries = [
    { type: 'directory', path: 'pgherd', mode: 0o700 },
    { type: 'file', path: 'pgherd/start', content: '#!/bin/sh\n', mode: 0o700 },
    { type: 'link', path: 'pgherd/config', target: 'rev.1' },
  ] as const;
  const tar = await packArchive(entries, 70);
  expect(await packArchive(entries, 70)).toEqual(tar);
  const headers: unknown[] = [];
  for await (const entry of Readable.from(tar).pipe(extract())) {
    const { name, type, mode, uid, gid, linkname } = entry.header;
    headers.push({ name: name.replace(/\/$/, ''), type, mode, uid, gid, linkname });
    await buffer(entry);
  }
  const owner = { uid: 70, gid: 70 };
  expect(headers).toEqual([
    { name: 'pgherd', type: 'directory', mode: 0o700, ...owner, linkname: null },
    { name: 'pgherd/start', type: 'file', mode: 0o700, ...owner, linkname: null },
    { name: 'pgherd/config', type: 'symlink', mode: 0o777, ...owner, linkname: 'rev.1' },
  ]);
});
