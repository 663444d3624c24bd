/** Exit codes of the command: 0 done or nothing to do. */
export const exitCodes = {
  done: 0,
  /** Bad input, no engine, a bug. */
  error: 1,
  /** `plan --detailed-exitcode` found changes. */
  changes: 2,
  /** `reconcile` or `destroy` could not get to the end: blocked, failed or timed out. `status --exit-code`: not well. */
  notConverged: 3,
  /** A question was answered with Ctrl-C: what a shell reports of a program that the signal ended. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
