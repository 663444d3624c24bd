import { isMap, isSeq } from 'yaml';
import { removeEntry } from './edit-list.ts';
import { findPins, readEntries, refuseRepeated, type Place } from './edit-place.ts';
import { Refusal } from './edit-refusal.ts';
import { listIds, numberOf, pinSlot, writeList, type Change } from './edit-slots.ts';
import { contentEnd } from './edit-source.ts';
import { entriesOf, spanOf, type List } from './edit-style.ts';

/** Takes the replica of a slot out, and has the others keep theirs. */
export function removeFrom(place: Place, slot: number): Change {
  const { source, pair, slots } = place;
  if (pair?.value != null && isSeq(pair.value)) return removeFromList(place, pair.value, slots.indexOf(slot));
  const span = spanOf(source, numberOf(place));
  const count = slots.length - 1;
  if (slot === slots.length) return { splices: [{ ...span, text: String(count) }], replicas: count };
  const left = slots.filter((each) => each !== slot);
  return { splices: writeList(place, span, left), replicas: left.map((each) => ({ node_id: each })) };
}

function removeFromList(place: Place, list: List, index: number): Change {
  const { source, slots } = place;
  const entries = entriesOf(source, list);
  const piece = entries?.spans[index];
  if (entries === undefined || piece === undefined) throw new RangeError('no such replica in the list');
  refuseRepeated(place, piece, 'what goes');
  const written = readEntries(place);
  const others = <T>(items: readonly T[]): T[] => items.filter((_, at) => at !== index);
  const pins = findPins(others(listIds(place, written)), others(slots));
  const leftItems = others(list.items);
  const left = others(written).map((entry, at) => (pins.has(at) ? { ...entry, node_id: others(slots)[at] } : entry));
  const pinned = [...pins].map((at) => {
    const item = leftItems[at];
    if (!isMap(item)) throw new Refusal('a replica is an alias, and would get another slot', 'edit the file by hand');
    return pinSlot(place, item, others(slots)[at] ?? 0);
  });
  const isLastBlock = entries.style === 'block' && left.length === 0;
  const at = contentEnd(source, piece.start);
  const empty = isLastBlock ? [{ start: at, end: at, text: ' []' }] : [];
  return { splices: [...empty, ...pinned, ...removeEntry(source, entries, index)], replicas: left };
}
