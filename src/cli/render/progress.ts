import type { Progress } from '../../reconcile/work.ts';
import type { Output } from '../output.ts';
import { toEvent } from './progress-events.ts';
import { findStillWaiting, toLine } from './progress-lines.ts';
import { advance, isTold, noProgress, type ProgressEvent } from './progress-state.ts';

/** Tells how the work on clusters goes, while it goes on. */
export type ProgressDisplay = {
  readonly report: (cluster: string, progress: Progress) => void;
  /** The work on a cluster is over. */
  readonly end: (cluster: string, converged: boolean) => void;
  /** Everything is over: results may be printed. */
  readonly close: () => void;
};

/** A clock that only goes forward, in milliseconds, and its timers, which keep no process alive. */
export type Clock = {
  readonly now: () => number;
  /** Gives a function that ends it. */
  readonly every: (milliseconds: number, act: () => void) => () => void;
};

const realClock: Clock = {
  now: () => performance.now(),
  every: (milliseconds, act) => {
    const timer = setInterval(act, milliseconds);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  },
};

/** A tree on a terminal, a line for each transition elsewhere, an event a line with --format json. */
export async function openProgress(
  output: Output,
  signal: AbortSignal,
  clock: Clock = realClock,
): Promise<ProgressDisplay> {
  if (output.format === 'json' || !output.terminal.isLive) return tellLines(output, clock);
  const { showTree } = await import('../progress-live.ts');
  return showTree(output, signal, clock);
}

/** Milliseconds of silence after which is said what is waited for; after some times less often. */
const silence = 10_000;
const longSilence = 30_000;
const shortSilences = 3;

/** Milliseconds between two looks at how long it has been silent. */
const pulse = 1000;

/** Tells transitions as they come, and what is waited for where none comes. */
export function tellLines(output: Output, clock: Clock): ProgressDisplay {
  const startedAt = clock.now();
  let state = noProgress;
  let spokenAt = startedAt;
  let silences = 0;
  const say = (
    cluster: string,
    event: Readonly<Record<string, unknown>> | undefined,
    line: string | undefined,
  ): boolean => {
    if (output.format === 'json') {
      if (event !== undefined) output.print(JSON.stringify({ cluster, ...event }));
      return event !== undefined;
    }
    const elapsed = `${((clock.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`;
    if (line !== undefined) output.note(`${elapsed}  ${cluster}  ${line}`);
    return line !== undefined;
  };
  const follow = (event: ProgressEvent): void => {
    state = advance(state, event, clock.now());
  };
  const remind = (): void => {
    const now = clock.now();
    if (now - spokenAt < (silences < shortSilences ? silence : longSilence)) return;
    for (const cluster of state.clusters) {
      const waiting = findStillWaiting(cluster, now);
      if (waiting === undefined) continue;
      const milliseconds = Math.round(waiting.milliseconds);
      say(cluster.name, { event: 'still-waiting', steps: waiting.steps, milliseconds }, waiting.text);
      spokenAt = now;
    }
    if (spokenAt === now) silences += 1;
  };
  const stop = clock.every(pulse, remind);
  return {
    report: (cluster, progress) => {
      const before = state.clusters.find(({ name }) => name === cluster);
      follow({ type: 'progress', cluster, progress });
      if (progress.type === 'waiting-for-lock' && before !== undefined && isTold(before, progress.holder)) return;
      if (!say(cluster, toEvent(progress), toLine(progress))) return;
      spokenAt = clock.now();
      silences = 0;
    },
    end: (cluster, converged) => {
      follow({ type: 'ended', cluster, converged });
    },
    close: stop,
  };
}
