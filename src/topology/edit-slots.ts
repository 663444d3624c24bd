import { isScalar, type Scalar } from 'yaml';
import type { Span } from './diagnostic.ts';
import type { Place } from './edit-place.ts';
import { Refusal } from './edit-refusal.ts';
import { indentAt, lineEnd, lineStart, startsLine, type Splice } from './edit-source.ts';
import { commaOf, firstPair, modelOf, writePair, writeSlots, type Mapping } from './edit-style.ts';

/** What is put where, and what `replicas` then says, as a check. */
export type Change = { readonly splices: readonly Splice[]; readonly replicas: unknown };

/** For each entry of a list the slot that it gives itself. */
export function listIds(
  { slots }: Place,
  written: readonly Readonly<Record<string, unknown>>[],
): (number | undefined)[] {
  return written.map((entry, index) => idOf(entry, slots[index]));
}

/** The slot of an entry, where that gives it itself. */
export function idOf(entry: Readonly<Record<string, unknown>>, slot: number | undefined): number | undefined {
  return 'node_id' in entry ? slot : undefined;
}

/** The value that says how many replicas there are; one that comes from a variable is refused. */
export function numberOf({ pair, group }: Place): Scalar.Parsed {
  const node = pair?.value;
  if (node == null || !isScalar(node)) throw new RangeError('replicas that are neither a number nor a list');
  if (typeof node.value !== 'string') return node;
  const remedy = 'change the variable, or write a number into the file';
  throw new Refusal(`replicas of ${group.name} is ${node.value}: a variable, not a number`, remedy);
}

/** An entry that has a slot by its position alone is given it in writing. */
export function pinSlot({ source, balancer, pair }: Place, item: Mapping, slot: number): Splice {
  const [first, second] = item.items;
  if (first === undefined) {
    const model = modelOf(balancer, pair ?? firstPair(balancer));
    const padding = commaOf(source, balancer) === ',' ? '' : ' ';
    const at = item.range[0] + 1;
    const isPadded = /^\s/.test(source.text.slice(at));
    const written = writePair(source, model, 'node_id', String(slot));
    return { start: at, end: at, text: `${padding}${written}${isPadded ? '' : padding}` };
  }
  const at = first.key.range[0];
  const written = writePair(source, modelOf(item, first), 'node_id', String(slot));
  const break_ = `${source.eol}${source.text.slice(lineStart(source, at), at).replace(/[^\t]/g, ' ')}`;
  if (item.flow !== true) return { start: at, end: at, text: `${written}${break_}` };
  const isOnLines = startsLine(source, at) && (second === undefined || startsLine(source, second.key.range[0]));
  const comma = isOnLines ? `,${source.eol}${indentAt(source, at)}` : commaOf(source, item);
  return { start: at, end: at, text: `${written}${comma}` };
}

/** Puts a list of slots in the place of a value. */
export function writeList(place: Place, value: Span, slots: readonly number[]): readonly Splice[] {
  const { source, balancer, pair, listIndent } = place;
  if (pair === undefined) throw new RangeError('a list without a key');
  const text = writeSlots(source, balancer, { pair, listIndent }, slots);
  if (balancer.flow === true) return [{ ...value, text }];
  const end = lineEnd(source, value.end);
  return [
    { start: source.text.slice(0, value.start).trimEnd().length, end: value.end, text: '' },
    { start: end, end, text },
  ];
}
