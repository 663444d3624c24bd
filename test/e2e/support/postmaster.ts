import { readdir, readFile } from 'node:fs/promises';
import { docker } from './engine.ts';

/** A process of a container: its number here, and the container's id. */
export type Process = { readonly pid: number; readonly container: string };

/**
 * The server's own process. The engine's word for its number would be another where the engine has processes of its own,
 * so it is looked for: it is in the container's control group, and was started as the script of a node does it.
 */
export async function findPostmaster(name: string): Promise<Process> {
  const container = await docker('inspect', '--format', '{{.Id}}', name);
  for (const entry of await readdir('/proc')) {
    const found = { pid: Number(entry), container };
    if (Number.isInteger(found.pid) && (await isPostmaster(found.pid)) && (await isThere(found))) return found;
  }
  throw new Error(`no server runs in ${name}`);
}

/** Whether it has not ended. */
export async function isThere({ pid, container }: Process): Promise<boolean> {
  const groups = await readFile(`/proc/${String(pid)}/cgroup`, 'utf8').catch(() => '');
  return groups.includes(container);
}

// Its children call themselves `postgres: …`.
async function isPostmaster(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '');
  return command.startsWith('postgres\0-D\0');
}
