import { structuredPatch } from 'diff';
import { hideControls } from '../../topology/format.ts';
import type { Paint } from '../output.ts';

const contextLines = 3;

/** What differs between two texts of a file, as `diff -u` shows it. */
export function renderDiff(file: string, before: string, after: string, paint: Paint): string {
  const { hunks } = structuredPatch(file, file, before, after, undefined, undefined, { context: contextLines });
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    paint('cyan', `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`),
    ...lines.map((line) => paintLine(line, paint)),
  ]);
  return [paint('bold', `--- ${file}`), paint('bold', `+++ ${file}`), ...lines].join('\n');
}

function paintLine(line: string, paint: Paint): string {
  const shown = hideControls(line.replace(/\r$/, ''));
  if (line.startsWith('+')) return paint('green', shown);
  return line.startsWith('-') ? paint('red', shown) : shown;
}
