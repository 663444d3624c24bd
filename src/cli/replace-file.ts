import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, PgherdError } from '../base/error.ts';

/**
 * Replaces a file's content at once: whoever reads it finds the old one or the new one. A link stays, what it points at
 * is replaced; owner and mode stay. Refused where the content is no longer `before`.
 */
export async function replaceFile(path: string, before: Uint8Array, after: Uint8Array): Promise<void> {
  try {
    const target = await realpath(path);
    // a rename would not ask whether the file may be written
    await access(target, constants.W_OK);
    if ((await stat(target)).nlink > 1) {
      throw new PgherdError('edit-refused', `${path} has other names, hard links, which would keep the old content`, {
        remedy: 'make symbolic links of them, or edit the file by hand',
      });
    }
    const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}.tmp`);
    try {
      await writeLike(target, temporary, after);
      if (!Buffer.from(before).equals(await readFile(target))) {
        throw new PgherdError('edit-refused', `${path} has been changed by someone else meanwhile`, {
          remedy: 'run the command again',
          retry: true,
        });
      }
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
  } catch (error) {
    if (error instanceof PgherdError) throw error;
    const isFull = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
    throw new PgherdError('edit-refused', `${path} cannot be replaced, and is as it was: ${messageOf(error)}`, {
      cause: error,
      remedy: isFull
        ? 'free space on the disk of the file, and run the command again'
        : 'run this as the owner of the file, who may write to its folder, or edit the file by hand',
    });
  }
}

async function writeLike(model: string, path: string, content: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await stat(model);
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    const own = await handle.stat();
    if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
    await handle.chmod(mode & 0o7777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
