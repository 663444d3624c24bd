import type { DiagnosticCode } from './diagnostic-codes.ts';
import { formatPath, shorten, type Path } from './path.ts';

export type Severity = 'error' | 'warning';

/** One mistake in a file, for people and for editors. Lines and columns count from 1; 0 means the file as a whole. */
export type Diagnostic = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The field, e.g. `balancers[0].port`; empty where it is the file as a whole. */
  readonly path: string;
  /** Stable name of the kind of mistake, e.g. `unknown-key`. */
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint?: string;
  readonly sourceLine?: string;
  /** Characters from `column` on that are meant. */
  readonly length?: number;
  readonly severity: Severity;
};

/** A mistake before it has a place in the text. */
export type Issue = {
  readonly path: Path;
  /** Whether the key or the value at `path` is meant; a key that is missing is shown at its parent. */
  readonly at: 'key' | 'value';
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint?: string;
  readonly severity?: Severity;
  /** The source line may hold a secret and must not be shown. */
  readonly secret?: boolean;
};

/** Where text starts and ends, in UTF-16 units from the start of the file. */
export type Span = { readonly start: number; readonly end: number };

/** The text of one file, with its lines found. */
export type Source = { readonly file: string; readonly text: string; readonly lineStarts: readonly number[] };

export function createSource(file: string, text: string): Source {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  return { file, text, lineStarts };
}

/** Line and column, from 1, of an offset. */
export function findPosition(source: Source, offset: number): { line: number; column: number } {
  let [low, high] = [0, source.lineStarts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((source.lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (source.lineStarts[low] ?? 0) + 1 };
}

/** The diagnostic of an issue whose place is known. */
export function locateIssue(source: Source, span: Span, issue: Issue): Diagnostic {
  const { line, column } = findPosition(source, span.start);
  const start = source.lineStarts[line - 1] ?? 0;
  const sourceLine = source.text.slice(start, source.lineStarts[line] ?? source.text.length).replace(/[\r\n]+$/, '');
  const length = Math.max(1, Math.min(span.end - span.start, sourceLine.length - column + 1));
  return {
    file: source.file,
    line,
    column,
    path: formatPath(issue.path.map((part) => (typeof part === 'string' ? shorten(part) : part))),
    code: issue.code,
    message: issue.message,
    ...(issue.hint === undefined ? {} : { hint: issue.hint }),
    ...(issue.secret === true || literalPassword.test(sourceLine) ? {} : { sourceLine }),
    length,
    severity: issue.severity ?? 'error',
  };
}

/** A line that seems to hold a password in plain text; it is not shown, whatever is wrong with it. */
const literalPassword = /\b(?:pass|password|passwd|pwd|secret|token)["']?\s*:\s*["']?[^\s{"'#]/i;

/** A diagnostic about a file as a whole. */
export function createFileDiagnostic(file: string, code: DiagnosticCode, message: string, hint?: string): Diagnostic {
  const whole = { file, line: 0, column: 0, path: '', code, message, severity: 'error' } as const;
  return hint === undefined ? whole : { ...whole, hint };
}

/** By file in the order given, then by position. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const order = new Map<string, number>();
  for (const { file } of diagnostics) if (!order.has(file)) order.set(file, order.size);
  return diagnostics.toSorted(
    (a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  );
}
