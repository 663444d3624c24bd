import { randomBytes } from 'node:crypto';
import { PgherdError } from '../../base/error.ts';
import type { Console, OperatorCalls } from '../../docker/operator.ts';
import guardScript from './guard.sh';
import runScript from './run.sh';
import { connectStdio, type Stdio } from './stdio.ts';

export type Task = {
  /** Id or name of a container that runs. */
  readonly container: string;
  readonly command: readonly string[];
  readonly user?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly terminal: boolean;
  /** For psql: the folder of pgherd's in the node, and where a password is needed for. */
  readonly psql?: { readonly home: string; readonly through?: { readonly address: string; readonly port: number } };
};

/** Below /tmp, which is in memory in every container of pgherd's. */
function newFolder(): string {
  return `/tmp/pgherd-${randomBytes(8).toString('hex')}`;
}

/** Milliseconds that a command has to end when it is called off, and its guard to tidy up. */
const patience = 12_000;

/**
 * Runs a command in a container with this process's standard input, output and error, and gives its exit code. A second
 * command guards it: whatever becomes of this process, nothing of it is left in the container.
 */
export async function runInside(engine: OperatorCalls, task: Task, folder = newFolder()): Promise<number> {
  const aborter = new AbortController();
  const guard = await startGuard(engine, task, folder, aborter.signal);
  const stdio = connectStdio(task.terminal);
  try {
    const main = await engine.openConsole(
      task.container,
      {
        command: ['sh', '-c', runScript, 'pgherd', folder, ...task.command],
        env: { ...task.env, ...(task.psql?.through === undefined ? {} : { PGPASSFILE: `${folder}/pgpass` }) },
        terminal: task.terminal,
        ...userOf(task),
      },
      aborter.signal,
    );
    const killed = stdio.onSignal(() => {
      guard.release();
      setTimeout(() => {
        aborter.abort();
      }, patience).unref();
    });
    await carry(main, stdio);
    const code = await main.exitCode().catch((error: unknown) => {
      if (killed() === undefined) throw error;
      return 0;
    });
    return killed() ?? code;
  } finally {
    stdio.release();
    await guard.end();
    aborter.abort();
  }
}

function userOf({ user }: Task): { readonly user?: string } {
  return user === undefined ? {} : { user };
}

async function carry(main: Console, stdio: Stdio): Promise<void> {
  stdio.feed(main);
  for await (const { isStdout, bytes } of main.output) await stdio.write(isStdout, bytes);
}

type Guard = { readonly release: () => void; readonly end: () => Promise<void> };

async function startGuard(engine: OperatorCalls, task: Task, folder: string, signal: AbortSignal): Promise<Guard> {
  const { container, psql } = task;
  const through = psql?.through === undefined ? [] : [psql.through.address, String(psql.through.port)];
  const args = psql === undefined ? [] : [psql.home, ...through];
  const command = ['sh', '-c', guardScript, 'pgherd', folder, ...args];
  const guard = await engine.openConsole(container, { command, ...userOf(task) }, signal);
  const pieces = guard.output[Symbol.asyncIterator]();
  let said = '';
  for (;;) {
    const next = await pieces.next();
    if (next.done === true) {
      throw new PgherdError('not-running', `nothing can be run in the container: ${said.trim()}`, {
        remedy: 'see `docker inspect` and `docker logs` of the container',
      });
    }
    said += next.value.bytes.toString();
    if (next.value.isStdout && said.includes('ready')) break;
  }
  return {
    release: () => void guard.input.end(),
    end: async () => {
      guard.input.end();
      const late = setTimeout(guard.close, patience);
      while ((await pieces.next()).done !== true) continue;
      clearTimeout(late);
    },
  };
}
