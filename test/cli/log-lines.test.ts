import { describe, expect, it } from 'vitest';
import { mergeLogs } from '../../src/cli/merge-logs.ts';
import { forTerminal } from '../../src/cli/neutral.ts';
import { painter } from '../../src/cli/output.ts';
import { logRenderer, type Writer } from '../../src/cli/render/log-lines.ts';
import type { LogLine } from '../../src/docker/operator.ts';

const line = (text: string, at = '2026-11-23T13:45:00.000000000Z'): LogLine => ({ at, stream: 'stdout', text });
const lb1: Writer = { cluster: 'shop', name: 'lb1' };
const primary: Writer = { cluster: 'shop', name: 'lb1-primary' };
const plain = { paint: painter(false), timestamps: false };

describe('a line of a log', () => {
  it('stands behind the name of who wrote it, padded to the longest', () => {
    const render = logRenderer([lb1, primary], plain);
    expect(render(lb1, line('hello'))).toBe('lb1          | hello');
    expect(render(primary, line(''))).toBe('lb1-primary  | ');
  });

  it('names the cluster where there are several, and where another one comes', () => {
    const test: Writer = { cluster: 'test', name: 'lb1' };
    expect(logRenderer([lb1, test], plain)(test, line('x'))).toBe('test/lb1  | x');
    expect(logRenderer([lb1], plain)(test, line('x'))).toBe('test/lb1  | x');
  });

  it('makes room for a longer name that comes later', () => {
    const render = logRenderer([lb1], plain);
    expect(render(lb1, line('x'))).toBe('lb1  | x');
    render(primary, line('x'));
    expect(render(lb1, line('x'))).toBe('lb1          | x');
  });

  it('has its time where that is asked for', () => {
    const render = logRenderer([lb1], { ...plain, timestamps: true });
    expect(render(lb1, line('x'))).toBe('lb1  | 2026-11-23T13:45:00.000000000Z x');
  });

  it('keeps its colour, another one than those beside it', () => {
    const paint = painter(true);
    const colourOf = (writers: readonly Writer[], writer: Writer): string =>
      forTerminal(logRenderer(writers, { paint, timestamps: false })(writer, line('x'))).slice(0, 5);
    const others = Array.from({ length: 4 }, (_, slot): Writer => ({ cluster: 'shop', name: `n${String(slot)}` }));
    expect(new Set([lb1, ...others].map((each) => colourOf([lb1, ...others], each))).size).toBe(5);
    expect(colourOf([lb1, ...others], lb1)).toBe(colourOf([lb1], lb1));
  });
});

it('several logs are told in order of time, each in its own order', async () => {
  async function* log(...times: readonly number[]): AsyncGenerator<LogLine> {
    for (const time of times) yield line('', String(time));
  }
  const seen: string[] = [];
  const logs = [
    { writer: 'a', lines: log(1, 4, 3, 6) },
    { writer: 'b', lines: log() },
    { writer: 'c', lines: log(2, 4, 5) },
  ];
  for await (const { writer, line: each } of mergeLogs(logs)) seen.push(writer + each.at);
  expect(seen).toEqual(['a1', 'c2', 'a4', 'a3', 'c4', 'c5', 'a6']);
});
