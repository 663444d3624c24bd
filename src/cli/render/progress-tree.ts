import { painter, type Paint, type Style } from '../output.ts';
import type { Size } from '../terminal.ts';
import { flatten, pad, truncate, widthOf } from '../text-width.ts';
import { isChange, toRows, type Row, type RowState } from './progress-rows.ts';
import type { ProgressState } from './progress-state.ts';

/** The terminal that the tree is for. */
export type View = Size & { readonly colour: boolean; readonly unicode: boolean };

type Glyphs = Readonly<Record<Exclude<RowState, 'running'>, string>> & {
  readonly spinner: readonly string[];
  readonly ellipsis: string;
};

const unicodeGlyphs: Glyphs = {
  spinner: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
  waiting: '·',
  failed: '✖',
  skipped: '!',
  done: '✔',
  ellipsis: '…',
};

const asciiGlyphs: Glyphs = {
  spinner: ['|', '/', '-', '\\'],
  waiting: '.',
  failed: 'x',
  skipped: '!',
  done: '*',
  ellipsis: '...',
};

const symbolStyles: Readonly<Record<RowState, Style>> = {
  running: 'cyan',
  waiting: 'dim',
  failed: 'red',
  skipped: 'yellow',
  done: 'green',
};

/** Milliseconds a picture of the spinner stays. */
const spinnerPause = 100;

/** Columns of the times, right-aligned, at least; only minutes take more. */
const leastTimeColumns = 6;

/** The part of a line that names may take. */
const nameShare = 0.45;

/**
 * The tree as lines: one fewer than the terminal has, so that the cursor has its place below, and none into the last
 * column, where terminals differ in what comes next. What does not fit is counted in the last line.
 */
export function viewTree(state: ProgressState, now: number, view: View): readonly string[] {
  const rows = toRows(state, now);
  const room = Math.max(0, view.rows - 1);
  if (rows.length <= room) return layOut(rows, now, view);
  const shown = choose(rows, Math.max(0, room - 1));
  const rest = rows.filter((row) => !shown.has(row));
  const summary = painter(view.colour)('dim', clip(`  ${ellipsisOf(view)} ${summarise(rest)}`, view));
  return [...layOut([...shown], now, view), summary].slice(0, room);
}

/** What was done, for good: all of it, however long, without what was only waited for. */
export function viewEnd(state: ProgressState, now: number, view: View): readonly string[] {
  const clusters = state.clusters
    .map((cluster) => ({
      ...cluster,
      resources: cluster.resources.filter(({ steps }) => {
        return steps.some((step) => isChange(step) || step.progress.is === 'failed');
      }),
    }))
    .filter(({ resources }) => resources.length > 0);
  return layOut(toRows({ ...state, clusters }, now), now, view);
}

// In the order of the tree. A cluster's own line is as urgent as what failed in it, else as what is under way.
function choose(rows: readonly Row[], count: number): ReadonlySet<Row> {
  const broken = new Set(rows.filter(({ state }) => state === 'failed').map(({ cluster }) => cluster));
  const urgency = ({ isHead, state, cluster }: Row): number => {
    if (isHead) return broken.has(cluster) ? 0 : state === 'done' ? 5 : 2;
    return { failed: 1, running: 3, waiting: 4, skipped: 4, done: 6 }[state];
  };
  const urgent = new Set(rows.toSorted((one, other) => urgency(one) - urgency(other)).slice(0, count));
  return new Set(rows.filter((row) => urgent.has(row)));
}

function summarise(rows: readonly Row[]): string {
  const heads = rows.filter(({ isHead }) => isHead).length;
  const count = (state: RowState): number => rows.filter((row) => !row.isHead && row.state === state).length;
  const words = [
    ['failed', 'failed'],
    ['running', 'under way'],
    ['waiting', 'waiting'],
    ['skipped', 'not finished'],
    ['done', 'done'],
  ] as const;
  const parts = words.flatMap(([state, word]) => (count(state) === 0 ? [] : [`${String(count(state))} more ${word}`]));
  return [...parts, ...(heads === 0 ? [] : [`${String(heads)} more clusters`])].join(', ');
}

function layOut(rows: readonly Row[], now: number, view: View): readonly string[] {
  const most = Math.floor(view.columns * nameShare);
  const widest = Math.max(0, ...rows.map((row) => indentOf(row) + widthOf(row.name)));
  const times = Math.max(leastTimeColumns, ...rows.map((row) => timeOf(row).length));
  const columns = { name: Math.min(most, widest), time: times };
  return rows.map((row) => layOutRow(row, columns, now, view));
}

type Columns = { readonly name: number; readonly time: number };

function layOutRow(row: Row, columns: Columns, now: number, view: View): string {
  const paint = painter(view.colour);
  const indent = indentOf(row);
  const room = Math.max(0, columns.name - indent);
  const name = pad(truncate(flatten(row.name), room, ellipsisOf(view)), room);
  const time = timeOf(row).padStart(columns.time);
  const start = clip(`${' '.repeat(indent)}${symbolOf(row, now, view)} ${name} ${time}`, view);
  const text = truncate(flatten(row.text), Math.max(0, view.columns - 1 - widthOf(start) - 2), ellipsisOf(view));
  return `${paintStart(start, row, paint)}${text === '' ? '' : `  ${paintText(text, row, paint)}`}`.trimEnd();
}

function paintStart(start: string, { isHead, state }: Row, paint: Paint): string {
  const [, indent = '', symbol = '', rest = ''] = /^( *)(\S?)(.*)$/su.exec(start) ?? [];
  const painted = symbol === '' ? '' : paint(symbolStyles[state], symbol);
  return `${indent}${painted}${isHead ? paint('bold', rest) : rest}`;
}

function paintText(text: string, { style }: Row, paint: Paint): string {
  return style === undefined ? text : paint(style, text);
}

function timeOf({ time }: Row): string {
  return time === undefined ? '' : formatTime(time);
}

function indentOf({ isHead }: Row): number {
  return isHead ? 0 : 2;
}

function symbolOf({ state }: Row, now: number, view: View): string {
  const glyphs = view.unicode ? unicodeGlyphs : asciiGlyphs;
  if (state !== 'running') return glyphs[state];
  return glyphs.spinner[Math.floor(now / spinnerPause) % glyphs.spinner.length] ?? '';
}

function ellipsisOf({ unicode }: View): string {
  return (unicode ? unicodeGlyphs : asciiGlyphs).ellipsis;
}

function clip(text: string, view: View): string {
  return truncate(text, Math.max(0, view.columns - 1), ellipsisOf(view));
}

// Tenths of a second only as long as they tell something: what changes all the time draws the eye.
function formatTime(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 0.1) return '<0.1 s';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${String(Math.floor(seconds))} s`;
  return `${String(Math.floor(seconds / 60))} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}
