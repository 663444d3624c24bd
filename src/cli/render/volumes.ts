import type { ListedVolume } from '../../reconcile/list-volumes.ts';
import { formatSize } from './size.ts';
import { renderTable, type TableOptions } from './table.ts';

/** Bytes by volume; undefined: not asked for. */
export type Sizes = ReadonlyMap<string, number> | undefined;

/** Data volumes as lines of a table, no wider than `width` columns where that can be. */
export function renderVolumes(
  volumes: readonly ListedVolume[],
  sizes: Sizes,
  { paint, width }: Pick<TableOptions, 'paint' | 'width'>,
): readonly string[] {
  const sized = volumes.map(({ name }) => sizeOf(sizes?.get(name)));
  return renderTable(
    [
      { title: 'CLUSTER', cells: volumes.map(({ cluster }) => cluster), spare: 2 },
      { title: 'GROUP', cells: volumes.map(({ group }) => group), spare: 3 },
      { title: 'NODE', cells: volumes.map(({ node }) => node) },
      { title: 'GENERATION', cells: volumes.map(({ generation }) => String(generation)), spare: 4 },
      { title: 'STATE', cells: volumes.map(stateOf) },
      ...(sizes === undefined ? [] : [{ title: 'SIZE', cells: sized }]),
      { title: 'CREATED', cells: volumes.map(({ createdAt }) => createdAt), spare: 1 },
      { title: 'NAME', cells: volumes.map(({ name }) => name) },
    ],
    { paint, width, indent: '', notes: { title: 'NOTE', cells: volumes.map(({ note }) => note) } },
  );
}

/** `in use`: a container mounts it, running or not. */
export function stateOf({ usedBy }: ListedVolume): 'in use' | 'kept' {
  return usedBy.length > 0 ? 'in use' : 'kept';
}

/** A volume as a person is asked about it. */
export function describeVolume({ cluster, group, node, generation, createdAt, note }: ListedVolume): string {
  return `cluster ${cluster}, group ${group}, ${node}, generation ${String(generation)}, of ${createdAt}; ${note}`;
}

function sizeOf(bytes: number | undefined): string {
  return bytes === undefined ? '?' : formatSize(bytes);
}
