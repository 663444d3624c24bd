import { goBy, VirtualClock } from './clock.ts';
import { runSeed } from './run.ts';
import { makeBase } from './simulation.ts';
const clock = new VirtualClock();
goBy(clock);
const base = await makeBase(clock, { mode: 'required', failover: 'automatic', delay: 0 });
let failovers = 0;
for (let seed = 1; seed <= 200; seed += 1) {
  const run = await runSeed(clock, seed, base, { isTracing: true, theme: process.argv[2] });
  const lines = run.trace;
  const leads = lines.findIndex((l) => l.includes('step  write-leader'));
  if (leads >= 0) failovers += 1;
  const begins = lines.findIndex((l) => l.includes('pause begins'));
  const writes = lines.findIndex((l) => l.includes('pause: writeArchive'));
  if (run.violations.length > 0) console.log(seed, run.faults.join(", "), run.violations);
}
console.log(failovers, 'failovers');
