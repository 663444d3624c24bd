import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';
import { InterruptedError } from '../base/error.ts';

/**
 * Opens a stream that outlives the call for it: the deadline counts until it is open, the signal destroys it at any
 * time. Nothing is left on the signal when the stream has closed.
 */
export async function openStream<S extends Readable>(
  signal: AbortSignal,
  deadline: AbortSignal,
  open: (abortSignal: AbortSignal) => Promise<S>,
): Promise<S> {
  const opening = new AbortController();
  const giveUp = (): void => {
    opening.abort();
  };
  // One signal may end as many streams as there are containers, where Node suspects a leak from the eleventh on.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', giveUp);
  deadline.addEventListener('abort', giveUp);
  try {
    signal.throwIfAborted();
    return closeOnAbort(await open(opening.signal), signal);
  } catch (thrown) {
    throw signal.aborted ? new InterruptedError('called off') : thrown;
  } finally {
    signal.removeEventListener('abort', giveUp);
    deadline.removeEventListener('abort', giveUp);
  }
}

function closeOnAbort<S extends Readable>(stream: S, signal: AbortSignal): S {
  const close = (): void => void stream.destroy();
  signal.addEventListener('abort', close);
  stream.once('close', () => {
    signal.removeEventListener('abort', close);
  });
  // Who reads it is told; nobody may be reading yet.
  stream.on('error', () => undefined);
  if (signal.aborted) close();
  return stream;
}

/**
 * What comes until the stream ends. A reset, and a close on this side, tell the same as the command's end: there is no more
 * to come, and whether the command has ended its exit code says.
 */
export async function* readUntilClosed(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* stream;
  } catch {
    return;
  }
}
