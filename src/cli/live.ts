import { forTerminal } from './neutral.ts';
import { readSize } from './terminal.ts';
import { rowsOf } from './text-width.ts';

/** Lines at the end of a terminal's output that are drawn anew in place, while other output goes above them. */
export type LiveArea = {
  /** Shows these lines instead of those before. They have to fit: narrower than the terminal, and fewer than its rows. */
  readonly draw: (lines: readonly string[]) => void;
  /** Has something print whole lines, on whichever stream of the terminal: they stand above the area. */
  readonly above: (print: () => void) => void;
  /** Shows these lines for good, and ends the area: what is printed from now on stands below them. */
  readonly done: (lines: readonly string[]) => void;
  /** Leaves the area as it stands and begins a new one at the cursor: others have written to the terminal meanwhile. */
  readonly abandon: () => void;
};

type Stream = { readonly columns?: number; readonly write: (text: string) => unknown };

const up = (rows: number): string => (rows === 0 ? '\r' : `\r\u001b[${String(rows)}A`);
const clearBelow = '\u001b[J';
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
const noWrap = '\u001b[?7l';
const wrap = '\u001b[?7h';

/**
 * A live area on a terminal. Between two writes the terminal is always as a shell wants it: the cursor is shown, at the
 * start of the line below the area, and lines wrap. So nothing has to be put right when the process ends, however it ends.
 */
export function createLiveArea(stream: Stream): LiveArea {
  let drawn: readonly string[] = [];

  // A terminal that became narrower has wrapped what was drawn: each line takes as many rows as it needs now.
  const rowsDrawn = (): number => {
    const { columns } = readSize(stream);
    return drawn.reduce((sum, line) => sum + rowsOf(line, columns), 0);
  };
  const draw = (lines: readonly string[]): void => {
    // Cleared first, not line by line at their ends: what is cleared there, tmux wraps with the line as if it were text.
    const body = lines.map((line) => `${forTerminal(line)}\n`).join('');
    stream.write(`${hideCursor}${noWrap}${up(rowsDrawn())}${clearBelow}${body}${wrap}${showCursor}`);
    drawn = lines;
  };
  return {
    draw: (lines) => {
      draw(lines);
    },
    above: (print) => {
      const lines = drawn;
      if (lines.length > 0) stream.write(`${up(rowsDrawn())}${clearBelow}`);
      drawn = [];
      print();
      if (lines.length > 0) draw(lines);
    },
    done: (lines) => {
      if (drawn.length > 0 || lines.length > 0) draw(lines);
      drawn = [];
    },
    abandon: () => {
      drawn = [];
    },
  };
}
