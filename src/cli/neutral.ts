import { randomInt } from 'node:crypto';

/**
 * Text quotes servers, which quote their clients: none of it may command a terminal. So what pgherd itself paints with is
 * marked by a number that nobody else knows, and everything else that a terminal or a reader's eye obeys is shown as what
 * it is: `\x1b`.
 */
const own = [randomInt(1000, 10_000), randomInt(1000, 10_000)].join(';');

/** Control characters but tab and newline, line separators, and what turns the direction of the text around it. */
const commands = /[^\P{Cc}\t\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const ownPaint = new RegExp(`\u001b\\[${own};(\\d+)m`, 'g');

/** Switches a style on or off, as `forTerminal` lets through. Text widths take it for what it is. */
export function sgr(code: number): string {
  return `\u001b[${own};${String(code)}m`;
}

/** The text as it may be written to a terminal, a pipe or a file: painted by pgherd, and nobody else. */
export function forTerminal(text: string): string {
  return neutralise(text).replace(ownPaint, '\u001b[$1m');
}

/** The text with everything shown that a terminal would obey, but for what pgherd paints. */
export function neutralise(text: string): string {
  return text.replace(commands, (command, at: number) => {
    if (command === '\u001b' && text.startsWith(`[${own};`, at + 1)) return command;
    const code = command.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The same for JSON, which leaves the controls from U+007F on as they are: its strings keep their values. */
export function forJson(json: string): string {
  return json.replace(commands, (command) => `\\u${command.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
