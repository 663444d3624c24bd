import type { Span } from './diagnostic.ts';
import {
  copyPiece,
  indentAt,
  leaveOutNotes,
  lineBreakBefore,
  lineEnd,
  lineStart,
  listComments,
  nextContent,
  startsLine,
  type SourceText,
  type Splice,
} from './edit-source.ts';

/**
 * A list, or the pairs of a mapping, with the pieces of text that are its entries: of a block list each from its dash on.
 * There is an entry at least.
 */
export type Entries = {
  readonly style: 'block' | 'flow';
  /** From bracket to bracket, where there are any. */
  readonly whole: Span;
  readonly spans: readonly [Span, ...Span[]];
};

/** Puts an entry behind the last one, set apart as that one is. `comma` stands between two where there is only one. */
export function appendEntry(source: SourceText, entries: Entries, entry: string, comma: string): readonly Splice[] {
  const last = lastOf(entries);
  if (entries.style === 'flow' && !hasOwnLines(source, last)) return appendInLine(source, entries, entry, comma);
  const gap = entries.spans.length > 1 && isBlankAbove(source, headStart(source, last.start)) ? source.eol : '';
  const lines = `${gap}${source.eol}${columnOf(source, last.start)}${entry}`;
  if (entries.style === 'block') return [insert(lineEnd(source, last.end), lines)];
  const next = nextContent(source, last.end);
  if (source.text[next] === ',') return [insert(lineEnd(source, next), `${lines},`)];
  return [insert(last.end, ','), insert(lineEnd(source, last.end), lines)];
}

/**
 * Takes an entry out, with its comment in the line, the comment lines right above it, and a blank line that set it apart
 * and would stand there twice, at the end or at the beginning. What stands above the first entry may be the title of the
 * list: it stays, unless the next entry has such lines too.
 */
export function removeEntry(source: SourceText, entries: Entries, index: number): readonly Splice[] {
  const span = entries.spans[index];
  if (span === undefined) return [];
  if (entries.style === 'block') return [findLines(source, entries, index)];
  const splices = hasOwnLines(source, span)
    ? [findLines(source, entries, index), ...removeComma(source, entries, index)]
    : removeInLine(source, entries, index);
  if (entries.spans.length > 1) return splices;
  const { start, end } = entries.whole;
  const left = copyPiece(source.text, { start: start + 1, end: end - 1 }, splices);
  return left.trim() === '' ? [{ start, end, text: '[]' }] : splices;
}

function lastOf({ spans }: Entries): Span {
  return spans.at(-1) ?? spans[0];
}

/** As much space as stands before the offset in its line, or would if nothing else did. */
function columnOf({ text }: SourceText, offset: number): string {
  return text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset).replace(/[^\t]/g, ' ');
}

function insert(at: number, text: string): Splice {
  return { start: at, end: at, text };
}

/** Whether an entry in brackets shares its lines with nothing but a comma and comments. */
function hasOwnLines(source: SourceText, { start, end }: Span): boolean {
  if (!startsLine(source, start)) return false;
  const next = nextContent(source, end);
  const after = source.text[next] === ',' ? nextContent(source, next + 1) : next;
  return after > lineEnd(source, end);
}

function appendInLine(source: SourceText, { spans }: Entries, entry: string, comma: string): readonly Splice[] {
  const last = spans.at(-1) ?? spans[0];
  const before = spans.at(-2);
  const between = before === undefined ? undefined : { start: before.end, end: last.start };
  const separator = between === undefined ? comma : copyPiece(source.text, between, leaveOutNotes(source, between));
  const endOfLine = lineEnd(source, last.end);
  // where commas lead lines, a comment behind the last entry stays with it
  const isApart = /^\s*\n/.test(separator) && nextContent(source, last.end) > endOfLine;
  return [insert(isApart ? endOfLine : last.end, separator + entry)];
}

