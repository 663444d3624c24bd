import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import type { Attachment } from './engine.ts';

/** Attaches a container's standard input and keeps it open until closed, or until this process ends. */
export async function attachInput(docker: Docker, ref: string, abortSignal: AbortSignal): Promise<Attachment> {
  const attached = await docker
    .getContainer(ref)
    // The engine ends a connection that takes no output only with its client, also where the container is long gone.
    .attach({ stream: true, stdin: true, stdout: true, stderr: false, hijack: true, abortSignal });
  const stream = attached as Duplex;
  const closed = new Promise<void>((resolve) => {
    stream.once('close', () => {
      resolve();
    });
  });
  // A reset tells the same as a close, and 'close' follows it.
  stream.on('error', () => undefined);
  stream.resume();
  return {
    write: (text) => {
      if (stream.writable) stream.write(text);
    },
    close: () => void stream.destroy(),
    closed,
  };
}
