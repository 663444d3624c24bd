import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStepQueue } from '../../src/reconcile/step-queue.ts';

beforeEach(() =>
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] }),
);
afterEach(() => vi.useRealTimers());

/** A queue whose steps end by hand; those that began are written down in order. */
function start(concurrency: number) {
  const queue = createStepQueue(concurrency);
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const add = (cluster: string, name: string): Promise<string> =>
    queue.add(cluster, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => open.set(name, resolve));
      return `${name} done`;
    });
  const end = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) open.get(name)?.();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { queue, begun, add, end };
}

const many = (cluster: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${cluster}${index}`);

describe('steps', () => {
  it('give what came of them', async () => {
    const { add, end } = start(1);
    const first = add('shop', 'a');
    await end();
    await end('a');
    expect(await first).toBe('a done');
  });

  it('that fail fail for who asked, and keep nobody else from a turn', async () => {
    const { queue } = start(1);
    const failed = queue.add('shop', () => Promise.reject(new Error('no')));
    const next = queue.add('shop', async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('of all clusters together are so many at once, and no more', async () => {
    const { begun, add, end } = start(3);
    for (const cluster of ['shop', 'bank', 'farm']) for (const name of many(cluster, 4)) void add(cluster, name);
    await end();
    expect(begun).toHaveLength(3);
    for (let done = 0; done < 12; done += 1) {
      const running = begun.slice(done);
      expect(running).toHaveLength(Math.min(3, 12 - done));
      await end(begun[done] ?? '');
    }
    expect(begun).toHaveLength(12);
  });

  it('of one cluster begin in the order in which they were added', async () => {
    const { begun, add, end } = start(1);
    const names = many('shop', 5);
    for (const name of names) void add('shop', name);
    for (const name of names) {
      await end();
      await end(name);
    }
    expect(begun).toEqual(names);
  });

  it('are begun at a bounded rate', async () => {
    const { queue } = start(1000);
    let done = 0;
    for (let index = 0; index < 120; index += 1) void queue.add('shop', async () => (done += 1));
    await vi.advanceTimersByTimeAsync(999);
    expect(done).toBe(50);
    await vi.advanceTimersByTimeAsync(1000);
    expect(done).toBe(100);
    await vi.advanceTimersByTimeAsync(1000);
    expect(done).toBe(120);
  });
});

describe('a cluster with many steps', () => {
  /** A queue with one place, which is taken until `busy` ends: everything else waits. */
  const startBusy = () => {
    const started = start(1);
    void started.add('other', 'busy');
    /** Lets so many steps end one after the other, and gives those that began. */
    const go = async (count: number): Promise<readonly string[]> => {
      await started.end();
      for (let done = 0; done < count; done += 1) await started.end(started.begun[done] ?? '');
      return started.begun.slice(1, count + 1);
    };
    return { ...started, go };
  };

  it('does not keep another from its first', async () => {
    const { add, go } = startBusy();
    for (const name of many('shop', 100)) void add('shop', name);
    void add('bank', 'bank0');
    expect(await go(2)).toEqual(['shop0', 'bank0']);
  });

  it('does not keep others from their turns, one for one', async () => {
    const { add, go } = startBusy();
    for (const name of many('shop', 100)) void add('shop', name);
    for (const cluster of ['bank', 'farm']) for (const name of many(cluster, 3)) void add(cluster, name);
    const rounds = [0, 1, 2].flatMap((round) => ['shop', 'bank', 'farm'].map((cluster) => `${cluster}${round}`));
    expect(await go(9)).toEqual(rounds);
  });

  it('is given its turns again when those have been had', async () => {
    const { add, go } = startBusy();
    for (const name of many('shop', 3)) void add('shop', name);
    await go(3);
    for (const name of many('bank', 2)) void add('bank', name);
    void add('shop', 'again');
    expect((await go(6)).slice(3)).toEqual(['bank0', 'again', 'bank1']);
  });
});
