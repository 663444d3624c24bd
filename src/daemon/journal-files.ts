import type { BigIntStats } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** Names one file whatever it is called, for as long as it is there or open. */
export type FileId = string;

export type OpenFile = { readonly id: FileId; readonly handle: FileHandle };

const newline = 0x0a;

/** The file that is written. */
export function currentPath(dir: string): string {
  return join(dir, 'journal.jsonl');
}

/** A file that was rotated away. Numbers grow and no file is renamed twice, so that rotations cannot overwrite one. */
export function rotatedPath(dir: string, number: number): string {
  return join(dir, `journal.${number}.jsonl`);
}

/** The numbers of the rotated files, oldest first. */
export async function listRotated(dir: string): Promise<readonly number[]> {
  const names = await unlessCode(['ENOENT'], readdir(dir));
  return (names ?? [])
    .flatMap((name) => /^journal\.([1-9]\d{0,14})\.jsonl$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The journal's files, open, oldest first, each once; closed by the caller. */
export async function openFiles(dir: string): Promise<readonly OpenFile[]> {
  const opened: OpenFile[] = [];
  try {
    // The current one first: if it is rotated away meanwhile, it is met again under its number, not missed.
    const current = await openFile(currentPath(dir));
    if (current !== undefined) opened.push(current);
    for (const number of await listRotated(dir)) {
      const file = await openFile(rotatedPath(dir, number));
      if (file !== undefined) opened.push(file);
    }
    if (current === undefined) return opened;
    const rotated = opened.slice(1);
    if (!rotated.some(({ id }) => id === current.id)) return [...rotated, current];
    await current.handle.close();
    return rotated;
  } catch (error) {
    await closeFiles(opened);
    throw error;
  }
}

export async function closeFiles(files: Iterable<OpenFile>): Promise<void> {
  for (const { handle } of files) await handle.close();
}

/** The whole lines from the offset on, and the offset after them; from the start where the file became shorter. */
export async function readLines(
  { handle }: OpenFile,
  offset: number,
): Promise<{ readonly lines: readonly string[]; readonly offset: number }> {
  const { size } = await handle.stat();
  const start = size < offset ? 0 : offset;
  const buffer = Buffer.alloc(size - start);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1;
  const text = buffer.toString('utf8', 0, end);
  return { lines: text === '' ? [] : text.slice(0, -1).split('\n'), offset: start + end };
}

/** Whether a new line may begin at the end of the file: a disk that was full may have cut the last one. */
export async function endsLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 0 || buffer[0] === newline;
}

export function toFileId({ dev, ino }: BigIntStats): FileId {
  return `${dev}:${ino}`;
}

/** What the promise gives, undefined where it fails with one of these codes. */
export async function unlessCode<T>(codes: readonly string[], promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isFileError(error) && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** Whether the file system refused, as against a mistake in here. */
export function isFileError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error;
}

async function openFile(path: string): Promise<OpenFile | undefined> {
  const handle = await unlessCode(['ENOENT'], open(path, 'r'));
  return handle === undefined ? undefined : { id: toFileId(await handle.stat({ bigint: true })), handle };
}
