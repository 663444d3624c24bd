import type { Paint } from '../output.ts';

/** A column of a table; where it is too wide, those with the highest `spare` are left out first. */
export type Column = {
  readonly title: string;
  readonly cells: readonly string[];
  /** Undefined: always shown. */
  readonly spare?: number;
  readonly paint?: (cell: string) => string;
};

export type TableOptions = {
  readonly paint: Paint;
  /** Columns of the terminal; undefined: as wide as it gets. */
  readonly width: number | undefined;
  /** Before each line; two spaces unless given. */
  readonly indent?: string;
  /** What is said of each row: at its end, and where that is too wide for any, below it. */
  readonly notes?: { readonly title: string; readonly cells: readonly string[] };
};

const gap = '  ';

/** A table as lines, its titles first; columns that say nothing in any row are left out. */
export function renderTable(columns: readonly Column[], options: TableOptions): readonly string[] {
  const { paint, width, notes, indent = '  ' } = options;
  const room = width === undefined ? Infinity : width - indent.length;
  const shown = chooseColumns(
    columns.filter(({ cells, spare }) => spare === undefined || cells.some((cell) => cell !== '')),
    room,
  );
  const said = notes?.cells ?? [];
  const hasNotes = said.some((note) => note !== '');
  const longest = Math.max(0, ...said.map((note) => note.length));
  const isBeside = widthOf(shown) + gap.length + longest <= room;
  const titles = shown.map(({ title, cells }) => title.padEnd(widest(title, cells)));
  const head = hasNotes && isBeside ? [...titles, notes?.title ?? ''] : titles;
  const count = Math.max(0, ...columns.map(({ cells }) => cells.length));
  const rows = Array.from({ length: count }, (_, row) => {
    const cells = shown.map(({ title, cells: all, paint: paintCell }) => {
      const cell = all[row] ?? '';
      const padding = ' '.repeat(widest(title, all) - cell.length);
      return `${paintCell === undefined || cell === '' ? cell : paintCell(cell)}${padding}`;
    });
    const note = said[row] ?? '';
    const line = `${indent}${[...cells, ...(isBeside ? [note] : [])].join(gap)}`.trimEnd();
    return isBeside || note === '' ? [line] : [line, `${indent}${gap}${gap}${note}`];
  });
  return [paint('dim', `${indent}${head.join(gap)}`.trimEnd()), ...rows.flat()];
}

function chooseColumns(columns: readonly Column[], room: number): readonly Column[] {
  const spares = columns.flatMap(({ spare }) => spare ?? []);
  if (spares.length === 0 || widthOf(columns) <= room) return columns;
  const most = Math.max(...spares);
  const left = columns.filter(({ spare }) => spare !== most);
  return chooseColumns(left, room);
}

function widthOf(columns: readonly Column[]): number {
  const widths = columns.map(({ title, cells }) => widest(title, cells));
  return widths.reduce((sum, width) => sum + width, gap.length * (columns.length - 1));
}

function widest(title: string, cells: readonly string[]): number {
  return Math.max(title.length, ...cells.map((cell) => cell.length));
}
