import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { docker, dockerResult } from '../e2e/support/engine.ts';
import type { Controller, Stage } from './stage.ts';

/** A part of what there is to know of a cluster. */
export type Exhibit = { readonly name: string; readonly text: string };

/** What there is to know of a cluster: the logs of daemons and servers, and what commands say. None of it throws. */
export async function collectExhibits(stage: Stage, controllers: readonly Controller[]): Promise<readonly Exhibit[]> {
  const { name, file } = stage.cluster;
  const stateDirs = new Set(controllers.map(({ stateDir }) => stateDir));
  const tell = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await stage.tell(args);
    return stdout + stderr;
  };
  const parts: readonly (readonly [string, () => Promise<string>])[] = [
    ['docker-ps', () => docker('ps', '--all', '--filter', `label=pgherd.cluster=${name}`)],
    ['status', () => tell('status', file)],
    ['plan', () => tell('plan', file)],
    ['volumes', () => tell('volumes', file)],
    ...[...stateDirs].map(
      (folder, index) =>
        [`events-${index + 1}`, () => tell('events', '--state-dir', folder, '--limit', '400')] as const,
    ),
    ...stage.nodes.map(({ name: node, container }) => [`facts-${node}`, () => readFacts(container)] as const),
    ...stage.nodes.map(({ name: node, container }) => [`server-${node}.log`, () => readLog(container)] as const),
    ['balancer.log', () => readLog(`${name}-${stage.group}`)],
    ...controllers.map(
      ({ daemon: { running } }, index) =>
        [
          `daemon-${index + 1}-pid-${String(running.child.pid)}.log`,
          () => Promise.resolve(`${running.stdout()}${running.stderr()}`),
        ] as const,
    ),
  ];
  return Promise.all(
    parts.map(async ([title, read]) => ({
      name: title,
      text: (await read().catch((error: unknown) => String(error))).trimEnd(),
    })),
  );
}

/** For a terminal: the end of each. */
export function formatExhibits(exhibits: readonly Exhibit[], lines = 40): string {
  return exhibits.map(({ name, text }) => `--- ${name}\n${text.split('\n').slice(-lines).join('\n')}\n`).join('');
}

/** Writes each into a file of its own. */
export async function saveExhibits(directory: string, exhibits: readonly Exhibit[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await Promise.all(exhibits.map(({ name, text }) => writeFile(join(directory, name), `${text}\n`)));
}

async function readLog(container: string): Promise<string> {
  const { stdout, stderr } = await dockerResult(['logs', '--timestamps', '--tail', '3000', container]);
  return [...stdout.split('\n'), ...stderr.split('\n')].toSorted().join('\n');
}

/** The links in its volume, also of one that does not run; where the engine is on another host there is nothing to read. */
async function readFacts(container: string): Promise<string> {
  const mounts = await docker('inspect', '--format', '{{range .Mounts}}{{println .Source}}{{end}}', container);
  const folders = mounts.split('\n').filter((source) => source !== '');
  const lines = await Promise.all(folders.map(readLinks));
  return lines.flat().join('\n');
}

async function readLinks(volume: string): Promise<readonly string[]> {
  const home = join(volume, 'pgherd');
  const entries = await readdir(home, { recursive: true, withFileTypes: true }).catch(() => []);
  return Promise.all(
    entries
      .toSorted((a, b) => a.name.localeCompare(b.name))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const target = entry.isSymbolicLink() ? ` -> ${await readlink(path)}` : '';
        return `${path.slice(home.length + 1)}${target}`;
      }),
  );
}
