import { forTerminal } from '../../src/cli/neutral.ts';
import type { Output } from '../../src/cli/output.ts';

/** An output that is no terminal, what is printed on it, and what is noted. */
export function recordOutput(settings: Partial<Output> = {}): {
  readonly output: Output;
  readonly printed: readonly string[];
  readonly noted: readonly string[];
} {
  const [printed, noted]: [string[], string[]] = [[], []];
  const output: Output = {
    format: 'text',
    colour: false,
    columns: () => undefined,
    noteColour: false,
    terminal: { isTerminal: false, isLive: false, colour: false, unicode: false },
    print: (text) => void printed.push(forTerminal(text)),
    printExactly: (text) => void printed.push(text),
    note: (text) => void noted.push(forTerminal(text)),
    keepAbove: () => undefined,
    ...settings,
  };
  return { output, printed, noted };
}
