import type { PgherdError } from '../base/error.ts';
import type { Outcome } from './execute.ts';
import type { Looked } from './look.ts';
import type { Blocked, Plan, Step } from './plan.ts';
import type { StepQueue } from './step-queue.ts';

/** What happens while a cluster is brought to what its file says. */
export type Progress =
  /** What happens from here on, a later look sees. */
  | { readonly type: 'looking' }
  | { readonly type: 'looked'; readonly looked: Looked }
  | { readonly type: 'planned'; readonly plan: Plan; readonly round: number }
  | { readonly type: 'waiting-for-lock'; readonly holder: string }
  | { readonly type: 'step-started'; readonly step: Step }
  | { readonly type: 'step-ended'; readonly outcome: Outcome }
  | { readonly type: 'retrying'; readonly milliseconds: number; readonly error: PgherdError };

export type Failure = { readonly resource: string; readonly error: PgherdError };

/** A resource that is left alone for a while, by who runs this again and again. */
export type Held = { readonly resource: string; readonly message: string };

export type Result = {
  readonly cluster: string;
  readonly converged: boolean;
  /** Steps done. */
  readonly done: number;
  readonly blocked: readonly Blocked[];
  readonly failures: readonly Failure[];
  readonly held: readonly Held[];
  /** Milliseconds after which it is to be looked at again at the latest. */
  readonly recheck?: number | undefined;
  /** Why it stopped before the end, where it did; `retry`: doing the same again may help. */
  readonly stopped: 'timed-out' | 'interrupted' | 'retry' | undefined;
};

/** The world outside the engine. */
export type World = {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly randomBytes: (size: number) => Buffer;
  readonly readFile: (path: string) => Promise<Buffer>;
};

/** How work on a cluster is done. */
export type WorkOptions = {
  /** Milliseconds. */
  readonly timeout: number;
  /** Calls off what has not begun. */
  readonly signal: AbortSignal;
  readonly queue: StepQueue;
  readonly onProgress: (progress: Progress) => void;
};
