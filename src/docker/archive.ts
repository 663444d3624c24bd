import { extract, pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { ArchiveEntry } from '../base/archive.ts';

const epoch = new Date(0);

/** A tar of the entries, all owned by `owner` (numeric user and group). */
export async function packArchive(entries: readonly ArchiveEntry[], owner: number): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    const common = { name: entry.path, uid: owner, gid: owner, mtime: epoch };
    if (entry.type === 'file') tar.entry({ ...common, mode: entry.mode }, entry.content);
    else if (entry.type === 'directory') tar.entry({ ...common, type: 'directory', mode: entry.mode });
    else tar.entry({ ...common, type: 'symlink', linkname: entry.target, mode: 0o777 });
  }
  tar.finalize();
  return buffer(tar);
}

/** The regular files of a tar, by the path inside it. */
export async function unpackArchive(stream: Readable): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const tar = extract();
  stream.on('error', (error: Error) => tar.destroy(error));
  stream.pipe(tar);
  for await (const entry of tar) {
    const content = await buffer(entry);
    if (entry.header.type === 'file') files.set(entry.header.name, content.toString('utf8'));
  }
  return files;
}
