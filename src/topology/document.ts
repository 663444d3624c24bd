import { Composer, Lexer, Parser, type YAMLError } from 'yaml';
import type { DiagnosticCode } from './diagnostic-codes.ts';
import type { Issue, Span } from './diagnostic.ts';
import { buildTree, type Tree } from './tree.ts';

/**
 * Far above any real topology, and low enough that no file can hold up or exhaust the process.
 * The counts are of parser tokens, nested collections, and values after aliases are expanded.
 */
export const limits = {
  bytes: 2 ** 20,
  tokens: 100_000,
  depth: 32,
  values: 50_000,
  aliases: 200,
  errors: 100,
} as const;

/** How topologies are read: as YAML 1.2 core, and nothing that surprises. */
export const parseOptions = {
  version: '1.2',
  schema: 'core',
  strict: true,
  // the parser compares every key with every other; the tree finds them at once
  uniqueKeys: false,
  stringKeys: true,
  merge: false,
  resolveKnownTags: false,
  keepSourceTokens: false,
} as const;

/** An issue that the parser found, and where. */
export type Located = { readonly issue: Issue; readonly span: Span };

export type ReadResult = { readonly tree?: Tree; readonly problems: readonly Located[] };

/**
 * Reads YAML 1.2 core, and JSON as the part of it that it is. What makes YAML surprising is refused: directives, tags,
 * merge keys, several documents, keys that are not text or occur twice. Never throws, whatever the text. `language` is
 * what messages call it.
 */
export function readDocument(text: string, language: 'YAML' | 'JSON' = 'YAML'): ReadResult {
  const whole = { start: 0, end: 1 };
  const fail = (code: DiagnosticCode, message: string, hint: string, span: Span = whole): ReadResult => ({
    problems: [{ issue: { path: [], at: 'value', code, message, hint }, span }],
  });

  const nul = text.indexOf('\0');
  if (nul !== -1)
    return fail('encoding', 'a NUL character: this is not plain text', 'save the file as UTF-8', {
      start: nul,
      end: nul + 1,
    });

  const parser = new Parser();
  const tokens = [];
  let count = 0;
  let lastQuote = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme.startsWith('"') || lexeme.startsWith("'")) lastQuote = parser.offset;
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > limits.depth + 1) {
      return fail('too-deep', `more than ${limits.depth} levels of nesting`, 'a topology needs about six', {
        start: parser.offset - 1,
        end: parser.offset,
      });
    }
    if (++count > limits.tokens) return fail('too-large', 'too many values', 'split the file: one cluster each');
  }
  for (const token of parser.end()) tokens.push(token);

  const directive = tokens.find((token) => token.type === 'directive');
  if (directive !== undefined) {
    const span = { start: directive.offset, end: directive.offset + directive.source.length };
    return fail('directive', 'YAML directives are not allowed', 'remove the line; files are read as YAML 1.2', span);
  }
  const second = tokens.filter((token) => token.type === 'document')[1];
  if (second !== undefined) {
    const span = { start: second.offset, end: second.offset + 3 };
    return fail('several-documents', 'a second document starts here', 'one cluster a file: split it', span);
  }

  const documents = [...new Composer(parseOptions).compose(tokens, true, text.length)];
  const document = documents[0];
  if (document === undefined || document.errors.length > 0) {
    const errors = keepFirstOfLine(document?.errors ?? [], text);
    return { problems: errors.map((error) => describeSyntax(error, text, lastQuote, language)) };
  }
  const empty = 'the file is empty';
  if (document.contents === null || text.trim() === '') return fail('empty', empty, 'start with "cluster_name:"');
  return buildTree(document.contents, text, limits);
}

/** What follows in the line of a syntax error is mostly an echo of it. */
function keepFirstOfLine(errors: readonly YAMLError[], text: string): YAMLError[] {
  const kept: YAMLError[] = [];
  let lineEnd = -1;
  for (const error of errors.toSorted((a, b) => a.pos[0] - b.pos[0])) {
    if (kept.length > 0 && error.pos[0] <= lineEnd) continue;
    kept.push(error);
    const newline = text.indexOf('\n', error.pos[0]);
    lineEnd = newline === -1 ? text.length : newline;
    if (kept.length === limits.errors) break;
  }
  return kept;
}

/** The parser's sentence, shortened, and a remedy where the usual reason is known. */
function describeSyntax(error: YAMLError, text: string, lastQuote: number, language: string): Located {
  const [start, end] = error.pos;
  const span = { start, end: Math.max(end, start + 1) };
  const issue = { path: [], at: 'value', code: 'syntax' } as const;
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, end + 40).split('\n')[0] ?? '';
  if (error.code === 'MISSING_CHAR' && error.message.includes('quote')) {
    const message = `not valid ${language}: this quote is never closed`;
    return { issue: { ...issue, message, hint: 'close it' }, span: { start: lastQuote, end: lastQuote + 1 } };
  }
  const unclosed = /end with an? (.)$/.exec(error.message)?.[1];
  if (unclosed !== undefined && !line.includes('${')) {
    // the end of the file says little: the last thing in it is shown
    const last = Math.max(0, Math.min(start, text.trimEnd().length) - 1);
    const message = `not valid ${language}: a "${unclosed}" is missing after this`;
    return { issue: { ...issue, message, hint: 'close every bracket' }, span: { start: last, end: last + 1 } };
  }
  const [reason = ''] = error.message.replace(/ in YAML stream: /, ' ').split('\n');
  const message =
    error.code === 'NON_STRING_KEY'
      ? 'a key must be text'
      : `not valid ${language}: ${reason.slice(0, 1).toLowerCase()}${reason.slice(1)}`;
  const hint = suggestRemedy(error, line);
  return { issue: { ...issue, message, ...(hint === undefined ? {} : { hint }) }, span };
}

function suggestRemedy(error: YAMLError, line: string): string | undefined {
  if (error.code === 'TAB_AS_INDENT') return 'indent with spaces';
  if (line.includes('${')) return 'inside { } and [ ] write "${NAME}" with quotes';
  if (error.code === 'BAD_SCALAR_START' || error.code === 'BAD_ALIAS') return 'put the value in quotes';
  if (error.code === 'BLOCK_AS_IMPLICIT_KEY')
    return 'a value that holds ": " needs quotes, a key the indentation of its neighbours';
  return undefined;
}
