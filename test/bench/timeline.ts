import type { LogLine } from '../e2e/support/daemon.ts';
import { median } from './figures.ts';

/** What a daemon had logged by when, in milliseconds since a leader was killed. */
type Moment = { readonly what: string; readonly at: number; readonly took: number | undefined };

/** Where the time goes between the death of a leader and the next write, by what the daemon logs. */
export class Timeline {
  readonly #runs: (readonly Moment[])[] = [];

  /**
   * Adds a run. `killedAt` and `wroteAt` are epoch milliseconds; `names` says what to call a node, so that one that
   * leads now and one that led before are the same in all runs.
   */
  add(
    lines: readonly LogLine[],
    killedAt: number,
    wroteAt: number,
    names: ReadonlyMap<string, string>,
    isDeadAfter: number,
  ): void {
    const moments = lines.map((line): Moment => {
      const took = line['milliseconds'];
      return {
        what: describe(line, names),
        at: Date.parse(line.time) - killedAt,
        took: typeof took === 'number' ? took : undefined,
      };
    });
    this.#runs.push([
      { what: 'the engine has answered the kill', at: isDeadAfter, took: undefined },
      // Daemon and engine go on afterwards with what nobody waits for.
      ...moments.filter(({ at }) => at <= wroteAt - killedAt + 100),
      { what: 'WRITE ACKNOWLEDGED', at: wroteAt - killedAt, took: undefined },
    ]);
  }

  /** Prints the medians of what was seen in at least half of the runs. */
  print(): void {
    const rows = new Map<string, Moment[]>();
    for (const run of this.#runs) {
      const seen = new Set<string>();
      for (const moment of run) {
        if (seen.has(moment.what)) continue;
        seen.add(moment.what);
        rows.set(moment.what, [...(rows.get(moment.what) ?? []), moment]);
      }
    }
    const common = [...rows].filter(([, moments]) => moments.length * 2 >= this.#runs.length);
    const shown = common.map(([what, moments]) => ({
      what,
      at: median(moments.map(({ at }) => at)),
      took: median(moments.map(({ took }) => took ?? NaN)),
    }));
    for (const { what, at, took } of shown.toSorted((a, b) => a.at - b.at)) {
      const duration = Number.isNaN(took) ? '' : `took ${took.toFixed(0)}`;
      console.log(`    ${at.toFixed(0).padStart(6)} ms  ${duration.padEnd(10)} ${what}`);
    }
  }
}

function describe(line: LogLine, names: ReadonlyMap<string, string>): string {
  const { step, msg } = line;
  const rename = (text: string): string =>
    [...names].reduce((renamed, [name, role]) => renamed.replaceAll(name, role), text);
  const steps = line['steps'];
  if (Array.isArray(steps)) return `planned: ${rename(steps.join(', ')).slice(0, 140)}`;
  if (step !== undefined) return rename(`${msg}: ${step}`);
  if (typeof line['condition'] === 'string') return rename(`${line['condition']} is ${String(line['status'])}`);
  return rename(msg);
}
