/** Time as it passes, and what is to happen later. */
export type Clock = {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** Calls back after so many milliseconds; gives what calls that off. */
  readonly after: (milliseconds: number, call: () => void) => () => void;
};

export const realClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};
