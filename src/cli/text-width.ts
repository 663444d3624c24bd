import { stripVTControlCharacters } from 'node:util';
import measure from 'fast-string-truncated-width';
import { sgr } from './neutral.ts';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** How many columns of a terminal a text takes; escape sequences take none. */
export function widthOf(text: string): number {
  return measure(text).width;
}

/** How many rows a terminal of so many columns shows a line in: what is wide and does not fit whole goes into the next. */
export function rowsOf(line: string, columns: number): number {
  if (widthOf(line) <= columns) return 1;
  let rows = 1;
  let used = 0;
  for (const { segment } of segmenter.segment(stripVTControlCharacters(line))) {
    const width = widthOf(segment);
    const fits = used + width <= columns;
    rows += fits ? 0 : 1;
    used = fits ? used + width : width;
  }
  return rows;
}

/** The text, cut so that it takes no more columns, with the ellipsis where something was cut. Takes no escape sequences. */
export function truncate(text: string, columns: number, ellipsis: string): string {
  if (widthOf(text) <= columns) return text;
  const room = columns - widthOf(ellipsis);
  if (room < 0) return cut(text, columns);
  return `${cut(text, room).trimEnd()}${ellipsis}`;
}

/** The text, which may be painted, cut in the same way; what paints it ends with it. */
export function fit(text: string, columns: number, ellipsis: string): string {
  const { index, ellipsed, truncated } = measure(text, { limit: columns, ellipsis, ellipsisWidth: widthOf(ellipsis) });
  if (!truncated) return text;
  return `${text.slice(0, index)}${ellipsed ? ellipsis : ''}${text.includes('\u001b') ? sgr(0) : ''}`;
}

/** The text with spaces after it, so that it takes this many columns. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** Space of any kind, and what else of a terminal's commands is left. */
const controls = /[\s\p{Cc}]+/gu;

/** One line without anything a terminal would obey, e.g. of a message that came from elsewhere. */
export function flatten(text: string): string {
  return stripVTControlCharacters(text).replaceAll(controls, ' ').trim();
}

// Between what a person sees as characters: an emoji of several code points stays whole.
function cut(text: string, columns: number): string {
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    width += widthOf(segment);
    if (width > columns) break;
    kept += segment;
  }
  return kept;
}
