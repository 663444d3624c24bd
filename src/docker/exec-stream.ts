import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type Docker from 'dockerode';
import type { ExecStream, StreamCommand } from './engine.ts';
import { readFrames } from './frames.ts';
import { readLines } from './lines.ts';
import { openStream, readUntilClosed } from './open-stream.ts';

/** Characters of standard error that are kept. */
const kept = 2000;

/** Starts a command in a container, whose standard input stays open until the stream is closed. */
export async function execStream(
  docker: Docker,
  ref: string,
  command: StreamCommand,
  signal: AbortSignal,
  deadline: AbortSignal,
): Promise<ExecStream> {
  const stream = await openStream(signal, deadline, (abortSignal) => start(docker, ref, command, abortSignal));
  const stderr = newTail();
  return {
    lines: readLines(readStdout(stream, stderr.add)),
    stderr: stderr.read,
    close: () => void stream.destroy(),
  };
}

async function start(docker: Docker, ref: string, command: StreamCommand, abortSignal: AbortSignal): Promise<Duplex> {
  const exec = await docker.getContainer(ref).exec({
    Cmd: [...command.command],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    ...(command.user === undefined ? {} : { User: command.user }),
    abortSignal,
  });
  return exec.start({ hijack: true, stdin: true, abortSignal });
}

async function* readStdout(stream: Duplex, onStderr: (bytes: Buffer) => void): AsyncGenerator<Buffer, void, undefined> {
  for await (const { isStdout, bytes } of readFrames(readUntilClosed(stream))) {
    if (isStdout) yield bytes;
    else onStderr(bytes);
  }
}

function newTail(): { readonly add: (bytes: Buffer) => void; readonly read: () => string } {
  const decoder = new StringDecoder('utf8');
  let text = '';
  return {
    add: (bytes) => {
      text = (text + decoder.write(bytes)).slice(-kept);
    },
    read: () => text,
  };
}
