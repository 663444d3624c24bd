import { isMap, isPair, isScalar, isSeq, type ParsedNode, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Span } from './diagnostic.ts';
import type { Entries } from './edit-list.ts';
import { Refusal } from './edit-refusal.ts';
import { contentEnd, indentAt, lineStart, startsLine, type SourceText } from './edit-source.ts';

export type ParsedPair = YAMLMap.Parsed['items'][number];
export type Mapping = YAMLMap.Parsed;
export type List = YAMLSeq.Parsed;

const byHand = 'edit the file by hand';

/** The piece of text that a value is, without what follows it. */
export function spanOf(source: SourceText, node: ParsedNode): Span {
  const [start, end, nodeEnd] = node.range;
  const isBlock = (isMap(node) || isSeq(node)) && node.flow !== true;
  return { start, end: isBlock ? contentEnd(source, nodeEnd) : end };
}

function spanOfPair(source: SourceText, { key, value }: ParsedPair): Span {
  return { start: key.range[0], end: value === null ? key.range[1] : spanOf(source, value).end };
}

/** The entries of a list, undefined where it is empty. */
export function entriesOf(source: SourceText, list: List): Entries | undefined {
  const style = list.flow === true ? 'flow' : 'block';
  const spans = list.items.map((item) => {
    const span = spanOf(source, item);
    return style === 'flow' ? span : { start: findDash(source, list, span.start), end: span.end };
  });
  const [first, ...others] = spans;
  if (first === undefined) return undefined;
  return { style, whole: { start: list.range[0], end: list.range[1] }, spans: [first, ...others] };
}

/** Where the dash of a block list's entry stands; it must begin its line. */
function findDash(source: SourceText, list: List, start: number): number {
  const from = Math.max(list.range[0], 0);
  const dash = source.tokens.findLast(
    (token) => token.start >= from && token.end <= start && source.text.slice(token.start, token.end) === '-',
  )?.start;
  if (dash !== undefined && startsLine(source, dash)) return dash;
  throw new Refusal('the list of replicas is written in a way that is not edited', byHand);
}

/** The pairs of a mapping, which has some. */
export function entriesOfMapping(source: SourceText, mapping: Mapping): Entries {
  const [first, ...others] = mapping.items.map((pair) => spanOfPair(source, pair));
  if (first === undefined) throw new RangeError('a mapping without a key');
  const whole = { start: mapping.range[0], end: mapping.range[1] };
  return { style: mapping.flow === true ? 'flow' : 'block', whole, spans: [first, ...others] };
}

export function firstPair(mapping: Mapping): ParsedPair {
  const [first] = mapping.items;
  if (first === undefined) throw new RangeError('a mapping without a key');
  return first;
}

export function findPair(mapping: Mapping, key: string): ParsedPair | undefined {
  return mapping.items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === key);
}

/** `key: value` in the manner of another pair: its quotes, and the space around its colon. */
export function writePair(source: SourceText, model: ParsedPair, key: string, value: string): string {
  return `${quoteLike(source, model.key, key)}${colonOf(source, model)}${value}`;
}

/** The text of a value in the manner of the scalar that it replaces. */
export function writeScalar(source: SourceText, model: Scalar.Parsed, value: string | number): string {
  if (model.type === 'PLAIN' || model.type === 'QUOTE_SINGLE' || model.type === 'QUOTE_DOUBLE') {
    return quoteLike(source, model, String(value));
  }
  throw new Refusal('a value of the last replica is written in a way that is not continued', byHand);
}

function quoteLike({ text }: SourceText, node: ParsedNode, word: string): string {
  const first = text[node.range[0]];
  return first === '"' || first === "'" ? `${first}${word}${first}` : word;
}

function colonOf({ text }: SourceText, { key, value }: ParsedPair): string {
  const between = value === null ? '' : text.slice(key.range[1], value.range[0]);
  return /^[ \t]*:[ \t]*$/.test(between) ? between : ': ';
}

/** A comma with what follows it where a mapping in braces, on one line, has none to show: nothing in compact JSON. */
export function commaOf(source: SourceText, mapping: Mapping): string {
  const pair = mapping.items.find(({ value }) => isScalar(value));
  return pair !== undefined && colonOf(source, pair).endsWith(':') ? ',' : ', ';
}

/**
 * A list of replicas that are nothing but their slots, as it stands behind its key: on lines of its own, starting with a
 * line break, where the balancer is a block mapping; else in brackets.
 */
export function writeSlots(
  source: SourceText,
  balancer: Mapping,
  model: { readonly pair: ParsedPair; readonly listIndent: string },
  slots: readonly number[],
): string {
  const { eol } = source;
  const pairs = slots.map((slot) => writePair(source, modelOf(balancer, model.pair), 'node_id', String(slot)));
  if (balancer.flow !== true) {
    const column = model.pair.key.range[0] - lineStart(source, model.pair.key.range[0]);
    return pairs.map((pair) => `${eol}${' '.repeat(column)}${model.listIndent}- ${pair}`).join('');
  }
  const start = model.pair.key.range[0];
  if (startsLine(source, start) && source.text[start] === '"') {
    const [indent, outer] = [indentAt(source, start), indentAt(source, balancer.range[0])];
    const unit = indent.startsWith(outer) && indent !== outer ? indent.slice(outer.length) : '  ';
    const items = pairs.map((pair) =>
      [`${indent}${unit}{`, `${indent}${unit}${unit}${pair}`, `${indent}${unit}}`].join(eol),
    );
    return `[${eol}${items.join(`,${eol}`)}${eol}${indent}]`;
  }
  const padding = paddingOf(source, balancer);
  return `[${pairs.map((pair) => `{${padding}${pair}${padding}}`).join(commaOf(source, balancer))}]`;
}

/** A pair whose value stands in its line. */
export function modelOf(mapping: Mapping, pair: ParsedPair): ParsedPair {
  return isScalar(pair.value) ? pair : (mapping.items.find(({ value }) => isScalar(value)) ?? pair);
}

/** The space behind the opening brace of a mapping, on its line. */
function paddingOf({ text }: SourceText, mapping: Mapping): string {
  const [, padding = '', next] = /^\{([ \t]*)(.)?/s.exec(text.slice(mapping.range[0])) ?? [];
  return next === '\n' || next === '\r' ? ' ' : padding;
}
