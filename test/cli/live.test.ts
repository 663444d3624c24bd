import { beforeEach, describe, expect, it } from 'vitest';
import { createLiveArea, type LiveArea } from '../../src/cli/live.ts';
import { rowsOf } from '../../src/cli/text-width.ts';

const escape = '\u001b';

/** Commands of the terminal, ends of lines, and text. */
const pieces = new RegExp(`${escape}\\[[?0-9]*[A-Za-z]|[\r\n]|[^${escape}\r\n]+`, 'g');

/** As much of a terminal as a live area needs, without an end below; it wraps what is there when it becomes narrower. */
class Screen {
  columns = 20;
  cursorIsShown = true;
  wraps = true;
  #rows: string[] = [''];
  #row = 0;

  write(text: string): void {
    for (const [part] of text.matchAll(pieces)) this.#take(part);
  }

  become(columns: number): void {
    this.columns = columns;
    const wrap = (row: string): string[] => {
      return row === '' ? [''] : (row.match(new RegExp(`.{1,${String(columns)}}`, 'g')) ?? []);
    };
    const above = this.#rows.slice(0, this.#row).flatMap(wrap);
    this.#rows = [...above, ...this.#rows.slice(this.#row).flatMap(wrap)];
    this.#row = above.length;
  }

  text(): string {
    return this.#rows.join('\n').trimEnd();
  }

  #take(part: string): void {
    if (part === '\r') return;
    if (part === '\n') this.#row += 1;
    else if (part.endsWith('A')) this.#row = Math.max(0, this.#row - Number(part.slice(2, -1)));
    else if (part === '\u001b[J') this.#rows.length = this.#row;
    else if (part.startsWith('\u001b[?25')) this.cursorIsShown = part.endsWith('h');
    else if (part.startsWith('\u001b[?7')) this.wraps = part.endsWith('h');
    else if (part !== '\u001b[K') this.#rows[this.#row] = part;
    while (this.#rows.length <= this.#row) this.#rows.push('');
  }
}

describe('a live area', () => {
  let screen: Screen;
  let area: LiveArea;

  beforeEach(() => {
    screen = new Screen();
    screen.write('$ pgherd\n');
    area = createLiveArea(screen);
  });

  it('draws lines in the place of those before, also fewer ones', () => {
    area.draw(['one', 'two', 'three']);
    area.draw(['four', 'five']);
    expect(screen.text()).toBe('$ pgherd\nfour\nfive');
  });

  it('leaves the cursor shown, below it, and lines wrapping, after each drawing', () => {
    area.draw(['one', 'two']);
    expect(screen).toMatchObject({ cursorIsShown: true, wraps: true });
    screen.write('Killed\n');
    expect(screen.text()).toBe('$ pgherd\none\ntwo\nKilled');
  });

  it('stays below what others print', () => {
    area.draw(['one', 'two']);
    area.above(() => {
      screen.write('a warning\n');
    });
    area.draw(['three', 'four']);
    expect(screen.text()).toBe('$ pgherd\na warning\nthree\nfour');
  });

  it('leaves nothing of itself behind where the terminal becomes narrower and wraps it', () => {
    area.draw(['0123456789abcdefghi', 'short', '0123456789ab']);
    screen.become(10);
    area.draw(['narrow']);
    expect(screen.text()).toBe('$ pgherd\nnarrow');
  });

  it('begins anew below what others wrote while it was stopped', () => {
    area.draw(['one', 'two']);
    screen.write('Stopped\n$ fg\n');
    area.abandon();
    area.draw(['three']);
    expect(screen.text()).toBe('$ pgherd\none\ntwo\nStopped\n$ fg\nthree');
  });

  it('ends with lines that stay', () => {
    area.draw(['one', 'two']);
    area.done(['end']);
    screen.write('result\n');
    expect(screen.text()).toBe('$ pgherd\nend\nresult');
  });

  it('writes nothing where there was nothing to show', () => {
    area.done([]);
    expect(screen.text()).toBe('$ pgherd');
  });
});

describe('a line in a narrower terminal', () => {
  it.each([
    ['', 10, 1],
    ['0123456789', 10, 1],
    ['0123456789a', 10, 2],
    ['日本語日本語日本語', 10, 2],
    ['日本語日本語日本語', 9, 3],
    ['\u001b[31m👨‍👩‍👧👨‍👩‍👧\u001b[39m', 3, 2],
  ])('%j in %i columns takes %i rows', (line, columns, rows) => {
    expect(rowsOf(line, columns)).toBe(rows);
  });
});
