import { setTimeout as sleep } from 'node:timers/promises';
import { createLiveArea } from './live.ts';
import { neutralise } from './neutral.ts';
import { painter, type Output } from './output.ts';
import { readSize, readTerminal, type Size } from './terminal.ts';
import { fit } from './text-width.ts';

/** One look: what is shown of it, what was wrong with the look itself, and what tells whether anything is new. */
export type Look = { readonly text: string; readonly problems: readonly string[]; readonly state: string };

type Show = (look: Look) => void;

/** The way to show looks that suits the output: drawn in place on a terminal, else printed whenever something has changed. */
export function showerOf(output: Output, interval: number, color: boolean): Show {
  const terminal = readTerminal(process.stdout, process.env, { color, platform: process.platform });
  const isLive = terminal.isLive && output.format === 'text';
  return isLive ? drawer(output, interval, terminal.unicode ? '…' : '...') : printer(output);
}

/** Looks again and again, with so many milliseconds between two looks, until it is called off. */
export async function watchStatus(
  look: () => Promise<Look>,
  show: Show,
  interval: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // A look at servers that hang takes its time, and Ctrl-C does not.
    const seen = await unlessAborted(look(), signal);
    if (seen !== undefined) show(seen);
    await sleep(interval, undefined, { signal }).catch(() => undefined);
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      resolve(undefined);
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    void promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}

/** Prints what is new. */
export function printer(output: Output): Show {
  let told = '';
  let complained = '';
  return ({ text, problems, state }) => {
    const complaint = problems.join('\n');
    if (complaint !== complained && complaint !== '') output.note(complaint);
    complained = complaint;
    if (text !== '' && state !== told) {
      output.print(text);
      told = state;
    }
  };
}

function drawer(output: Output, interval: number, ellipsis: string): Show {
  const area = createLiveArea(process.stdout);
  const paint = painter(output.colour);
  let lines: readonly string[] = [];
  const draw = (): void => {
    area.draw(fitScreen(lines, readSize(process.stdout), ellipsis));
  };
  process.stdout.on('resize', draw);
  return ({ text, problems }) => {
    const foot = `${String(interval / 1000)} s after each look, last at ${new Date().toTimeString().slice(0, 8)}; Ctrl-C ends`;
    lines = [
      ...[...problems, text].filter((part) => part !== '').flatMap((part) => neutralise(part).split('\n')),
      paint('dim', foot),
    ];
    draw();
  };
}

/** Lines as a screen has room for them; the last one is always shown. */
export function fitScreen(lines: readonly string[], { columns, rows }: Size, ellipsis: string): readonly string[] {
  // The cursor stands below the last line.
  const shown = cutLines(lines, Math.max(1, rows - 1), ellipsis);
  return shown.map((line) => fit(line, Math.max(1, columns - 1), ellipsis));
}

function cutLines(lines: readonly string[], room: number, ellipsis: string): readonly string[] {
  if (lines.length <= room) return lines;
  const last = lines.slice(-1);
  if (room < 2) return last;
  const kept = lines.slice(0, room - 2);
  return [...kept, `${ellipsis} ${String(lines.length - kept.length - 1)} more lines`, ...last];
}
