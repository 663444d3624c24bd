import { parseArgs } from 'node:util';
import { engineHost } from '../e2e/support/engine.ts';
import { parentsEngine, runOnPrivateEngine } from './engine-control.ts';
import { faultKinds, type FaultKind } from './fault-sequence.ts';
import { findComplaints, formatResults, formatVerdict } from './results.ts';
import { runChaos, type ChaosOptions } from './run.ts';
import type { Mode, Stage } from './stage.ts';

/**
 * `npm run test:chaos -- [options]`: faults at random, one after the other, while writers and probers are at work.
 * Exits 1 if an acknowledged write is lost (in quorum mode), two primaries were writable side by side, or the cluster
 * did not come back from a fault.
 */
const { values } = parseArgs({
  options: {
    /** How many faults. */
    runs: { type: 'string', default: '100' },
    /** The same one gives the same faults; the time of day unless given. */
    seed: { type: 'string' },
    /** `quorum` or `async`. */
    mode: { type: 'string', default: 'quorum' },
    /** `failover.delay`, such as 0s; the program's own unless given. */
    delay: { type: 'string' },
    /** Kinds of faults, with commas between; all unless given. */
    faults: { type: 'string' },
    /** Seconds to wait for a write after a fault, and for all to be well. */
    limit: { type: 'string', default: '120' },
    /** On an engine of its own, which is restarted too. */
    'private-engine': { type: 'boolean', default: false },
  },
});

const engine = parentsEngine();
process.exitCode =
  values['private-engine'] && engine === undefined
    ? await runOnPrivateEngine(['postgres:17', 'pgbalancer:latest'])
    : await run(readOptions());

async function run(options: ChaosOptions): Promise<number> {
  const { runs, seed, mode } = options;
  console.log(`${runs} faults, mode ${mode}, --seed ${seed}, engine ${await engineHost()}`);
  const report = await runChaos({ ...options, onStage: closeOnInterrupt });
  const { results, verdict } = report;
  console.log(`\n${formatResults(results)}\n${verdict === undefined ? '' : formatVerdict(verdict)}`);
  const complaints = findComplaints({ ...report, mode });
  for (const complaint of complaints) console.log(`FAILED: ${complaint}`);
  return complaints.length === 0 ? 0 : 1;
}

/** Ctrl-C leaves nothing on the engine. */
function closeOnInterrupt(stage: Stage): void {
  process.once('SIGINT', () => {
    void stage.close().finally(() => process.exit(130));
  });
}

function readOptions(): ChaosOptions {
  return {
    runs: wholeNumber('runs', values.runs),
    seed: wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000)),
    mode: readMode(values.mode),
    kinds: readKinds(values.faults),
    limitMs: wholeNumber('limit', values.limit) * 1000,
    print: (text) => process.stdout.write(text),
    ...(values.delay === undefined ? {} : { delay: values.delay }),
    ...(engine === undefined ? {} : { engine }),
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: expected a whole number, got "${text}"`);
  return Number(text);
}

function readMode(text: string): Mode {
  if (text !== 'quorum' && text !== 'async') throw new Error(`--mode: expected quorum or async, got "${text}"`);
  return text;
}

function readKinds(text: string | undefined): readonly FaultKind[] {
  const all: readonly FaultKind[] = engine === undefined ? faultKinds : [...faultKinds, 'restart-engine'];
  if (text === undefined) return all;
  return text.split(',').map((name) => {
    const kind = all.find((each) => each === name);
    if (kind === undefined) throw new Error(`--faults: expected some of ${all.join(', ')}; got "${name}"`);
    return kind;
  });
}