function removeInLine(source: SourceText, { spans }: Entries, index: number): readonly Splice[] {
  const { text } = source;
  const [span, before, after] = [spans[index] ?? spans[0], spans[index - 1], spans[index + 1]];
  if (after !== undefined) {
    const between = { start: span.end, end: after.start };
    const comma = nextContent(source, span.end);
    const isLineEnd = nextContent(source, comma + 1) > lineEnd(source, comma);
    const end = isLineEnd ? lineEnd(source, comma) : comma + 1;
    return [{ start: span.start, end: listComments(source, between).length === 0 ? after.start : end, text: '' }];
  }
  if (before === undefined) {
    const comma = nextContent(source, span.end);
    const trailing = text[comma] === ',' ? [{ start: comma, end: comma + 1, text: '' }] : [];
    return [{ ...span, text: '' }, ...trailing];
  }
  if (listComments(source, { start: before.end, end: span.start }).length === 0) {
    return [{ start: before.end, end: span.end, text: '' }];
  }
  const comma = nextContent(source, before.end);
  const isAdjacent = text.slice(comma + 1, span.start).trim() === '';
  const from = text.slice(0, isAdjacent ? comma : span.start).trimEnd().length;
  // what follows must not become part of a comment
  const endsLine = lineEnd(source, span.end) === span.end;
  const isComment = listComments(source, { start: 0, end: from }).some(({ end }) => end === from);
  const start = isComment && !endsLine ? (isAdjacent ? comma : span.start) : from;
  const removed = { start, end: span.end, text: '' };
  return isAdjacent ? [removed] : [{ start: comma, end: comma + 1, text: '' }, removed];
}

/** The comma that an entry with lines of its own leaves behind elsewhere. */
function removeComma(source: SourceText, { spans }: Entries, index: number): readonly Splice[] {
  const span = spans[index] ?? spans[0];
  const next = nextContent(source, span.end);
  const before = spans[index - 1];
  if (source.text[next] === ',') {
    return next < lineEnd(source, span.end) ? [] : [{ start: next, end: next + 1, text: '' }];
  }
  if (before === undefined) return [];
  const comma = nextContent(source, before.end);
  return [{ start: comma, end: comma + 1, text: '' }];
}

/** The lines of an entry and of what goes with it, with the line break ahead of them. */
function findLines(source: SourceText, { spans }: Entries, index: number): Splice {
  const { start, end } = spans[index] ?? spans[0];
  const next = spans[index + 1];
  const keepsHead =
    index === 0 && (next === undefined || headStart(source, next.start) === lineStart(source, next.start));
  const head = keepsHead ? lineStart(source, start) : headStart(source, start);
  const last = lineEnd(source, end);
  const [isOnlyOrLater, isBlank] = [index > 0 || next === undefined, isBlankBelow(source, last)];
  // of the blank lines around the first entry the one below goes: what follows is first now
  const to = isOnlyOrLater || !isBlank ? last : lineEnd(source, last + source.text.slice(last).indexOf('\n') + 1);
  const goesBlank = isOnlyOrLater && (isBlank || (index > 0 && next === undefined));
  const from = goesBlank && isBlankAbove(source, head) ? lineStart(source, lineBreakBefore(source, head)) : head;
  return { start: lineBreakBefore(source, from), end: to, text: '' };
}

/** Where the comment lines right above an entry start that are indented as it is, or its own line. */
function headStart(source: SourceText, start: number): number {
  const indent = indentAt(source, start);
  let head = lineStart(source, start);
  for (;;) {
    const above = lineStart(source, lineBreakBefore(source, head));
    const comment = above + indent.length;
    const isComment = source.tokens.some((token) => token.kind === 'comment' && token.start === comment);
    if (head === 0 || !isComment || !startsLine(source, comment)) return head;
    head = above;
  }
}

function isBlankAbove(source: SourceText, start: number): boolean {
  const above = lineBreakBefore(source, start);
  return start > 0 && source.text.slice(lineStart(source, above), above).trim() === '';
}

function isBlankBelow(source: SourceText, end: number): boolean {
  const below = source.text.indexOf('\n', end) + 1;
  return below > 0 && below < source.text.length && source.text.slice(below, lineEnd(source, below)).trim() === '';
}
