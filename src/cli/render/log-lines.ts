import type { LogLine } from '../../docker/operator.ts';
import type { Server } from '../../reconcile/find.ts';
import type { Paint, Style } from '../output.ts';

/** Who wrote a line. */
export type Writer = Pick<Server, 'cluster' | 'name'>;

const styles: readonly Style[] = ['cyan', 'yellow', 'green', 'magenta', 'blue'];

/**
 * Gives each line behind the name of who wrote it, `NAME  | LINE`: with the cluster's name where there are several. Names
 * are padded to the longest so far; a name keeps its colour, the one that it would have alone wherever that is free.
 */
export function logRenderer(
  ahead: readonly Writer[],
  { paint, timestamps }: { readonly paint: Paint; readonly timestamps: boolean },
): (writer: Writer, line: LogLine) => string {
  const isOneCluster = new Set(ahead.map(({ cluster }) => cluster)).size <= 1;
  const first = ahead[0]?.cluster;
  const label = ({ cluster, name }: Writer): string =>
    isOneCluster && (first === undefined || cluster === first) ? name : `${cluster}/${name}`;
  const colours = new Map<string, Style>();
  let width = 0;
  const meet = (writer: Writer): Style => {
    const key = `${writer.cluster}/${writer.name}`;
    const known = colours.get(key);
    if (known !== undefined) return known;
    width = Math.max(width, label(writer).length);
    const style = chooseStyle(key, [...colours.values()]);
    colours.set(key, style);
    return style;
  };
  ahead.forEach(meet);
  return (writer, { at, text }) => {
    const style = meet(writer);
    const when = timestamps ? `${paint('dim', at)} ` : '';
    return `${paint(style, `${label(writer).padEnd(width)}  |`)} ${when}${text}`;
  };
}

function chooseStyle(key: string, taken: readonly Style[]): Style {
  const start = Array.from(key).reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_003, 0);
  const inTurn = styles.map((_, index) => styles[(start + index) % styles.length] ?? 'cyan');
  return inTurn.find((style) => !taken.includes(style)) ?? inTurn[0] ?? 'cyan';
}
