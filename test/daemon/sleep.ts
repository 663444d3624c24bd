/**
 * `setTimeout` of node:timers/promises, made of the global one, which fake clocks reach:
 * `vi.mock('node:timers/promises', () => import('./sleep.ts'))`.
 */
export function setTimeout(
  milliseconds: number,
  value?: unknown,
  options: { readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new Error('aborted'));
    };
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve(value);
    }, milliseconds);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) stop();
  });
}
