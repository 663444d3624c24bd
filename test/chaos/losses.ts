import type { JournalEntry } from '../../src/daemon/journal-entry.ts';
import type { Mode } from './stage-topology.ts';
import type { Attempt, Interval } from './verdict.ts';

/** Milliseconds by which a replica of an idle machine may be behind its leader: what is older must not be lost. */
const lossWindowMs = 3000;

/** Milliseconds that it may take until the daemon says what it has done. */
const statusLagMs = 2000;

/** What was known when something was lost. */
export type Circumstances = {
  readonly mode: Mode;
  /** When the fault was about to be done. */
  readonly began: number;
  /** When the daemon said that commits are acknowledged without a replica. */
  readonly degraded: readonly Interval[];
  /** Whether pgherd says that something is lost, or keeps it aside. */
  readonly isReported: boolean;
};

/**
 * Those of the lost writes that must not be lost. In quorum mode none may; where replicas are merely preferred, what was
 * acknowledged while the daemon said that there are none; in async mode what the replicas had not received yet, and
 * pgherd has to say so.
 */
export function findInexcusable(
  lost: readonly Attempt[],
  { mode, began, degraded, isReported }: Circumstances,
): readonly Attempt[] {
  switch (mode) {
    case 'quorum':
      return lost;
    case 'preferred':
      return lost.filter((each) => !degraded.some((interval) => isWithin(each, interval)));
    case 'async':
      return isReported ? lost.filter(({ end }) => end < began - lossWindowMs) : lost;
  }
}

function isWithin({ begin, end }: Interval, interval: Interval): boolean {
  return end >= interval.begin - statusLagMs && begin <= interval.end;
}

/** Whether the journal says that a change of leaders lost something, or may have. */
export function reportsLoss(entries: readonly Pick<JournalEntry, 'at' | 'message'>[], since: Date): boolean {
  return entries.some(
    ({ at, message }) =>
      Date.parse(at) >= since.getTime() &&
      /\b[1-9]\d* bytes of WAL (?:lost|or more)|nobody knows|never reached/.test(message),
  );
}
