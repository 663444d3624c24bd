import { PgherdError, messageOf } from '../base/error.ts';

/** Where a command writes, and how. */
export type Output = {
  readonly format: 'text' | 'json';
  readonly colour: boolean;
  /** How wide the terminal is that results go to; undefined: none, they may be as wide as they are. */
  readonly columns: number | undefined;
  /** The result, on standard output. */
  readonly print: (text: string) => void;
  /** Progress, warnings and errors, on standard error. */
  readonly note: (text: string) => void;
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
    return colour ? `\u001b[${String(on)}m${text}\u001b[${String(off)}m` : text;
  };
}

/** Standard output and error; NO_COLOR and --no-color switch colours off, as does anything but a terminal. */
export function createOutput(options: { readonly format: 'text' | 'json'; readonly color: boolean }): Output {
  const { NO_COLOR, TERM } = process.env;
  const wants = options.color && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
  return {
    format: options.format,
    colour: wants && process.stdout.isTTY,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    print: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
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
