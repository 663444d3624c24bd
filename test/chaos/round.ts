import { setTimeout as delay } from 'node:timers/promises';
import type { Checker } from './checker.ts';
import type { Round } from './fault-sequence.ts';
import { inject } from './faults.ts';
import type { Injected } from './injected.ts';
import { findInexcusable, reportsLoss } from './losses.ts';
import { formatSeconds, type RoundResult } from './results.ts';
import type { Mode, Stage } from './stage.ts';
import { acknowledgedThrough, doubleKey, findLongestGap, type Attempt } from './verdict.ts';

/** What rounds are played with. */
export type Played = {
  readonly stage: Stage;
  readonly checker: Checker;
  /** Doubles of rounds before. */
  readonly known: Set<string>;
};

export type RoundOptions = { readonly mode: Mode; readonly limitMs: number };

export type RoundReport = {
  readonly result: RoundResult;
  /** For people. */
  readonly line: string;
  readonly losses: readonly Attempt[];
};

/** Does one fault, and waits until all is well again. Throws if the cluster does not come back. */
export async function runRound(
  { restMs, fault }: Round,
  { limitMs, mode }: RoundOptions,
  { stage, checker, known }: Played,
): Promise<RoundReport> {
  const begin = performance.now();
  const [attemptsBefore, volumesBefore] = [checker.attempts.length, (await stage.cluster.volumes()).length];
  await delay(restMs);
  const before = (await stage.awaitLeader(limitMs)).node.name;
  const injected = await inject(fault, stage);
  const { next, note } = await awaitWrite(injected, checker, limitMs);
  const { leader, readySince } = await stage.converge(limitMs);
  // What went on by sessions of before says nothing of those who come now.
  await checker.nextAcknowledged(performance.now(), limitMs, 'a new session');
  await stage.endOthers();
  const attempts = checker.attempts.slice(attemptsBefore);
  const doubles = checker.doubles().filter((each) => !known.has(doubleKey(each)));
  for (const each of doubles) known.add(doubleKey(each));
  const readyMs = readySince - (performance.timeOrigin + injected.began);
  const losses = await checker.findNewlyLost();
  const isReported = losses.length > 0 && (await isLossReported(stage, begin, volumesBefore));
  const { degraded } = stage.status;
  const ran = { begin, end: performance.now() };
  const gap = findLongestGap(acknowledgedThrough('balancer', attempts), ran);
  const result: RoundResult = {
    kind: fault.kind,
    writeMs: next.end - injected.began,
    readyMs: readyMs > 0 ? readyMs : undefined,
    gapMs: gap.end - gap.begin,
    moved: leader.node.name !== before,
    writes: attempts.filter(({ outcome }) => outcome === 'acknowledged').length,
    lost: losses.length,
    inexcusable: findInexcusable(losses, { mode, began: injected.began, degraded, isReported }).length,
    doubles: doubles.length,
  };
  const where = `${formatSeconds(gap.begin - injected.began)} s after the fault`;
  return { result, line: describeResult(result, where, before, leader.node.name, note), losses };
}

/** What was set up is taken down, whether there is a write or not. */
async function awaitWrite(
  injected: Injected,
  checker: Checker,
  limitMs: number,
): Promise<{ readonly next: Attempt; readonly note: string | undefined }> {
  try {
    const [next, note] = await Promise.all([checker.nextAcknowledged(injected.inForce, limitMs), injected.finish()]);
    return { next, note };
  } finally {
    await injected.release();
  }
}

async function isLossReported(stage: Stage, begin: number, volumesBefore: number): Promise<boolean> {
  const since = new Date(performance.timeOrigin + begin);
  return reportsLoss(await stage.events(), since) || (await stage.cluster.volumes()).length > volumesBefore;
}

function describeResult(
  result: RoundResult,
  where: string,
  before: string,
  after: string,
  note: string | undefined,
): string {
  const { writeMs, readyMs, gapMs, lost, inexcusable, doubles } = result;
  return [
    `write ${formatSeconds(writeMs)} s`,
    readyMs === undefined ? 'ready all the time' : `ready ${formatSeconds(readyMs)} s`,
    `gap ${formatSeconds(gapMs)} s from ${where}`,
    before === after ? `${before} leads on` : `${before} -> ${after}`,
    `lost ${lost}${inexcusable > 0 ? ` (${inexcusable} NOT allowed)` : ''}`,
    `doubles ${doubles}`,
    ...(note === undefined ? [] : [note]),
  ].join(', ');
}
