import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineHost } from '../e2e/support/engine.ts';
import { parentsEngine, runOnPrivateEngine } from './engine-control.ts';
import { faultKinds, type FaultKind } from './fault-sequence.ts';
import { findComplaints, formatResults, formatVerdict } from './results.ts';
import { runChaos, type ChaosOptions } from './run.ts';
import { modes, type Mode } from './stage-topology.ts';
import type { Stage } from './stage.ts';

/**
 * `npm run test:chaos -- [options]`: faults at random, one after the other, while writers and probers are at work.
 * Exits 1 if an acknowledged write is lost that must not be, two primaries were writable side by side, or the cluster
 * did not come back from a fault; what there is to know of it is then in a folder of its own.
 */
const { values } = parseArgs({
  options: {
    /** How many faults. */
    runs: { type: 'string', default: '100' },
    /** The first fault of them that is done: to do one again, on a new cluster. */
    from: { type: 'string', default: '1' },
    /** The same one gives the same faults; the time of day unless given. */
    seed: { type: 'string' },
    /** `quorum`, `preferred` (commits wait for a replica where there is one) or `async`. */
    mode: { type: 'string', default: 'quorum' },
    /** `failover.delay`, such as 0s; the program's own unless given. */
    delay: { type: 'string' },
    /** Kinds of faults, with commas between; all unless given. */
    faults: { type: 'string' },
    /** Seconds to wait for a write after a fault, and for all to be well. */
    limit: { type: 'string', default: '120' },
    /** Seconds after which no other fault is begun. */
    for: { type: 'string' },
    /** Goes on with another cluster where one did not come back. */
    'keep-going': { type: 'boolean', default: false },
    /** Where logs go; a new folder for temporary files unless given. */
    logs: { type: 'string' },
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
  const { runs, seed, mode, delay } = options;
  const settings = `mode ${mode}, seed ${seed}, failover.delay ${delay ?? 'as it is'}`;
  console.log(`${runs} faults, ${settings}, engine ${await engineHost()}`);
  let stage: Stage | undefined;
  // Ctrl-C leaves nothing on the engine.
  process.once('SIGINT', () => {
    void stage?.close().finally(() => process.exit(130));
  });
  const report = await runChaos({ ...options, onStage: (next) => (stage = next) });
  const { results, verdict } = report;
  console.log(`\n${settings}\n\n${formatResults(results)}\n${verdict === undefined ? '' : formatVerdict(verdict)}`);
  const complaints = findComplaints(report);
  for (const complaint of complaints) console.log(`FAILED: ${complaint}`);
  return complaints.length === 0 ? 0 : 1;
}

function readOptions(): ChaosOptions {
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const mode = readMode(values.mode);
  return {
    runs: wholeNumber('runs', values.runs),
    from: wholeNumber('from', values.from),
    seed,
    mode,
    kinds: readKinds(values.faults),
    ...(values.for === undefined ? {} : { forMs: wholeNumber('for', values.for) * 1000 }),
    isToGoOn: values['keep-going'],
    logs: values.logs ?? join(tmpdir(), `pgherd-chaos-${mode}-${seed}-${String(process.pid)}`),
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
  const mode = modes.find((each) => each === text);
  if (mode === undefined) throw new Error(`--mode: expected one of ${modes.join(', ')}; got "${text}"`);
  return mode;
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
