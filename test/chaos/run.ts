import { setTimeout as delay } from 'node:timers/promises';
import type { Checker } from './checker.ts';
import { describeFault, faultSequence, type FaultKind, type Round } from './fault-sequence.ts';
import { inject } from './faults.ts';
import { formatSeconds, type RoundResult } from './results.ts';
import { Stage, type StageOptions } from './stage.ts';
import { describeDouble, doubleKey, type Verdict } from './verdict.ts';

export type ChaosOptions = StageOptions & {
  readonly runs: number;
  readonly seed: number;
  /** All that other users of the engine do not notice, unless given. */
  readonly kinds?: readonly FaultKind[];
  /** How long to wait for a write after a fault, and for all to be well. */
  readonly limitMs: number;
  /** Told as it goes. */
  readonly print: (text: string) => void;
  /** Given the cluster as soon as it is up, for whoever may have to take it down early. */
  readonly onStage?: (stage: Stage) => void;
};

export type ChaosReport = {
  readonly results: readonly RoundResult[];
  /** Undefined where nobody led at the end, whose values could have been read. */
  readonly verdict: Verdict | undefined;
  /** Why it ended early: a fault after which the cluster did not come back, and all there is to know of it. */
  readonly failure: string | undefined;
};

/** Brings up a cluster, does faults to it one after the other, and judges what came of it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const stage = await Stage.open(options);
  options.onStage?.(stage);
  try {
    const checker = await stage.startChecker();
    try {
      return await runRounds(options, stage, checker);
    } finally {
      await checker.stop();
    }
  } finally {
    await stage.close();
  }
}

async function runRounds(options: ChaosOptions, stage: Stage, checker: Checker): Promise<ChaosReport> {
  const { runs, seed, kinds, print } = options;
  const results: RoundResult[] = [];
  const known = new Set<string>();
  let failure: string | undefined;
  for (const [index, round] of faultSequence(seed, runs, kinds).entries()) {
    const title = `#${index + 1} ${describeFault(round.fault)}`;
    try {
      const { result, line } = await runRound(round, options, stage, checker, known);
      results.push(result);
      print(`${title.padEnd(56)} ${line}\n`);
    } catch (error) {
      failure = `${title}: ${String(error)}\n${await stage.describe()}`;
      print(`${failure}\n`);
      break;
    }
  }
  const verdict = await checker.verdict().catch((error: unknown) => {
    failure ??= String(error);
    return undefined;
  });
  for (const double of verdict?.doubles ?? []) print(`${describeDouble(double)}\n`);
  return { results, verdict, failure };
}

/** Throws if the cluster does not come back. */
async function runRound(
  { restMs, fault }: Round,
  { limitMs }: ChaosOptions,
  stage: Stage,
  checker: Checker,
  known: Set<string>,
): Promise<{ readonly result: RoundResult; readonly line: string }> {
  await delay(restMs);
  const before = (await stage.awaitLeader(limitMs)).node.name;
  const injected = await inject(fault, stage);
  const [next] = await Promise.all([checker.nextAcknowledged(injected.inForce, limitMs), injected.finish()]);
  const { leader, readySince } = await stage.converge(limitMs);
  // What went on by sessions of before says nothing of those who come now.
  await checker.nextAcknowledged(performance.now(), limitMs, 'a new session');
  const doubles = checker.doubles().filter((each) => !known.has(doubleKey(each)));
  for (const each of doubles) known.add(doubleKey(each));
  const readyMs = readySince - (performance.timeOrigin + injected.began);
  const result: RoundResult = {
    kind: fault.kind,
    writeMs: next.end - injected.began,
    readyMs: readyMs > 0 ? readyMs : undefined,
    moved: leader.node.name !== before,
    lost: (await checker.findNewlyLost()).length,
    doubles: doubles.length,
  };
  return { result, line: describeResult(result, before, leader.node.name) };
}

function describeResult({ writeMs, readyMs, lost, doubles }: RoundResult, before: string, after: string): string {
  const ready = readyMs === undefined ? 'ready all the time' : `ready ${formatSeconds(readyMs)} s`;
  const leaders = before === after ? `${before} leads on` : `${before} -> ${after}`;
  return `write ${formatSeconds(writeMs)} s, ${ready}, ${leaders}, lost ${lost}, doubles ${doubles}`;
}
