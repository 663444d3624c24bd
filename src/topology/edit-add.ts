import { isMap, isScalar, isSeq } from 'yaml';
import { appendEntry } from './edit-list.ts';
import { findNext, type NextValues } from './edit-next.ts';
import { findPins, readEntries, type EditContext, type Place } from './edit-place.ts';
import { Refusal } from './edit-refusal.ts';
import { idOf, listIds, numberOf, pinSlot, writeList, type Change } from './edit-slots.ts';
import { copyPiece, indentAt, leaveOutNotes, listComments, nextContent, type Splice } from './edit-source.ts';
import {
  commaOf,
  entriesOf,
  entriesOfMapping,
  modelOf,
  spanOf,
  writePair,
  writeScalar,
  firstPair,
  type List,
  type Mapping,
} from './edit-style.ts';

/** Adds one replica to a list, or as many as are asked for to a number. */
export function addTo(place: Place, count: number, context: EditContext): Change {
  const { source, balancer, pair, slots } = place;
  if (pair === undefined) {
    const written = writePair(source, modelOf(balancer, firstPair(balancer)), 'replicas', String(count));
    const splices = appendEntry(source, entriesOfMapping(source, balancer), written, commaOf(source, balancer));
    return { splices, replicas: count };
  }
  if (isSeq(pair.value)) {
    const next = findNext(place.topology, place.group, context.others, context.env);
    return addEntry(place, pair.value, next);
  }
  return {
    splices: [{ ...spanOf(source, numberOf(place)), text: String(slots.length + count) }],
    replicas: slots.length + count,
  };
}

function addEntry(place: Place, list: List, next: NextValues): Change {
  const { source, balancer } = place;
  const entries = entriesOf(source, list);
  const written = readEntries(place);
  const [item, sibling] = [list.items.at(-1), written.at(-1)];
  if (entries === undefined || item === undefined || sibling === undefined) {
    return { splices: fillEmpty(place, list, next.slot), replicas: [{ node_id: next.slot }] };
  }
  if (!isMap(item))
    throw new Refusal('the last replica is an alias, which cannot be continued', 'edit the file by hand');
  const { splices, values } = continueEntry(place, item, next);
  const pins = findPins([...listIds(place, written), idOf(sibling, next.slot)], [...place.slots, next.slot]);
  const pin = pins.has(written.length) ? [pinSlot(place, item, next.slot)] : [];
  const piece = entries.spans.at(-1) ?? entries.spans[0];
  const entry = copyPiece(source.text, piece, [...pin, ...splices, ...leaveOutNotes(source, piece)]);
  const added = { ...sibling, ...values, ...(pin.length === 0 ? {} : { node_id: next.slot }) };
  return {
    splices: appendEntry(source, entries, entry, commaOf(source, item.items.length > 0 ? item : balancer)),
    replicas: [...written, added],
  };
}

/** Values of the new replica, in place of those of the one that it is a copy of. */
function continueEntry(
  place: Place,
  item: Mapping,
  next: NextValues,
): { readonly splices: readonly Splice[]; readonly values: Readonly<Record<string, unknown>> } {
  const written = readEntries(place);
  const textsOf = (key: string): string[] =>
    written.flatMap((entry) => (typeof entry[key] === 'string' ? [entry[key]] : []));
  const find: Readonly<Record<string, () => string | number>> = {
    node_id: () => next.slot,
    host: () => next.name(textsOf('host')),
    container_name: () => next.name(textsOf('container_name')),
    ip_address: next.address,
    port: next.port,
  };
  const splices: Splice[] = [];
  const values: Record<string, unknown> = {};
  for (const { key, value } of item.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const take = find[name];
    if (take === undefined) continue;
    if (!isScalar(value))
      throw new Refusal(`${name} of the last replica is an alias, which cannot be continued`, 'edit the file by hand');
    const isName = name === 'host' || name === 'container_name';
    if (!isName && typeof value.value === 'string' && value.value.includes('${')) {
      throw new Refusal(
        `${name} of the last replica is ${value.value}: what comes after a variable is not known`,
        'add the replica to the file by hand',
      );
    }
    values[name] = take();
    splices.push({ ...spanOf(place.source, value), text: writeScalar(place.source, value, take()) });
  }
  return { splices, values };
}

function fillEmpty(place: Place, list: List, slot: number): readonly Splice[] {
  const { source, balancer, pair } = place;
  const model = modelOf(balancer, pair ?? firstPair(balancer));
  const span = spanOf(source, list);
  const comment = listComments(source, span).at(-1);
  if (comment === undefined) return writeList(place, span, [slot]);
  // the comments of a list without entries stay above its first
  const entry = `{ ${writePair(source, model, 'node_id', String(slot))} }`;
  const text = `${source.eol}${indentAt(source, nextContent(source, comment.end))}  ${entry}`;
  return [{ start: comment.end, end: comment.end, text }];
}
