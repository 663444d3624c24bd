import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import type { ExecCommand } from './engine.ts';
import type { ExecResult } from './types.ts';

/**
 * Runs a command in a container and waits for its end.
 * The abort signal ends the wait, not the command: an exec outlives its client.
 */
export async function execute(
  docker: Docker,
  ref: string,
  command: ExecCommand,
  abortSignal: AbortSignal,
): Promise<ExecResult> {
  abortSignal.throwIfAborted();
  return run(docker, ref, command, abortSignal).catch((error: unknown) => {
    // dockerode says that it was aborted, and not why.
    abortSignal.throwIfAborted();
    throw error;
  });
}

async function run(docker: Docker, ref: string, command: ExecCommand, abortSignal: AbortSignal): Promise<ExecResult> {
  const exec = await docker.getContainer(ref).exec({
    Cmd: [...command.command],
    AttachStdout: true,
    AttachStderr: true,
    AttachStdin: command.input !== undefined,
    ...(command.user === undefined ? {} : { User: command.user }),
    abortSignal,
  });
  const stream: Duplex = await exec.start({ hijack: true, stdin: command.input !== undefined, abortSignal });
  const cancel = (): void => void stream.destroy(abortSignal.reason instanceof Error ? abortSignal.reason : undefined);
  abortSignal.addEventListener('abort', cancel, { once: true });
  try {
    const output = collect(docker, stream);
    if (command.input !== undefined) stream.end(command.input);
    const { stdout, stderr } = await output;
    const { ExitCode } = await exec.inspect({ abortSignal });
    return { code: ExitCode ?? -1, stdout, stderr };
  } finally {
    abortSignal.removeEventListener('abort', cancel);
    stream.destroy();
  }
}

async function collect(docker: Docker, stream: Duplex): Promise<{ stdout: string; stderr: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.on('end', () => {
    stdout.end();
    stderr.end();
  });
  stream.on('error', (error: Error) => {
    stdout.destroy(error);
    stderr.destroy(error);
  });
  stream.on('close', () => {
    stdout.end();
    stderr.end();
  });
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  return { stdout: out, stderr: err };
}
