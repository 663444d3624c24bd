import type { Clock } from '../../src/base/clock.ts';

/** A clock that stands still until it is moved. */
export type StillClock = Clock & {
  /** How many wait for a time. */
  readonly waiting: () => number;
  /** Lets time pass, and what is due happen at its time. */
  readonly pass: (milliseconds: number) => Promise<void>;
};

/** `settleDown`: waits until everything has happened that waits for no clock. */
export function createClock(settleDown: () => Promise<void>): StillClock {
  let now = 0;
  let timers: { readonly at: number; readonly call: () => void }[] = [];
  return {
    now: () => now,
    after: (milliseconds, call) => {
      const timer = { at: now + milliseconds, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    waiting: () => timers.length,
    pass: async (milliseconds) => {
      const end = now + milliseconds;
      for (;;) {
        await settleDown();
        const [next] = timers.toSorted((a, b) => a.at - b.at);
        if (next === undefined || next.at > end) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.at);
        next.call();
      }
      now = end;
    },
  };
}
