import { isAlias, isMap, isSeq, parseDocument, visit, type ParsedNode } from 'yaml';
import { parseOptions } from './document.ts';
import type { Span } from './diagnostic.ts';
import { Refusal } from './edit-refusal.ts';
import { createSourceText, type SourceText } from './edit-source.ts';
import { entriesOf, findPair, type List, type Mapping, type ParsedPair } from './edit-style.ts';
import type { Environment } from './interpolate.ts';
import type { Group, Topology } from './model.ts';
import { readTopology } from './parse.ts';
import { assignSlots } from './resolve.ts';
import { toValue } from './tree.ts';

/** Where a text comes from, and what else is on the host. */
export type EditContext = {
  readonly file: string;
  readonly env: Environment;
  readonly cwd: string;
  /** Topologies of other files. */
  readonly others: readonly Topology[];
};

/** A file that is sound, and where in it the replicas of a group stand. */
export type Place = {
  readonly source: SourceText;
  /** As written: variables are not replaced. */
  readonly value: unknown;
  readonly topology: Topology;
  readonly group: Group;
  /** Position in `balancers`. */
  readonly index: number;
  readonly balancer: Mapping;
  /** Absent where the key is. */
  readonly pair: ParsedPair | undefined;
  /** How far a list is indented more than its key. */
  readonly listIndent: string;
  /** Slots in the order of the list, or counted up. */
  readonly slots: readonly number[];
};

/** Finds the replicas of a group in a text without a byte order mark. */
export function findPlace(text: string, name: string, { file, env, cwd }: EditContext): Place {
  const { content, diagnostics } = readTopology(text, file, env, cwd);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (content === undefined || errors.length > 0) {
    throw new Refusal(`${file} is not valid`, 'correct it first; nothing was changed', errors);
  }
  const { topology, origins } = content.resolved;
  const index = topology.groups.findIndex((group) => group.name === name);
  const group = topology.groups[index];
  const root = parseDocument(text, parseOptions).contents;
  if (group === undefined || !isMap(root)) throw new RangeError(`no group ${name} in ${file}`);
  const source = createSourceText(text);
  const list = findPair(root, 'balancers')?.value;
  const balancer = isSeq(list) ? list.items[index] : undefined;
  if (!isSeq(list) || !isMap(balancer)) throw refuseShared(`the balancer ${name}`);
  const pair = findPair(balancer, 'replicas');
  if (pair !== undefined && isAlias(pair.value)) throw refuseShared(`replicas of ${name}`);
  refuseAnchors(root, [root, list, balancer, ...(pair?.value == null ? [] : [pair.value])], `replicas of ${name}`);
  const order = group.nodes
    .slice(1)
    .map((node) => ({ slot: node.slot, at: Number(origins.get(node)?.[3] ?? 0) }))
    .toSorted((a, b) => a.at - b.at || a.slot - b.slot);
  return {
    source,
    value: toValue(content.tree),
    topology,
    group,
    index,
    balancer,
    pair,
    listIndent: findListIndent(source, root, list),
    slots: order.map(({ slot }) => slot),
  };
}

/** Refuses to take a piece out that other parts of the file repeat by an alias. */
export function refuseRepeated(place: Place, piece: Span, what: string): void {
  const root = parseDocument(place.source.text, parseOptions).contents;
  const anchors = new Set<string>();
  const within = ({ range }: ParsedNode): boolean => range[0] >= piece.start && range[0] < piece.end;
  visit(root, {
    Node: (_key, node) => {
      if (!isAlias(node) && node.range != null && within(node as ParsedNode) && node.anchor !== undefined)
        anchors.add(node.anchor);
    },
  });
  visit(root, {
    Alias: (_key, alias) => {
      if (anchors.has(alias.source) && !within(alias as ParsedNode)) throw refuseShared(what);
    },
  });
}

function refuseAnchors(root: Mapping, nodes: readonly ParsedNode[], what: string): void {
  const anchors = new Set(nodes.flatMap((node) => (isAlias(node) ? [] : (node.anchor ?? []))));
  visit(root, {
    Alias: (_key, { source }) => {
      if (anchors.has(source)) throw refuseShared(what);
    },
  });
}

function refuseShared(what: string): Refusal {
  return new Refusal(`${what} is shared with another part of the file by an alias`, 'edit the file by hand');
}

function findListIndent(source: SourceText, root: Mapping, list: List): string {
  const key = findPair(root, 'balancers')?.key;
  const entries = list.flow === true ? undefined : entriesOf(source, list);
  if (key === undefined || entries === undefined) return '  ';
  const column = (offset: number): number => offset - (source.text.lastIndexOf('\n', offset - 1) + 1);
  return ' '.repeat(Math.max(0, column(entries.spans[0].start) - column(key.range[0])));
}

/** The slots that are left as they are where one entry of a list goes: for each other whether it must be written out. */
export function findPins(ids: readonly (number | undefined)[], slots: readonly number[]): ReadonlySet<number> {
  const pins = new Set<number>();
  for (;;) {
    const given = ids.map((id, index) => id ?? (pins.has(index) ? slots[index] : undefined));
    const moved = assignSlots(given).findIndex((slot, index) => slot !== slots[index]);
    if (moved === -1) return pins;
    pins.add(moved);
  }
}

/** The entries of the list as written. */
export function readEntries({ value, index }: Place): readonly Readonly<Record<string, unknown>>[] {
  const { balancers } = asRecord(value);
  const { replicas } = asRecord(Array.isArray(balancers) ? balancers[index] : undefined);
  return Array.isArray(replicas) ? replicas.map(asRecord) : [];
}

/** The keys of a mapping; none where it is something else. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
