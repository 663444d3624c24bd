import { describe, expect, it } from 'vitest';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { formatRecordName, layoutOf, type RecordName } from '../../src/postgres/layout.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { leadershipActions } from '../../src/reconcile/kinds/leadership-actions.ts';
import { awaitReady } from '../../src/reconcile/kinds/inside-node.ts';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

function contextOf(engine: Engine, signal: AbortSignal): ActionContext {
  return {
    ...{ engine, cluster: 'shop', signal, epoch: () => 1 },
    ...{ records: new Map(), remembered: new Map(), owners: new Owners(), passwordOf: () => undefined },
    verifyLock: () => Promise.resolve(),
    readFile: () => Promise.reject(new Error('no files here')),
    randomBytes: (size: number) => Buffer.alloc(size),
  };
}

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
  const context = contextOf(engine, controller.signal);
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

describe('a promotion', () => {
  const layout = layoutOf([]);
  const record = { epoch: 1, version: 4, leader: 1, members: [0, 1, 2] };
  const written = { format: 2, ...record, secrets: {} };

  /** Promotes slot 1 where the volumes of the slots have these records; gives how often they were looked at, and what was run. */
  async function promote(
    votes: number,
    look: (slot: number, looks: number) => RecordName | undefined,
    signal = new AbortController().signal,
  ) {
    const { engine: real } = new FakeWorld().connect();
    const ran: string[] = [];
    let looks = 0;
    const engine: Engine = {
      ...real,
      readLink: (container) => {
        if (container === 'c0') looks += 1;
        const name = look(Number(container.slice(1)), looks);
        if (name === undefined) return Promise.reject(new PgherdError('engine-error', 'its volume cannot be read'));
        return Promise.resolve(`records/${formatRecordName(name)}`);
      },
      readArchive: () => Promise.resolve(new Map([['record', JSON.stringify({ ...written, timeline: 7 })]])),
      exec: (_, { command }) => {
        ran.push(command.join(' '));
        return Promise.resolve({ code: 0, stdout: '', stderr: '' });
      },
    };
    const promotion = leadershipActions.promote(
      {
        ...{ do: 'promote', name: 'replica1', revision: 'rev.a.b', followers: [0, 2], kind: 'failover' },
        ...{ node: { container: 'c1', layout }, fork: undefined, group: 'lb1', votes },
        source: { container: 'c1', layout, record },
        voters: ['c0', 'c1', 'c2'].map((container) => ({ container, layout })),
      },
      contextOf(engine, signal),
    );
    return { promotion, ran: () => ran, looks: () => looks };
  }

  it('begins when more than half of the volumes name its node, whoever writes the last of them', async () => {
    const { promotion, ran, looks } = await promote(3, (slot, seen) =>
      slot === 1 || seen > 2 ? record : { ...record, version: 3, leader: 0 },
    );
    await promotion;
    expect(ran()).toEqual([expect.stringMatching(/rev\.a\.b\/promote 15 7 pgherd_0 pgherd_2$/)]);
    expect(looks()).toBe(3);
  });

  it('does not begin where they do not, one that nobody reads among them', async () => {
    const { promotion, ran } = await promote(5, (slot) => (slot === 2 ? undefined : record));
    await expect(promotion).rejects.toThrow(
      'replica1 is not promoted: 2 of 5 volumes of its group say that it is to lead',
    );
    expect(ran()).toEqual([]);
  });

  it('is called off with the wait for them', async () => {
    const { promotion, ran } = await promote(5, () => undefined, AbortSignal.abort());
    await expect(promotion).rejects.toMatchObject({ code: 'interrupted' });
    expect(ran()).toEqual([]);
  });

  it('counts a later record of the same leader, and none of another', async () => {
    const later = (leader: number): RecordName => ({ ...record, version: 6, leader });
    const ok = await promote(3, (slot) => (slot === 0 ? undefined : later(1)));
    await ok.promotion;
    expect(ok.ran()).toHaveLength(1);
    const other = await promote(3, (slot) => later(slot === 1 ? 1 : 2));
    await expect(other.promotion).rejects.toThrow('1 of 3');
  });
});

it.each([15, 120])('waits for a proof that hangs hardly longer than the %i s that it may take', async (seconds) => {
  const deadlines: (number | undefined)[] = [];
  const engine: Engine = {
    ...new FakeWorld().connect().engine,
    exec: (_, { deadline }) => {
      deadlines.push(deadline);
      return Promise.resolve({ code: 0, stdout: '', stderr: '' });
    },
  };
  await leadershipActions['await-caught-up'](
    {
      ...{ do: 'await-caught-up', num: 1, names: ['lb1-replica2'], meanwhile: 'local', seconds },
      node: { container: 'c1', layout: layoutOf([]) },
    },
    contextOf(engine, new AbortController().signal),
  );
  expect(deadlines).toEqual([seconds * 1000 + 1500]);
});

describe('a wait for a server whose script hangs', () => {
  /** Waits for one of which the health check has these exit codes, one after the other, and is called off after them. */
  async function wait(codes: readonly number[]): Promise<void> {
    const controller = new AbortController();
    const left = [...codes];
    const hangs = (signal: AbortSignal | undefined): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(new PgherdError('interrupted', 'called off'));
        });
      });
    const engine: Engine = {
      ...new FakeWorld().connect().engine,
      exec: async (_, { command, signal }) => {
        const code = command.at(-1)?.endsWith('/config/health') === true ? left.shift() : undefined;
        if (code !== undefined) return { code, stdout: '', stderr: 'waiting' };
        if (codes.length > 0 && left.length === 0)
          setImmediate(() => {
            controller.abort();
          });
        return hangs(signal);
      },
    };
    await awaitReady(contextOf(engine, controller.signal), { container: 'c1', layout: layoutOf([]) }, 'config', 1);
  }

  it('ends when its health check passes', async () => {
    await wait([1, 1, 0]);
  });
  it('goes on while that does not, until it is called off', async () => {
    await expect(wait([1, 1, 1])).rejects.toMatchObject({ code: 'interrupted' });
  });
});
