import { constants } from 'node:fs';
import { mkdir, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { currentPath, endsLine, listRotated, rotatedPath, toFileId, unlessCode, type FileId } from './journal-files.ts';

export type Bounds = {
  /** Of one file. */
  readonly maxBytes: number;
  /** How many files, the current one included. */
  readonly keep: number;
};

/**
 * Adds a line at the end of the journal. The file is found by its name each time, because another process may have
 * rotated it; a line that goes to a file just rotated away is read from there.
 */
export async function appendLine(dir: string, line: string, bounds: Bounds): Promise<void> {
  await makeRoom(dir, Buffer.byteLength(line), bounds);
  const file = await openCurrent(dir);
  try {
    const bytes = Buffer.from((await endsLine(file)) ? line : `\n${line}`);
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten < bytes.length) throw new Error(`${currentPath(dir)}: no space for a whole line`);
  } finally {
    await file.close();
  }
}

async function openCurrent(dir: string): Promise<FileHandle> {
  const { O_APPEND, O_CREAT, O_RDWR } = constants;
  const tryOpen = (): Promise<FileHandle> => open(currentPath(dir), O_APPEND | O_CREAT | O_RDWR, 0o600);
  const file = await unlessCode(['ENOENT'], tryOpen());
  if (file !== undefined) return file;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return tryOpen();
}

async function makeRoom(dir: string, bytes: number, { maxBytes, keep }: Bounds): Promise<void> {
  const current = await identifyCurrent(dir);
  if (current === undefined || current.size === 0 || current.size + bytes <= maxBytes) return;
  await rotate(dir, current.id, keep);
}

/**
 * Moves the full file to the next number, and removes the oldest ones. Without a lock that a killed process would leave
 * behind: whoever makes the empty file of that number owns the number, and is alone to rename onto it. Of two at once,
 * one finds the number taken or the full file gone, and leaves it at that.
 */
async function rotate(dir: string, full: FileId, keep: number): Promise<void> {
  const number = ((await listRotated(dir)).at(-1) ?? 0) + 1;
  const target = rotatedPath(dir, number);
  const owned = await unlessCode(['EEXIST'], open(target, 'wx', 0o600));
  if (owned === undefined) return;
  await owned.close();
  let isMoved = false;
  try {
    // If the file is replaced just here, a short one is rotated away; nothing is overwritten.
    isMoved = (await identifyCurrent(dir))?.id === full && (await moves(currentPath(dir), target));
  } finally {
    if (!isMoved) await unlessCode(['ENOENT'], unlink(target));
  }
  if (isMoved) await prune(dir, number - keep + 1);
}

/** Removes the rotated files up to a number. */
async function prune(dir: string, last: number): Promise<void> {
  for (const number of await listRotated(dir)) {
    if (number <= last) await unlessCode(['ENOENT'], unlink(rotatedPath(dir, number)));
  }
}

/** Whether there was something to rename. */
async function moves(from: string, to: string): Promise<boolean> {
  const renamed = rename(from, to).then(() => true);
  return (await unlessCode(['ENOENT'], renamed)) ?? false;
}

/** Which file is the current one, and how large it is; undefined where there is none. */
async function identifyCurrent(dir: string): Promise<{ readonly id: FileId; readonly size: number } | undefined> {
  const file = await unlessCode(['ENOENT'], stat(currentPath(dir), { bigint: true }));
  return file === undefined ? undefined : { id: toFileId(file), size: Number(file.size) };
}
