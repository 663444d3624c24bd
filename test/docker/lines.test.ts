import { describe, expect, it } from 'vitest';
import { readLines } from '../../src/docker/lines.ts';

async function* chunks(...parts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function read(...parts: readonly (string | Buffer)[]): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of readLines(chunks(...parts))) lines.push(line);
  return lines;
}

describe('the lines of a byte stream', () => {
  it('are the same however the stream is cut', async () => {
    const text = 'grüße\n\n€ 𝄞\r\nlast';
    const bytes = Buffer.from(text);
    const expected = ['grüße', '', '€ 𝄞', 'last'];
    expect(await read(text)).toEqual(expected);
    expect(await read(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(expected);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(await read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(expected);
    }
  });

  it('end in a newline, or in one after a carriage return, or with the stream', async () => {
    expect(await read('a\nb\n')).toEqual(['a', 'b']);
    expect(await read('a\r\nb\r', '\n')).toEqual(['a', 'b']);
    expect(await read('a\rb\n')).toEqual(['a\rb']);
    expect(await read('a\nb')).toEqual(['a', 'b']);
    expect(await read('\n\n')).toEqual(['', '']);
    expect(await read()).toEqual([]);
    expect(await read('', '')).toEqual([]);
  });

  it('show where a character was cut off', async () => {
    expect(await read(Buffer.from('ü').subarray(0, 1))).toEqual(['\ufffd']);
  });

  it('have a limit, in one chunk or many', async () => {
    const most = 'x'.repeat(2 ** 20);
    expect(await read(`${most}\n${most}\n`)).toEqual([most, most]);
    const refused = { code: 'engine-error' };
    await expect(read(`${most}x\n`)).rejects.toMatchObject(refused);
    await expect(read('a\n', most, 'x')).rejects.toMatchObject(refused);
  });

  it('let go of the stream when nobody wants more of them', async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        yield* chunks('a\nb\n', 'c\n');
      } finally {
        isClosed = true;
      }
    }
    for await (const line of readLines(source())) if (line === 'a') break;
    expect(isClosed).toBe(true);
  });
});
