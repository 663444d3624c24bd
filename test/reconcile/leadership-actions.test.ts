import { expect, it } from 'vitest';
import { InterruptedError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { layoutOf } from '../../src/postgres/layout.ts';
import { leadershipActions } from '../../src/reconcile/kinds/leadership-actions.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

it('does not wait for a leader that hangs as it is told to hand over, and leaves it as it is', async () => {
  const { engine: real } = new FakeWorld().connect();
  const controller = new AbortController();
  const done: string[] = [];
  const id = await real.createContainer({
    ...{ name: 'leader', image: 'postgres:17', labels: {}, network: 'none', restart: 'always' },
    entrypoint: ['sh', '-c'],
    command: ['sleep 1000'],
  });
  await real.startContainer(id);
  const engine: Engine = {
    ...real,
    exec: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(new InterruptedError('called off'));
        });
        // Its silence is noticed.
        setImmediate(() => {
          controller.abort();
        });
      }),
    updateContainer: async () => {
      done.push('update');
    },
    stopContainer: async () => {
      done.push('stop');
    },
  };
  const context = {
    ...{ engine, cluster: 'shop', signal: controller.signal, epoch: () => 1 },
    ...{ records: new Map(), remembered: new Map(), owners: new Map(), passwordOf: () => undefined },
    verifyLock: () => Promise.resolve(),
    readFile: () => Promise.reject(new Error('no files here')),
    randomBytes: (size: number) => Buffer.alloc(size),
  };
  const fence = leadershipActions.fence(
    {
      ...{ do: 'fence', image: 'postgres:17', name: 'leader', superuser: 'postgres' },
      node: { container: id, layout: layoutOf([]) },
      ...{ stopSeconds: 60, cause: 'asked' },
    },
    context,
  );
  await expect(fence).rejects.toThrow('called off');
  expect(done).toEqual([]);
});
