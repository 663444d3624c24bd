import { PgherdError } from '../base/error.ts';
import type { Piece } from './frames.ts';
import type { LogLine } from './operator.ts';

/** Bytes; what is longer is given as several lines. */
const longest = 2 ** 20;

const newline = 0x0a;
const space = 0x20;

type Begun = { readonly at: string; readonly parts: Buffer[]; length: number };

/**
 * Lines of a log that was asked for with times. An entry is a frame, `TIME TEXT`; the engine cuts a line of more than
 * 16 KiB into several, of which only the last ends with a newline, and may cut a character with it.
 * Source: moby, daemon/logger/copier.go
 */
export async function* readLogLines(pieces: AsyncIterable<Piece>): AsyncGenerator<LogLine, void, undefined> {
  const entries = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const begun: Record<LogLine['stream'], Begun | undefined> = { stdout: undefined, stderr: undefined };
  for await (const { isStdout, bytes, isLast } of pieces) {
    const stream = isStdout ? 'stdout' : 'stderr';
    entries[stream].push(bytes);
    if (!isLast) continue;
    const { at, text } = parseEntry(Buffer.concat(entries[stream]));
    entries[stream] = [];
    const line = begun[stream] ?? { at, parts: [], length: 0 };
    line.parts.push(text);
    line.length += text.length;
    const isWhole = text.at(-1) === newline || line.length > longest;
    begun[stream] = isWhole ? undefined : line;
    if (isWhole) yield* finish(line, stream);
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const line = begun[stream];
    if (line !== undefined) yield* finish(line, stream);
  }
}

function* finish({ at, parts }: Begun, stream: LogLine['stream']): Generator<LogLine, void, undefined> {
  const text = Buffer.concat(parts).toString('utf8').replace(/\n$/, '');
  for (const line of text.split('\n')) yield { at, stream, text: line.replace(/\r$/, '') };
}

function parseEntry(entry: Buffer): { readonly at: string; readonly text: Buffer } {
  const end = entry.indexOf(space);
  const at = entry.toString('latin1', 0, Math.max(end, 0));
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(at)) return { at, text: entry.subarray(end + 1) };
  throw new PgherdError('engine-error', 'what the engine sent of a log has no time');
}
