import { VirtualClock, goBy } from './clock.ts';
import { makeBase } from './simulation.ts';
const clock = new VirtualClock();
const real = performance.now.bind(performance);
goBy(clock);
for (const mode of ['async', 'required', 'preferred'] as const) {
  const t = real();
  const base = await makeBase(clock, { mode, failover: 'automatic', delay: 0 });
  console.log(mode, Math.round(real() - t), 'ms', clock.now, base.databases.size);
}
