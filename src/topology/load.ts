import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describeClash, findClashes, listClaims, type Claim } from './claims.ts';
import { createFileDiagnostic, findPosition, sortDiagnostics, type Diagnostic } from './diagnostic.ts';
import { limits } from './document.ts';
import { checkFiles } from './files.ts';
import type { Environment } from './interpolate.ts';
import type { Topology } from './model.ts';
import { locate, readTopology, type Parsed } from './parse.ts';
import { formatPath } from './path.ts';
import { locatePath } from './tree.ts';

export { formatDiagnostic } from './format.ts';
export { parseTopology } from './parse.ts';
export type { Diagnostic } from './diagnostic.ts';

type FileStatus = { isFile(): boolean; isDirectory(): boolean; readonly size: number; readonly mtimeMs: number };

/** The world that a topology is loaded from. */
export type LoadDeps = {
  readonly readFile: (path: string) => Promise<Uint8Array>;
  readonly stat: (path: string) => Promise<FileStatus>;
  readonly readdir: (path: string) => Promise<readonly string[]>;
  readonly env: Environment;
  readonly cwd: string;
};

export type LoadResult = {
  topologies: Topology[];
  diagnostics: Diagnostic[];
  /** Clusters that several files describe: none of them is given, as nobody knows which one is meant. */
  contested?: { cluster: string; files: string[] }[];
};

/** What is loaded where no path is given: the first of these in the working directory. */
export const usualPaths: readonly string[] = ['topology.yaml', 'topology.yml', 'topology.json', 'topologies'];

/** Whether a file of this name in a directory is taken for a topology. */
export function isTopologyName(name: string): boolean {
  return /^[^.].*\.(yaml|yml|json)$/.test(name);
}

/** The real files, environment and working directory. */
export function createLoadDeps(): LoadDeps {
  return {
    readFile: (path) => readFile(path),
    stat: (path) => stat(path),
    readdir: (path) => readdir(path),
    env: process.env,
    cwd: process.cwd(),
  };
}

/**
 * Loads files, and directories of files; with no path, what stands in the working directory under the usual names.
 * What is wrong comes back as diagnostics, all at once; only topologies without an error are given.
 */
export async function loadTopologies(paths: readonly string[], deps: LoadDeps = createLoadDeps()): Promise<LoadResult> {
  const found = await findFiles(paths, deps);
  const parsed = await Promise.all(found.files.map((file) => readOne(file, deps)));
  const together = [...parsed.flatMap((one) => one.diagnostics), ...checkTogether(parsed)];
  const diagnostics = [...found.diagnostics, ...sortDiagnostics(together)];
  const broken = new Set(diagnostics.filter(({ severity }) => severity === 'error').map(({ file }) => file));
  const all = parsed.flatMap(({ content }) => (content === undefined ? [] : [content.resolved.topology]));
  const contested = findContested(all);
  const topologies = all.filter(
    ({ file, cluster }) => !broken.has(file) && !contested.some((contest) => contest.cluster === cluster),
  );
  return { topologies, diagnostics, ...(contested.length === 0 ? {} : { contested }) };
}

function findContested(topologies: readonly Topology[]): { cluster: string; files: string[] }[] {
  const files = new Map<string, string[]>();
  for (const { cluster, file } of topologies) files.set(cluster, [...(files.get(cluster) ?? []), file]);
  return [...files].flatMap(([cluster, by]) => (by.length > 1 ? [{ cluster, files: by }] : []));
}

type Found = { files: string[]; diagnostics: Diagnostic[] };

async function findFiles(paths: readonly string[], deps: LoadDeps): Promise<Found> {
  const given = paths.length > 0 ? paths : await findUsual(deps);
  if (given.length === 0) {
    const hint = 'give a path, or write a topology.yaml';
    return {
      files: [],
      diagnostics: [
        createFileDiagnostic('.', 'no-file', 'no topology.yaml, topology.yml, topology.json or topologies/ here', hint),
      ],
    };
  }
  const found: Found = { files: [], diagnostics: [] };
  const seen = new Set<string>();
  for (const path of given) {
    const { files, diagnostics } = await expandPath(path, deps);
    found.diagnostics.push(...diagnostics);
    for (const file of files) {
      // the same file by two ways is one file
      if (!seen.has(resolve(deps.cwd, file))) found.files.push(file);
      seen.add(resolve(deps.cwd, file));
    }
  }
  return found;
}

async function findUsual(deps: LoadDeps): Promise<string[]> {
  for (const name of usualPaths) {
    const exists = await deps.stat(resolve(deps.cwd, name)).then(
      () => true,
      () => false,
    );
    if (exists) return [name];
  }
  return [];
}

