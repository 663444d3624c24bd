import type { Diagnostic } from './diagnostic.ts';

const widest = 120;

/**
 * The diagnostic as compilers print it: `file:line:column: path: message`, the source line, a caret under the place,
 * and the remedy. Several lines without a newline at the end.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, path, message, hint, sourceLine, severity } = diagnostic;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  const parts = [place, ...(severity === 'warning' ? ['warning'] : []), ...(path === '' ? [] : [path]), message];
  const lines = [parts.join(': ')];
  if (sourceLine !== undefined && sourceLine.trim() !== '')
    lines.push(...formatExcerpt(sourceLine, column, diagnostic.length ?? 1));
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines.map(hideControls).join('\n');
}

function formatExcerpt(sourceLine: string, column: number, length: number): string[] {
  // a line as long as a minified file is cut around the place
  const from = column > widest ? column - 1 - widest / 2 : 0;
  const shown = sourceLine.slice(from, from + widest);
  // tabs stay tabs, so that the caret stands under its character however wide they are
  const indent = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, Math.min(length, shown.length - indent.length)));
  return [`  ${shown}`, `  ${indent}${carets}`];
}

/** Characters that steer a terminal, and those without width, that hide or turn around what is said. */
// eslint-disable-next-line no-control-regex -- control characters are what it is about
const invisible = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text without what would steer a terminal. */
export function hideControls(text: string): string {
  return text.replace(invisible, '\uFFFD');
}
