import { errorCodes, type ErrorCode } from './error-codes.ts';

export type { ErrorCode } from './error-codes.ts';

/**
 * A failed operation. `retry` says whether doing the same again can help; where it cannot, a human or a changed file
 * must act. `remedy` says how: as whoever throws it knows best, else as the code has it.
 */
export class PgherdError extends Error {
  override readonly name = 'PgherdError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly retry: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly remedy?: string; readonly retry?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? errorCodes[code].remedy;
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