async function expandPath(path: string, deps: LoadDeps): Promise<Found> {
  try {
    const absolute = resolve(deps.cwd, path);
    if (!(await deps.stat(absolute)).isDirectory()) return { files: [path], diagnostics: [] };
    const names = (await deps.readdir(absolute)).filter(isTopologyName).toSorted();
    if (names.length > 0) return { files: names.map((name) => join(path, name)), diagnostics: [] };
    const hint = 'put a .yaml, .yml or .json file for each cluster there';
    return { files: [], diagnostics: [createFileDiagnostic(path, 'no-file', 'the directory holds no topology', hint)] };
  } catch (error) {
    return { files: [], diagnostics: [describeReadError(path, error)] };
  }
}

async function readOne(file: string, deps: LoadDeps): Promise<Parsed> {
  const fail = (diagnostic: Diagnostic): Parsed => ({
    source: { file, text: '', lineStarts: [0] },
    diagnostics: [diagnostic],
  });
  let bytes: Uint8Array;
  try {
    const path = resolve(deps.cwd, file);
    const status = await deps.stat(path);
    if (!status.isFile())
      return fail(createFileDiagnostic(file, 'unreadable', 'not a regular file', 'give a file or a directory'));
    if (status.size > limits.bytes) return fail(describeTooLarge(file));
    const read = await readWhole(path, status, deps);
    if (read === undefined)
      return fail(createFileDiagnostic(file, 'changing', 'the file changes while it is read', 'try again'));
    bytes = read;
  } catch (error) {
    return fail(describeReadError(file, error));
  }
  if (bytes.length > limits.bytes) return fail(describeTooLarge(file));
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    const hint = 'save the file as UTF-8';
    return fail({
      ...createFileDiagnostic(file, 'encoding', 'not UTF-8 text', hint),
      line: findBadLine(bytes),
      column: 1,
    });
  }
  const parsed = readTopology(text, file, deps.env, deps.cwd);
  if (parsed.content === undefined) return parsed;
  const { tree } = parsed.content;
  const issues = await checkFiles(parsed.content, deps);
  const more = issues.map((issue) => locate(parsed.source, tree, issue));
  return { ...parsed, diagnostics: sortDiagnostics([...parsed.diagnostics, ...more]) };
}

/** The bytes of a file that stood still meanwhile: an editor may be in the middle of writing it. */
async function readWhole(path: string, status: FileStatus, deps: LoadDeps): Promise<Uint8Array | undefined> {
  let before = status;
  for (let attempt = 0; attempt < 5; attempt++) {
    const bytes = await deps.readFile(path);
    const after = await deps.stat(path);
    if (after.size === before.size && after.mtimeMs === before.mtimeMs) return bytes;
    before = after;
  }
  return undefined;
}

/** What two files claim both. Files of one cluster clash in everything: that is said once. */
function checkTogether(files: readonly Parsed[]): Diagnostic[] {
  const claims = files.flatMap((parsed) => {
    if (parsed.content === undefined) return [];
    return listClaims(parsed.content.resolved).map((claim): Claim & { parsed: Parsed } => ({ ...claim, parsed }));
  });
  const clashes = findClashes(claims).filter(({ first, second }) => first.parsed !== second.parsed);
  const same = new Set(clashes.filter(({ second }) => second.kind === 'cluster').map(({ second }) => second.parsed));
  return clashes.flatMap(({ first, second }) => {
    if (second.kind !== 'cluster' && same.has(second.parsed)) return [];
    const issue = describeClash({ first, second }, describePlace(first));
    return second.parsed.content === undefined ? [] : [locate(second.parsed.source, second.parsed.content.tree, issue)];
  });
}

function describePlace({ parsed: { source, content }, path }: Claim & { parsed: Parsed }): string {
  if (content === undefined) return source.file;
  const { line } = findPosition(source, locatePath(content.tree, path, 'value').start);
  return `${formatPath(path)} of ${source.file}:${line}`;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The first line that is not UTF-8; a newline is one byte in it, whatever surrounds it. */
function findBadLine(bytes: Uint8Array): number {
  for (let line = 1, start = 0; ; line++) {
    const newline = bytes.indexOf(0x0a, start);
    if (decodeUtf8(bytes.subarray(start, newline === -1 ? bytes.length : newline)) === undefined || newline === -1)
      return line;
    start = newline + 1;
  }
}

function describeTooLarge(file: string): Diagnostic {
  return createFileDiagnostic(
    file,
    'too-large',
    `larger than ${limits.bytes / 2 ** 20} MiB`,
    'one cluster a file: is this the right one?',
  );
}

function describeReadError(file: string, error: unknown): Diagnostic {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const missing = `check the path${basename(file).includes('.') ? '' : ', and its ending'}`;
  if (code === 'ENOENT') return createFileDiagnostic(file, 'no-file', 'no such file or directory', missing);
  const known: Readonly<Record<string, [string, string]>> = {
    EACCES: ['permission denied', 'make it readable for this user'],
    ELOOP: ['a chain of links without end', 'check the links'],
  };
  const [message, hint] = known[code] ?? [`cannot be read (${code})`, 'check the file'];
  return createFileDiagnostic(file, 'unreadable', message, hint);
}
