import { setMaxListeners } from 'node:events';
import { parseArgs } from 'node:util';
import { goBy, VirtualClock } from './clock.ts';
import { modes, nameOf, type Mode, type Setting } from './modes.ts';
import { runSeed, type Run } from './run.ts';
import { makeBase, type Base } from './simulation.ts';

/** Milliseconds of the real clock. */
const realNow = performance.now.bind(performance);

/** Milliseconds after which it is told how far it has come. */
const progressEvery = 60_000;

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    mode: { type: 'string' },
    /** The name of a fault that is to happen in most seeds, or of some: `a + b`. */
    with: { type: 'string' },
    /** Only what has this in its words counts: a regular expression. */
    matching: { type: 'string', default: '' },
    /** Which part of the seeds is run: every one of so many. */
    job: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '1' },
    /** Ends with the first fault that is found, or after so many. */
    'stop-after': { type: 'string', default: '5' },
  },
});

function settingsOf(mode: string | undefined): readonly Setting[] {
  const chosen: readonly Mode[] = modes.filter((each) => mode === undefined || each === mode);
  const settings = (failover: Setting['failover'], delay: number): readonly Setting[] =>
    chosen.map((each) => ({ mode: each, failover, delay }));
  // Mostly such that whoever is gone is replaced at once.
  const quick = settings('automatic', 0);
  return [...quick, ...quick, ...quick, ...settings('automatic', 2000), ...settings('manual', 0)];
}

// A run waits for one signal in many places.
setMaxListeners(0);
const clock = new VirtualClock();
goBy(clock);
const settings = settingsOf(options.mode);
const bases = new Map<string, Base>();

async function baseFor(seed: number): Promise<Base> {
  const setting = settings[seed % settings.length];
  if (setting === undefined) throw new Error(`no such mode: ${String(options.mode)}`);
  const name = nameOf(setting);
  const known = bases.get(name) ?? (await makeBase(clock, setting));
  bases.set(name, known);
  return known;
}

function print({ seed, setting, violations, faults, trace }: Run): void {
  console.log(`seed ${String(seed)} (${setting})`);
  for (const line of violations) console.log(`  ${line}`);
  console.log(`  faults: ${faults.join(', ')}`);
  for (const line of trace) console.log(`  ${line}`);
}

if (options.seed !== undefined) {
  const seed = Number(options.seed);
  const run = await runSeed(clock, seed, await baseFor(seed), { isTracing: true, theme: options.with });
  print(run);
  process.exitCode = run.violations.length === 0 ? 0 : 1;
} else {
  const [from, count, most] = [Number(options.from), Number(options.seeds), Number(options['stop-after'])];
  const matching = new RegExp(options.matching);
  const start = realNow();
  const ends = { well: 0, blocked: 0 };
  let virtual = 0;
  let failures = 0;
  let done = 0;
  let toldAt = start;
  const [job, jobs] = [Number(options.job), Number(options.jobs)];
  for (let seed = from + job; seed < from + count && failures < most; seed += jobs) {
    const run = await runSeed(clock, seed, await baseFor(seed), { theme: options.with });
    done += 1;
    virtual += run.milliseconds;
    ends[run.end] += 1;
    if (realNow() - toldAt >= progressEvery) {
      toldAt = realNow();
      console.error(`${String(done)} seeds so far, up to ${String(seed)}, ${String(failures)} with a fault`);
    }
    if (!run.violations.some((what) => matching.test(what))) continue;
    failures += 1;
    print(run);
  }
  const { user, system } = process.cpuUsage();
  const seconds = (realNow() - start) / 1000;
  const busy = (user + system) / 1_000_000;
  console.log(
    `${String(done)} seeds, ${String(failures)} with a fault; ${String(ends.well)} ended well, ${String(ends.blocked)} blocked; ` +
      `${(virtual / 1000 / done).toFixed(0)} s each, ${((done * 60) / seconds).toFixed(0)} seeds a minute, ${((done * 60) / busy).toFixed(0)} a minute of CPU`,
  );
  process.exitCode = failures === 0 ? 0 : 1;
}
