import { describe, expect, it } from 'vitest';
import { readFrames } from '../../src/docker/frames.ts';
import { readLogLines } from '../../src/docker/log-lines.ts';
import type { LogLine } from '../../src/docker/operator.ts';

const at = (second: number): string => `2026-11-23T13:45:0${String(second)}.123456789Z`;

/** An entry of a log, as the engine sends it. */
function entry(kind: 1 | 2, text: string | Buffer): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function read(bytes: Buffer, size = bytes.length): Promise<readonly LogLine[]> {
  async function* source(): AsyncGenerator<Buffer> {
    for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
  }
  const lines: LogLine[] = [];
  for await (const line of readLogLines(readFrames(source()))) lines.push(line);
  return lines;
}

describe('the lines of a log', () => {
  it('have a time, a stream and a text, however the bytes come', async () => {
    const bytes = Buffer.concat([
      entry(1, `${at(1)} out, and more\n`),
      entry(2, `${at(2)} grüße\r\n`),
      entry(1, `${at(3)} \n`),
    ]);
    const lines = [
      { at: at(1), stream: 'stdout', text: 'out, and more' },
      { at: at(2), stream: 'stderr', text: 'grüße' },
      { at: at(3), stream: 'stdout', text: '' },
    ];
    expect(await read(bytes)).toEqual(lines);
    for (const size of [1, 2, 7, 30]) expect(await read(bytes, size)).toEqual(lines);
  });

  it('are put together where the engine cut them, also through a character and with another stream between', async () => {
    const umlaut = Buffer.from('ü');
    const bytes = Buffer.concat([
      entry(1, Buffer.concat([Buffer.from(`${at(1)} gr`), umlaut.subarray(0, 1)])),
      entry(2, `${at(2)} err\n`),
      entry(1, Buffer.concat([Buffer.from(`${at(3)} `), umlaut.subarray(1), Buffer.from('ße\n')])),
      entry(1, `${at(4)} next\n`),
    ]);
    expect(await read(bytes)).toEqual([
      { at: at(2), stream: 'stderr', text: 'err' },
      { at: at(1), stream: 'stdout', text: 'grüße' },
      { at: at(4), stream: 'stdout', text: 'next' },
    ]);
  });

  it('without an end are given at the end', async () => {
    expect(await read(entry(2, `${at(1)} cut off`))).toEqual([{ at: at(1), stream: 'stderr', text: 'cut off' }]);
  });

  it('are not kept without bound', async () => {
    const part = entry(1, `${at(1)} ${'x'.repeat(16_384)}`);
    const lines = await read(Buffer.concat(Array.from({ length: 70 }, () => part)));
    expect(lines.map(({ text }) => text.length)).toEqual([65 * 16_384, 5 * 16_384]);
  });

  it('must have been asked for with times', async () => {
    await expect(read(entry(1, 'no time here\n'))).rejects.toMatchObject({ code: 'engine-error' });
  });
});
