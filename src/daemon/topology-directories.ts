import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { isTopologyName, usualPaths } from '../topology/load.ts';

/** A directory in which something matters. */
export type WatchedDirectory = {
  /** Without links. */
  readonly path: string;
  /** Another one at the same path has another identity. */
  readonly identity: string;
  /** Whether every file with the name of a topology matters. */
  readonly listed: boolean;
  /** What else matters in it, there or not: files, links, and what is to become a directory. */
  readonly names: readonly string[];
};

type Noted = { readonly identity: string; listed: boolean; readonly names: Set<string> };
type Trace = { readonly noted: Map<string, Noted>; links: number };

/** As many as Linux follows (path_resolution(7)). */
const maxLinks = 40;

/**
 * The directories in which a change may change what these paths stand for: those of the files, of each link on the way
 * to them, and where something is missing, the nearest that is there. With no path, those of the usual ones.
 */
export async function findDirectories(
  paths: readonly string[],
  cwd: string = process.cwd(),
): Promise<readonly WatchedDirectory[]> {
  const noted = new Map<string, Noted>();
  for (const path of paths.length > 0 ? paths : usualPaths) {
    const directory = await trace(resolve(cwd, path), { noted, links: 0 });
    if (directory !== undefined) await noteListed(directory, noted);
  }
  return [...noted]
    .map(([path, { identity, listed, names }]) => ({ path, identity, listed, names: [...names].toSorted() }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Notes a directory of topologies, and what the links in it stand for. */
async function noteListed(directory: string, noted: Map<string, Noted>): Promise<void> {
  const note = await noteDirectory(directory, noted);
  if (note === undefined) return;
  note.listed = true;
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isSymbolicLink() && isTopologyName(entry.name)) {
      await trace(join(directory, entry.name), { noted, links: 0 });
    }
  }
}

/** Walks an absolute path and notes what it depends on; gives the real path where it is a directory. */
async function trace(path: string, state: Trace): Promise<string | undefined> {
  const rest = splitPath(path);
  let current: string = sep;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      current = dirname(current);
      continue;
    }
    const entry = join(current, name);
    const status = await readStatus(entry);
    if (status?.isDirectory() === true) {
      current = entry;
      continue;
    }
    (await noteDirectory(current, state.noted))?.names.add(name);
    const target = status?.isSymbolicLink() === true ? await readlink(entry).catch(() => undefined) : undefined;
    state.links += 1;
    if (target === undefined || state.links > maxLinks) return undefined;
    rest.unshift(...splitPath(target));
    if (target.startsWith(sep)) current = sep;
  }
  return current;
}

function splitPath(path: string): string[] {
  return path.split(sep).filter((name) => name !== '' && name !== '.');
}

/** The note of a directory, made where there is none; nothing where the directory has just gone. */
async function noteDirectory(path: string, noted: Map<string, Noted>): Promise<Noted | undefined> {
  const known = noted.get(path);
  if (known !== undefined) return known;
  const status = await readStatus(path);
  if (status === undefined) return undefined;
  // The number of a removed directory is given to the next one soon; its time of birth is not.
  const note = {
    identity: `${status.dev}:${status.ino}:${status.birthtimeNs}`,
    listed: false,
    names: new Set<string>(),
  };
  noted.set(path, note);
  return note;
}

async function readStatus(path: string): Promise<BigIntStats | undefined> {
  return lstat(path, { bigint: true }).catch(() => undefined);
}
