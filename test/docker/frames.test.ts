import { describe, expect, it } from 'vitest';
import { readFrames } from '../../src/docker/frames.ts';

function frame(kind: number, text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function read(...chunks: readonly Buffer[]): Promise<{ readonly stdout: string; readonly other: string }> {
  async function* source(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  const [stdout, other]: [Buffer[], Buffer[]] = [[], []];
  for await (const { isStdout, bytes } of readFrames(source())) (isStdout ? stdout : other).push(bytes);
  return { stdout: Buffer.concat(stdout).toString(), other: Buffer.concat(other).toString() };
}

describe('frames of what a command wrote', () => {
  const bytes = Buffer.concat([frame(1, 'grü'), frame(2, 'err'), frame(1, ''), frame(1, 'ße\n'), frame(3, '!')]);
  const expected = { stdout: 'grüße\n', other: 'err!' };

  it('are taken apart however they are cut', async () => {
    expect(await read(bytes)).toEqual(expected);
    expect(await read(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(expected);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(await read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(expected);
    }
  });

  it('give what is there of one that was cut off', async () => {
    expect(await read(frame(1, 'abc').subarray(0, 10))).toEqual({ stdout: 'ab', other: '' });
    expect(await read(frame(1, 'abc').subarray(0, 5))).toEqual({ stdout: '', other: '' });
  });

  it('are told from what is none', async () => {
    const refused = { code: 'engine-error' };
    await expect(read(Buffer.from('plain text'))).rejects.toMatchObject(refused);
    await expect(read(frame(4, 'x'))).rejects.toMatchObject(refused);
    await expect(read(Buffer.from([1, 0, 1, 0, 0, 0, 0, 1, 65]))).rejects.toMatchObject(refused);
  });
});
