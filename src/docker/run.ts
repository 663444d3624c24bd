import { hasCode } from '../base/error.ts';
import { withDeadline } from './deadline.ts';
import type { Engine } from './engine.ts';
import { statusOf, toFailure } from './failure.ts';

export type Calls<K extends keyof Engine> = Pick<Engine, K>;

/** Milliseconds a call may take, by what it does. */
export const deadlines = { read: 15_000, write: 60_000, pull: 900_000 } as const;

/** Makes calls with a deadline each; what they throw becomes a PgherdError that says what was asked. */
export type Run = {
  /** Asks, and once more where the reply was lost: that changes nothing. */
  readonly ask: <T>(what: string, call: (abortSignal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Changes something; `deadline` in milliseconds. */
  readonly tell: <T>(what: string, deadline: number, call: (abortSignal: AbortSignal) => Promise<T>) => Promise<T>;
};

export function runner(host: string): Run {
  const tell: Run['tell'] = async (what, deadline, call) => {
    try {
      return await withDeadline(deadline, call);
    } catch (thrown) {
      throw toFailure(thrown, { what, host });
    }
  };
  return {
    tell,
    ask: (what, call) =>
      tell(what, deadlines.read, call).catch((error: unknown) => {
        if (hasCode(error, 'reply-lost')) return tell(what, deadlines.read, call);
        throw error;
      }),
  };
}

/** The value, or undefined where the engine answered that there is no such thing. */
export async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch((error: unknown) => {
    if (hasCode(error, 'not-found')) return undefined;
    throw error;
  });
}

/** Ignores replies that say the thing is so already. */
export async function settled(call: Promise<unknown>, ...statuses: readonly number[]): Promise<void> {
  await call.catch((thrown: unknown) => {
    const status = statusOf(thrown);
    if (status === undefined || !statuses.includes(status)) throw thrown;
  });
}

/** The filter that lists what bears all these labels. */
export function toFilters(labels: Readonly<Record<string, string>>): { label: string[] } {
  return { label: Object.entries(labels).map(([name, value]) => `${name}=${value}`) };
}
