import { setTimeout as sleep } from 'node:timers/promises';
import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import { parseReport, type Report } from '../postgres/report.ts';

export type HeartbeatOptions = {
  /** The container, and the script in it. */
  readonly container: string;
  readonly script: string;
  readonly onReport: (report: Report) => void;
  /** The server ended, or went silent; `false`: it speaks again. Told once for each change. */
  readonly onSilence: (isSilent: boolean) => void;
};

/** Milliseconds without a line after which a server counts as silent; it speaks twice a second. */
const silentAfter = 3000;

const firstPause = 100;
const longestPause = 5000;

/**
 * Listens to one server until the signal: a query inside its container that prints how it is twice a second. Its end is
 * an instant sign, its silence a slow one.
 */
export async function listen(engine: Engine, options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const state = { isSilent: true, pause: firstPause };
  while (!signal.aborted) {
    await listenOnce(engine, options, state, signal).catch((error: unknown) => {
      if (!(error instanceof PgherdError)) throw error;
    });
    tell(options, state, true);
    await sleep(state.pause, undefined, { signal }).catch(() => undefined);
    state.pause = Math.min(state.pause * 2, longestPause);
  }
}

type State = { isSilent: boolean; pause: number };

async function listenOnce(
  engine: Engine,
  { container, script, ...options }: HeartbeatOptions,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  const stream = await engine.execStream(container, { command: ['sh', script] }, signal);
  const silence = setTimeout(() => {
    tell(options, state, true);
    // It may hang for good: what comes next is a new connection.
    stream.close();
  }, silentAfter);
  try {
    for await (const line of stream.lines) {
      const report = parseReport(line);
      if (report === undefined) continue;
      silence.refresh();
      state.pause = firstPause;
      options.onReport(report);
      tell(options, state, false);
    }
  } finally {
    clearTimeout(silence);
    stream.close();
  }
}

function tell({ onSilence }: Pick<HeartbeatOptions, 'onSilence'>, state: State, isSilent: boolean): void {
  if (state.isSilent === isSilent) return;
  state.isSilent = isSilent;
  onSilence(isSilent);
}
