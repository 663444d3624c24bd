import { readdirSync, readFileSync } from 'node:fs';

/** A process of a container, as this host numbers it. */
export type ContainerProcess = {
  readonly pid: number;
  /** Id of its container. */
  readonly container: string;
  /** What it was started with, or calls itself. */
  readonly command: readonly string[];
};

/** Those processes that are in one of the containers (ids) now. Synchronous: in the meantime they would be others. */
export function listProcesses(containers: readonly string[]): readonly ContainerProcess[] {
  return listPids().flatMap((pid) => {
    const found = inspectProcess(pid, containers);
    return found === undefined ? [] : [found];
  });
}

export function listPids(): readonly number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** Undefined where it has ended, or is in none of them. */
export function inspectProcess(pid: number, containers: readonly string[]): ContainerProcess | undefined {
  const groups = read(`/proc/${pid}/cgroup`);
  const container = containers.find((id) => groups.includes(id));
  if (container === undefined) return undefined;
  return { pid, container, command: splitCommand(read(`/proc/${pid}/cmdline`)) };
}

/** A server's processes call themselves `postgres: …`, in one word; its first one has been started with arguments. */
export function isOfServer({ command }: Pick<ContainerProcess, 'command'>): boolean {
  const [program = ''] = command;
  return program === 'postgres' || program.startsWith('postgres: ');
}

export function splitCommand(text: string): readonly string[] {
  return text.replace(/\0+$/, '').split('\0');
}

/** A process and all that it has started, itself first. */
export function listFamily(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(listFamily)];
}

/** Of a process that has ended by now there is nothing left to signal. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
