import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { PgherdError } from '../base/error.ts';
import { readFrames, type Piece } from './frames.ts';
import { openStream, readUntilClosed } from './open-stream.ts';
import type { Console, ConsoleCommand } from './operator.ts';
import { deadlines } from './run.ts';

/** What nobody types: the engine's own choice, Ctrl-P Ctrl-Q, would hold back every Ctrl-P. */
const detachKeys = Array.from({ length: 8 }, () => 'ctrl-@').join(',');

/** Milliseconds between two looks, and how many: the engine learns of an end a little after the stream has ended. */
const look = { pause: 20, times: 100 };

/** Starts a command in a container with its standard input, output and error, or with a terminal. */
export async function openConsole(
  docker: Docker,
  ref: string,
  command: ConsoleCommand,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<Console> {
  const hasTerminal = command.terminal === true;
  let exec: Docker.Exec | undefined;
  const stream = await openStream(signal, deadline, async (abortSignal): Promise<Duplex> => {
    exec = await docker.getContainer(ref).exec({ ...toOptions(command), abortSignal });
    return exec.start({ hijack: true, stdin: true, Tty: hasTerminal, abortSignal });
  });
  const started = exec;
  if (started === undefined) throw new Error('a command that was not made was started');
  return {
    input: stream,
    output: hasTerminal ? readTerminal(stream) : readFrames(readUntilClosed(stream)),
    resize: (columns, rows) => resize(started, columns, rows),
    exitCode: () => readExitCode(started),
    close: () => void stream.destroy(),
  };
}

function toOptions({ command, user, env = {}, terminal }: ConsoleCommand): Docker.ExecCreateOptions {
  return {
    Cmd: [...command],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...(user === undefined ? {} : { User: user }),
    ...(terminal === true ? { Tty: true, DetachKeys: detachKeys } : {}),
  };
}

async function* readTerminal(stream: Duplex): AsyncGenerator<Piece, void, undefined> {
  for await (const bytes of readUntilClosed(stream)) yield { isStdout: true, bytes, isLast: true };
}

// The engine answers before it starts the command, and has no terminal to resize until then.
async function resize(exec: Docker.Exec, columns: number, rows: number): Promise<void> {
  for (let left = look.times; left > 0; left -= 1) {
    const abortSignal = AbortSignal.timeout(deadlines.read);
    const isDone = await exec.resize({ w: columns, h: rows, abortSignal }).then(
      () => true,
      () => false,
    );
    if (isDone) return;
    const { Running, ExitCode } = await exec.inspect({ abortSignal });
    if (!Running && ExitCode !== null) return;
    await sleep(look.pause);
  }
}

async function readExitCode(exec: Docker.Exec): Promise<number> {
  for (let left = look.times; left > 0; left -= 1) {
    const { Running, ExitCode } = await exec.inspect({ abortSignal: AbortSignal.timeout(deadlines.read) });
    if (!Running && ExitCode !== null) return ExitCode;
    await sleep(look.pause);
  }
  throw new PgherdError('reply-lost', 'the connection to the command was cut, and it may still run', {
    remedy: 'see `docker top` of the container',
  });
}
