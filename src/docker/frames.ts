import { PgherdError } from '../base/error.ts';

/** A piece of what a command wrote. */
export type Piece = {
  readonly isStdout: boolean;
  readonly bytes: Buffer;
  /** The last of its frame. */
  readonly isLast: boolean;
};

const headerLength = 8;
const nothing = Buffer.alloc(0);

/**
 * What a command without a terminal wrote, in frames of an 8-byte header (stream, 0, 0, 0, length) and a body. A body
 * is given in the pieces in which it comes, so that no more than a header is ever kept.
 * Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerAttach
 */
export async function* readFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Piece, void, undefined> {
  let header = nothing;
  let isStdout = false;
  let left = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0;) {
      if (left > 0) {
        const bytes = rest.subarray(0, left);
        left -= bytes.length;
        rest = rest.subarray(bytes.length);
        yield { isStdout, bytes, isLast: left === 0 };
        continue;
      }
      const missing = headerLength - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < headerLength) continue;
      isStdout = readKind(header) === 1;
      left = header.readUInt32BE(4);
      header = nothing;
    }
  }
}

// 0: standard input, 1: standard output, 2: standard error, 3: the engine's own errors.
function readKind(header: Buffer): number {
  const kind = header.readUInt32BE(0) >>> 24;
  const isHeader = kind <= 3 && header.readUInt32BE(0) % 2 ** 24 === 0;
  if (isHeader) return kind;
  throw new PgherdError('engine-error', 'what the engine sent of a command is not in frames');
}
