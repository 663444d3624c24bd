/**
 * Calls with a signal that is aborted after so many milliseconds, unless the call has ended. Its timer holds it: what
 * `AbortSignal.timeout` gives is never aborted where only `AbortSignal.any` refers to it, up to Node 24:
 * https://github.com/nodejs/node/pull/57867
 */
export async function withDeadline<T>(
  milliseconds: number,
  call: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`not within ${String(milliseconds)} ms`, 'TimeoutError'));
  }, milliseconds);
  try {
    return await call(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a promise is fulfilled or rejected within so many milliseconds; it goes on where it is not. */
export async function settlesWithin(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, milliseconds);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, late]).finally(() => {
    clearTimeout(timer);
  });
}
