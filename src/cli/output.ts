import { PgherdError, messageOf } from '../base/error.ts';
import type { LiveArea } from './live.ts';
import { forJson, forTerminal, sgr } from './neutral.ts';
import { readSize, readTerminal, type Terminal } from './terminal.ts';

/** Where a command writes, and how. */
export type Output = {
  readonly format: 'text' | 'json';
  /** Of what is printed. */
  readonly colour: boolean;
  /** How wide the terminal is that results go to; undefined: none, they may be as wide as they are. */
  readonly columns: () => number | undefined;
  /** Of what is noted. */
  readonly noteColour: boolean;
  /** What standard error can show. */
  readonly terminal: Terminal;
  /** The result, on standard output; what a terminal would obey in it is shown, unless `painter` put it there. */
  readonly print: (text: string) => void;
  /** A value for another program, on standard output, to the letter. */
  readonly printExactly: (text: string) => void;
  /** Progress, warnings and errors, on standard error, in the same way. */
  readonly note: (text: string) => void;
  /** From now on everything goes above this live area of standard error; undefined: there is none any more. */
  readonly keepAbove: (area: LiveArea | undefined) => void;
};

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

export type Paint = (style: Style, text: string) => string;

export function painter(colour: boolean): Paint {
  return (style, text) => {
    const [on, off] = codes[style];
    return colour ? `${sgr(on)}${text}${sgr(off)}` : text;
  };
}

/** Standard output and error; NO_COLOR and --no-color switch colours off, as does anything but a terminal. */
export function createOutput(options: { readonly format: 'text' | 'json'; readonly color: boolean }): Output {
  const { color, format } = options;
  const read = (stream: NodeJS.WriteStream): Terminal =>
    readTerminal(stream, process.env, { color, platform: process.platform });
  const terminal = read(process.stderr);
  let area: LiveArea | undefined;
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    const print = (): void => void stream.write(`${text}\n`);
    if (area === undefined || !stream.isTTY) print();
    else area.above(print);
  };
  return {
    format,
    colour: read(process.stdout).colour,
    columns: () => (process.stdout.isTTY ? readSize(process.stdout).columns : undefined),
    noteColour: terminal.colour,
    terminal,
    print: (text) => {
      write(process.stdout, format === 'json' ? forJson(text) : forTerminal(text));
    },
    printExactly: (text) => {
      write(process.stdout, text);
    },
    note: (text) => {
      write(process.stderr, forTerminal(text));
    },
    keepAbove: (next) => {
      area = next;
    },
  };
}

/** An error as a person reads it: what, why, what to do; a bug keeps its stack. */
export function formatError(error: unknown): string {
  if (!(error instanceof PgherdError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `error: this is a bug in pgherd, please report it\n${stack}`;
  }
  const cause = error.cause instanceof PgherdError ? ` (${messageOf(error.cause)})` : '';
  return `error: ${error.message}${cause} [${error.code}]\n  remedy: ${error.remedy}`;
}
