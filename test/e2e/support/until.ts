import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

/** Milliseconds between two observations, at least. */
const INTERVAL_MS = 50;

/** Milliseconds between two observations that are dear: each costs the machine what is waited for. */
const LONGEST_MS = 500;

/**
 * Observes again and again until `holds`, and gives the observation that does.
 * Throws after `timeoutMs`, naming `what` was expected and what was last seen; an observation that throws counts
 * as one that does not hold, one that hangs is given up at the same deadline. `what` as a function is asked at the end.
 */
export async function until<T>(
  what: string | (() => string),
  observe: () => Promise<T> | T,
  holds: (state: T) => boolean,
  timeoutMs = 120_000,
): Promise<T> {
  const over = new AbortController();
  const timeout = delay<Seen<T>>(timeoutMs, { kind: 'timeout' }, { signal: over.signal });
  timeout.catch(() => undefined);
  let last = 'nothing: the first observation did not end';
  try {
    for (;;) {
      const began = performance.now();
      const seen = await Promise.race([see(observe), timeout]);
      if (seen.kind === 'timeout') break;
      if (seen.kind === 'state' && holds(seen.state)) return seen.state;
      last = seen.kind === 'state' ? inspect(seen.state, { depth: 6 }) : `an error: ${String(seen.error)}`;
      await delay(Math.min(LONGEST_MS, Math.max(INTERVAL_MS, 2 * (performance.now() - began))));
    }
  } finally {
    over.abort();
  }
  throw new Error(
    `not within ${String(timeoutMs)} ms: ${typeof what === 'string' ? what : what()}\nlast seen: ${last}`,
  );
}

type Seen<T> =
  | { readonly kind: 'state'; readonly state: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'timeout' };

async function see<T>(observe: () => Promise<T> | T): Promise<Seen<T>> {
  try {
    return { kind: 'state', state: await observe() };
  } catch (error) {
    return { kind: 'error', error };
  }
}
