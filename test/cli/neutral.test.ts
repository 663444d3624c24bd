import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLiveArea } from '../../src/cli/live.ts';
import { forJson, forTerminal } from '../../src/cli/neutral.ts';
import { createOutput, painter } from '../../src/cli/output.ts';
import { logRenderer } from '../../src/cli/render/log-lines.ts';

/** A client's query: colours, the title and the clipboard of a terminal, its screen, what an 8-bit terminal takes for that. */
const hostile = '\u001b[31mred\u001b]0;title\u0007\u001b]52;c;cm0=\u001b\\\u001b[2J\u009b2J\r\b\u007f\u202eback\u2028';
const shown = String.raw`\x1b[31mred\x1b]0;title\x07\x1b]52;c;cm0=\x1b\\x1b[2J\x9b2J\x0d\x08\x7f\u202eback\u2028`;

const written: string[] = [];

beforeEach(() => {
  written.length = 0;
  const take = (text: unknown): boolean => written.push(String(text)) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('what others wrote, on a terminal or not', () => {
  it('is shown in results, notes and what is drawn in place, and commands nothing', () => {
    const output = createOutput({ format: 'text', color: true });
    output.print(`${hostile}\n\ttwo`);
    output.note(hostile);
    createLiveArea({ write: (text) => written.push(text) }).draw([hostile]);
    expect(written.slice(0, 2)).toEqual([`${shown}\n\ttwo\n`, `${shown}\n`]);
    expect(written[2]).toContain(`${shown}\n`);
  });

  it('stays uncoloured beside what is coloured', () => {
    const line = { at: '', stream: 'stdout', text: hostile } as const;
    const render = logRenderer([], { paint: painter(true), timestamps: false });
    createOutput({ format: 'text', color: true }).print(render({ cluster: 'shop', name: 'lb1' }, line));
    const [, colour = ''] = /\[(3\d)m/.exec(written[0] ?? '') ?? [];
    expect(written).toEqual([`\u001b[${colour}mlb1  |\u001b[39m ${shown}\n`]);
  });

  it('keeps its value in JSON', () => {
    createOutput({ format: 'json', color: true }).print(JSON.stringify({ line: hostile }, null, 2));
    const [text = ''] = written;
    expect(text).not.toMatch(/[^\P{Cc}\n]|[\u2028\u202e]/u);
    expect(JSON.parse(text)).toEqual({ line: hostile });
  });

  it('is handed on to the letter where a program asks for a value', () => {
    createOutput({ format: 'text', color: true }).printExactly(hostile);
    expect(written).toEqual([`${hostile}\n`]);
  });
});

it('nothing gets through but tabs and newlines, and twice is as once', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('\u001b', '[', '1', ';', 'm', '\u009b', '\n'), fc.string()),
  });
  fc.assert(
    fc.property(text, (each) => {
      const once = forTerminal(each);
      expect(once).not.toMatch(/[^\P{Cc}\t\n]/u);
      expect(forTerminal(once)).toBe(once);
      expect(JSON.parse(forJson(JSON.stringify(each)))).toBe(each);
    }),
  );
});
