/** Why an operation failed, for people and for programs. */
export type ErrorCode =
  | 'engine-unreachable'
  | 'engine-permission'
  | 'engine-too-old'
  | 'engine-timeout'
  | 'engine-error'
  /** The connection broke before the answer came: nobody knows whether it was done. */
  | 'reply-lost'
  | 'not-found'
  | 'ambiguous'
  | 'name-taken'
  | 'port-taken'
  | 'address-taken'
  | 'subnet-overlap'
  | 'subnet-exhausted'
  | 'address-outside'
  | 'network-in-use'
  | 'volume-in-use'
  | 'image-missing'
  | 'in-progress'
  | 'task-stuck'
  | 'not-running'
  | 'exec-failed'
  | 'lock-held'
  | 'lock-lost'
  | 'secret-missing'
  | 'node-failed'
  | 'interrupted'
  | 'timed-out';

/**
 * A failed operation. `retry` says whether doing the same again can help; where it cannot, a human or a changed file
 * must act, and `remedy` says how.
 */
export class PgherdError extends Error {
  override readonly name = 'PgherdError';
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly retry: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly remedy?: string; readonly retry?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
    this.retry = options.retry ?? false;
  }
}

/** The reason of an abort signal that calls work off, as against one whose time has passed. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether the operation failed with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return error instanceof PgherdError && codes.includes(error.code);
}
