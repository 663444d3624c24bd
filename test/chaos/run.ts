import { formatExhibits, saveExhibits, type Exhibit } from './exhibits.ts';
import { faultSequence, type FaultKind } from './fault-sequence.ts';
import { describeFault } from './describe-fault.ts';
import type { RoundResult } from './results.ts';
import { runRound, type Played } from './round.ts';
import { Stage, type StageOptions } from './stage.ts';
import { describeDouble, joinVerdicts, type Attempt, type Verdict } from './verdict.ts';

export type ChaosOptions = StageOptions & {
  readonly runs: number;
  readonly seed: number;
  /** The first round to be played, from 1; those before are left out. */
  readonly from?: number;
  /** All that other users of the engine do not notice, unless given. */
  readonly kinds?: readonly FaultKind[];
  /** How long to wait for a write after a fault, and for all to be well. */
  readonly limitMs: number;
  /** Milliseconds after which no other fault is begun; never ends early unless given. */
  readonly forMs?: number;
  /** Whether to go on with another cluster where one did not come back. */
  readonly isToGoOn?: boolean;
  /** A folder for what there is to know where something went wrong; printed alone unless given. */
  readonly logs?: string;
  /** Told as it goes. */
  readonly print: (text: string) => void;
  /** Given each cluster as soon as it is up, for whoever may have to take it down early. */
  readonly onStage?: (stage: Stage) => unknown;
};

export type ChaosReport = {
  readonly results: readonly RoundResult[];
  /** Of all clusters together; undefined where nobody led at the end of one, whose values could have been read. */
  readonly verdict: Verdict | undefined;
  /** Acknowledged writes that were lost later than in their own round. */
  readonly lostLater: number;
  /** Faults after which a cluster did not come back. */
  readonly failures: readonly string[];
};

/** Brings up a cluster, does faults to it one after the other, and judges what came of it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { runs, seed, from = 1, kinds, isToGoOn = false, forMs = Infinity } = options;
  const until = performance.now() + forMs;
  const isOver = (): boolean => performance.now() >= until;
  const rounds = faultSequence(seed, runs, kinds)
    .map((round, index) => ({ ...round, number: index + 1 }))
    .slice(from - 1);
  const results: RoundResult[] = [];
  const verdicts: (Verdict | undefined)[] = [];
  const failures: string[] = [];
  let lostLater = 0;
  for (let next = 0; next < rounds.length && (next === 0 || (isToGoOn && !isOver()));) {
    const played = await playOnStage(options, rounds.slice(next), isOver);
    results.push(...played.results);
    verdicts.push(played.verdict);
    if (played.failure !== undefined) failures.push(played.failure);
    lostLater += played.lostLater;
    next += played.played;
    if (played.failure === undefined) break;
  }
  const known = verdicts.filter((verdict) => verdict !== undefined);
  return { results, verdict: known.length < verdicts.length ? undefined : joinVerdicts(known), lostLater, failures };
}

type NumberedRound = ReturnType<typeof faultSequence>[number] & { readonly number: number };

type PlayedOnStage = {
  readonly results: readonly RoundResult[];
  readonly verdict: Verdict | undefined;
  readonly lostLater: number;
  readonly failure: string | undefined;
  /** Rounds, also the one that failed. */
  readonly played: number;
};

/** As many of the rounds as a cluster comes back from. */
async function playOnStage(
  options: ChaosOptions,
  rounds: readonly NumberedRound[],
  isOver: () => boolean,
): Promise<PlayedOnStage> {
  const stage = await Stage.open(options);
  options.onStage?.(stage);
  try {
    const checker = await stage.startChecker();
    try {
      return await playRounds(options, { stage, checker, known: new Set() }, rounds, isOver);
    } finally {
      await checker.stop();
    }
  } finally {
    await stage.close();
  }
}

async function playRounds(
  options: ChaosOptions,
  played: Played,
  rounds: readonly NumberedRound[],
  isOver: () => boolean,
): Promise<PlayedOnStage> {
  const { stage, checker } = played;
  const { print, limitMs, mode } = options;
  const results: RoundResult[] = [];
  const lost: Attempt[] = [];
  let failure: string | undefined;
  let count = 0;
  for (const { number, ...round } of rounds) {
    if (isOver()) break;
    const title = `#${number} ${describeFault(round.fault)}`;
    count += 1;
    try {
      const { result, line, losses } = await runRound(round, { limitMs, mode }, played);
      results.push(result);
      lost.push(...losses);
      print(`${title.padEnd(72)} ${line}\n`);
      if (result.inexcusable + result.doubles > 0) {
        await keepExhibits(options, number, [...(await stage.exhibits()), listOf('lost', losses)]);
      }
    } catch (error) {
      failure = `${title}: ${String(error)}`;
      print(`${failure}\n`);
      const exhibits = await stage.exhibits();
      if (options.logs === undefined) print(formatExhibits(exhibits));
      await keepExhibits(options, number, exhibits);
      break;
    }
  }
  const verdict = await checker.verdict().catch((error: unknown) => {
    failure ??= String(error);
    return undefined;
  });
  for (const double of verdict?.doubles ?? []) print(`${describeDouble(double)}\n`);
  // What a round that failed had lost is nobody's yet.
  const unknown = new Set(verdict?.lost.map(({ value }) => value));
  for (const { value } of lost) unknown.delete(value);
  return { results, verdict, lostLater: unknown.size, failure, played: count };
}

function listOf(name: string, attempts: readonly Attempt[]): Exhibit {
  return { name, text: attempts.map((attempt) => JSON.stringify(attempt)).join('\n') };
}

async function keepExhibits(options: ChaosOptions, number: number, exhibits: readonly Exhibit[]): Promise<void> {
  const { logs, print } = options;
  const replay = describeReplay(options, number);
  if (logs !== undefined) {
    const directory = `${logs}/round-${number}`;
    await saveExhibits(directory, [...exhibits, { name: 'replay', text: replay }]);
    print(`logs: ${directory}\n`);
  }
  print(`again: ${replay}\n`);
}

/** The command that does the same fault to a new cluster; `number`: of the round. */
export function describeReplay(
  { mode, seed, kinds, delay, engine }: Pick<ChaosOptions, 'mode' | 'seed' | 'kinds' | 'delay' | 'engine'>,
  number: number,
): string {
  return [
    'npm run test:chaos --',
    `--mode ${mode} --seed ${seed} --from ${number} --runs ${number}`,
    ...(kinds === undefined ? [] : [`--faults ${kinds.join(',')}`]),
    ...(delay === undefined ? [] : [`--delay ${delay}`]),
    ...(engine === undefined ? [] : ['--private-engine']),
  ].join(' ');
}
