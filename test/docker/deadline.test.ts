import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished, vi } from 'vitest';
import { withDeadline } from '../../src/docker/deadline.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A call that goes on until its signal, or another one, is aborted. */
function untilAborted(signal: AbortSignal, other: AbortSignal): Promise<never> {
  const either = AbortSignal.any([signal, other]);
  return new Promise((_, reject) => {
    either.addEventListener('abort', () => {
      reject(either.reason as Error);
    });
  });
}

it('a call that may be called off is given up at its deadline, whatever memory is freed before', async () => {
  const { signal } = new AbortController();
  const call = withDeadline(50, (deadline) => untilAborted(deadline, signal));
  setImmediate(collectGarbage);
  await expect(call).rejects.toMatchObject({ name: 'TimeoutError' });
});

it('a call that has ended is not aborted afterwards', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const signal = await withDeadline(1, (deadline) => Promise.resolve(deadline));
  vi.advanceTimersByTime(20);
  expect(signal.aborted).toBe(false);
});
