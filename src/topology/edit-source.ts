import { CST, Lexer } from 'yaml';
import type { Span } from './diagnostic.ts';

type Token = Span & { readonly kind: 'space' | 'newline' | 'comment' | 'anchor' | 'other' };

/** A piece of the text, and what is to stand in its place. */
export type Splice = Span & { readonly text: string };

/** A text that is edited: what stands where, which a parsed document does not tell. Offsets count UTF-16 units. */
export type SourceText = { readonly text: string; readonly tokens: readonly Token[]; readonly eol: string };

export function createSourceText(text: string): SourceText {
  return { text, tokens: listTokens(text), eol: /\r?\n/.exec(text)?.[0] ?? '\n' };
}

/** The text with pieces of it replaced, which do not overlap; of two at one place the first given comes first. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text: inserted } of splices.toSorted((a, b) => a.start - b.start)) {
    if (start < at) throw new RangeError('pieces that overlap');
    result += text.slice(at, start) + inserted;
    at = end;
  }
  return result + text.slice(at);
}

/** The piece of the text, with splices within it applied. */
export function copyPiece(text: string, { start, end }: Span, splices: readonly Splice[]): string {
  const moved = splices.map((splice) => ({ ...splice, start: splice.start - start, end: splice.end - start }));
  return applySplices(text.slice(start, end), moved);
}

export function lineStart({ text }: SourceText, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Where the line that holds the offset ends, before its line break. */
export function lineEnd({ text }: SourceText, offset: number): number {
  const newline = text.indexOf('\n', offset);
  if (newline === -1) return text.length;
  return newline > offset && text[newline - 1] === '\r' ? newline - 1 : newline;
}

/** The white space that the line of the offset starts with. */
export function indentAt(source: SourceText, offset: number): string {
  return /^[ \t]*/.exec(source.text.slice(lineStart(source, offset), offset))?.[0] ?? '';
}

/** Whether nothing but white space stands before the offset in its line. */
export function startsLine(source: SourceText, offset: number): boolean {
  return source.text.slice(lineStart(source, offset), offset).trim() === '';
}

/** Where the last thing before the offset ends that is neither white space nor a comment. */
export function contentEnd({ text, tokens }: SourceText, offset: number): number {
  const last = tokens.findLast(({ end, kind }) => end <= offset && (kind === 'other' || kind === 'anchor'));
  // the text of a block scalar reaches over its line break
  return last === undefined ? 0 : last.start + text.slice(last.start, last.end).trimEnd().length;
}

/** The offset of the next thing from there on that is neither white space nor a comment. */
export function nextContent({ text, tokens }: SourceText, offset: number): number {
  return tokens.find(({ start, kind }) => start >= offset && kind === 'other')?.start ?? text.length;
}

export function listComments({ tokens }: SourceText, { start, end }: Span): readonly Span[] {
  return tokens.filter((token) => token.kind === 'comment' && token.start >= start && token.end <= end);
}

function listAnchors({ tokens }: SourceText, { start, end }: Span): readonly Span[] {
  return tokens.filter((token) => token.kind === 'anchor' && token.start >= start && token.end <= end);
}

/** What a copy of the piece leaves out: its comments, which speak of the original, and its anchors, which name it. */
export function leaveOutNotes(source: SourceText, piece: Span): readonly Splice[] {
  const notes = [...listComments(source, piece), ...listAnchors(source, piece)];
  return notes.map(({ start, end }) => {
    const before = startsLine(source, start)
      ? lineBreakBefore(source, lineStart(source, start))
      : source.text.slice(0, start).trimEnd().length;
    return { start: Math.max(piece.start, before), end, text: '' };
  });
}

/** Where the line break ahead of this start of a line begins. */
export function lineBreakBefore({ text }: SourceText, start: number): number {
  if (start === 0) return 0;
  return text[start - 2] === '\r' ? start - 2 : start - 1;
}

const marks: ReadonlySet<string> = new Set([CST.DOCUMENT, CST.FLOW_END, CST.SCALAR]);

function listTokens(text: string): Token[] {
  const tokens: Token[] = [];
  let start = 0;
  let isScalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme);
    // marks of the lexer's own, which are no part of the text; what follows a scalar's is text, whatever it looks like
    if (marks.has(lexeme)) {
      isScalar = type === 'scalar';
      continue;
    }
    const end = start + lexeme.length;
    tokens.push({ start, end, kind: isScalar ? 'other' : kindOf(type) });
    isScalar = false;
    start = end;
  }
  return tokens;
}

function kindOf(type: string | null): Token['kind'] {
  return type === 'space' || type === 'newline' || type === 'comment' || type === 'anchor' ? type : 'other';
}
