import PQueue from 'p-queue';

/**
 * Where the steps of all clusters wait for their turn: at a bounded rate, a bounded number at once, and the cluster with
 * the fewest waiting first, so that many steps of one do not keep another from its only one.
 */
export type StepQueue = { readonly add: <T>(cluster: string, task: () => Promise<T>) => Promise<T> };

/** Steps begun a second, so that a large plan does not flood an engine. */
const ratePerSecond = 50;

export function createStepQueue(concurrency: number): StepQueue {
  const queue = new PQueue({ concurrency, interval: 1000, intervalCap: ratePerSecond });
  const waiting = new Map<string, number>();
  return {
    add: async (cluster, task) => {
      const ahead = waiting.get(cluster) ?? 0;
      waiting.set(cluster, ahead + 1);
      return queue.add(
        () => {
          const left = (waiting.get(cluster) ?? 1) - 1;
          if (left === 0) waiting.delete(cluster);
          else waiting.set(cluster, left);
          return task();
        },
        { priority: -ahead },
      );
    },
  };
}
