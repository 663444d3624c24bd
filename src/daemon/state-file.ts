import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Condition } from './conditions.ts';
import { parseJson } from '../base/json.ts';

/** What a daemon says of a cluster, for `status`. */
export type DaemonState = {
  readonly cluster: string;
  readonly host: string;
  readonly pid: number;
  /** When the process began, in ticks since boot, which tells two of one number apart; absent where nobody says. */
  readonly began?: string;
  /** ISO 8601. */
  readonly writtenAt: string;
  readonly conditions: readonly Condition[];
};

/** Writes what the daemon knows of a cluster. It can be done without, so a failure is none. */
export async function writeConditions(dir: string, cluster: string, conditions: readonly Condition[]): Promise<void> {
  const state: DaemonState = {
    cluster,
    host: hostname(),
    pid: process.pid,
    ...(await findBegin(process.pid)),
    writtenAt: new Date().toISOString(),
    conditions,
  };
  const path = statePath(dir, cluster);
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(join(dir, 'clusters'), { recursive: true, mode: 0o700 });
    await writeFile(draft, `${JSON.stringify(state)}\n`, { mode: 0o600 });
    await rename(draft, path);
  } catch {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

/** What a daemon of this host that still runs says of a cluster; undefined where there is none. */
export async function readConditions(dir: string, cluster: string): Promise<DaemonState | undefined> {
  const text = await readFile(statePath(dir, cluster), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const state: unknown = parseJson(text);
  if (!isState(state) || state.host !== hostname() || !isAlive(state.pid)) return undefined;
  const { began } = await findBegin(state.pid);
  return state.began === undefined || state.began === began ? state : undefined;
}

function statePath(dir: string, cluster: string): string {
  return join(dir, 'clusters', `${cluster}.json`);
}

function isState(value: unknown): value is DaemonState {
  return (
    value !== null &&
    typeof value === 'object' &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'host' in value &&
    'conditions' in value &&
    Array.isArray(value.conditions)
  );
}

// Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 22; the name before it may hold spaces.
async function findBegin(pid: number): Promise<{ readonly began?: string }> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return began === undefined ? {} : { began };
}

// Of another user's process the kernel says that it may not be asked: it is there.
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
