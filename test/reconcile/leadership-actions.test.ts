import { describe, expect, it, vi } from 'vitest';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { formatRecordName, layoutOf, type RecordName } from '../../src/postgres/layout.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { leadershipActions } from '../../src/reconcile/kinds/leadership-actions.ts';
import { nodeActions } from '../../src/reconcile/kinds/node-actions.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

function contextOf(engine: Engine, signal: AbortSignal): ActionContext {
  return {
    ...{ engine, cluster: 'shop', signal, epoch: () => 1 },
    ...{ records: new Map(), remembered: new Map(), owners: new Owners(), passwordOf: () => undefined },
    reports: () => new Map(),
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
  const leads: Heard = {
    ...{ recovery: false, timeline: 1, lsn: 5000, receiver: null, slots: {}, oldest: null },
    ...{ at: 10, isStill: false },
  };
  const silent = (): undefined => undefined;

  /** Waits for one that says this, one word after the other; resolves to whether the wait has ended. */
  async function waits(words: readonly (Heard | undefined)[], signal = new AbortController().signal): Promise<boolean> {
    vi.useFakeTimers();
    let isOver = false;
    const engine: Engine = {
      ...new FakeWorld().connect().engine,
      exec: (_, command) =>
        new Promise((_resolve, reject) => {
          command.signal?.addEventListener('abort', () => {
            reject(new PgherdError('interrupted', 'called off'));
          });
        }),
    };
    const left = [...words];
    const context: ActionContext = {
      ...contextOf(engine, signal),
      reports: () => new Map([left.shift()].flatMap((word) => (word === undefined ? [] : [['c1', word] as const]))),
    };
    const wait = nodeActions['await-node'](
      { do: 'await-node', name: 'replica1', node: { container: 'c1', layout: layoutOf([]) }, revision: 'rev.a.b' },
      context,
    );
    wait.then(() => {
      isOver = true;
    }, silent);
    await vi.advanceTimersByTimeAsync(2000 * words.length);
    vi.useRealTimers();
    return isOver;
  }

  it('ends when it says twice itself that it leads, or streams', async () => {
    const streams: Heard = { ...leads, recovery: true, receiver: 'streaming' };
    expect(await waits([leads, { ...leads, at: 2010 }])).toBe(true);
    expect(await waits([streams, { ...streams, at: 2010 }])).toBe(true);
  });

  it.each<readonly [string, readonly (Heard | undefined)[]]>([
    ['says so once', [leads, undefined, { ...leads, at: 4010 }]],
    ['has said nothing since', [leads, leads, leads]],
    ['neither leads nor streams', [1, 2, 3].map((at) => ({ ...leads, recovery: true, receiver: 'waiting', at }))],
    ['is not heard', [undefined, undefined]],
  ])('goes on while it %s', async (_, words) => {
    expect(await waits(words)).toBe(false);
  });

  it('is called off as any other', async () => {
    const controller = new AbortController();
    const wait = nodeActions['await-node'](
      { do: 'await-node', name: 'replica1', node: { container: 'c1', layout: layoutOf([]) }, revision: 'rev.a.b' },
      contextOf(
        {
          ...new FakeWorld().connect().engine,
          exec: async () => {
            controller.abort();
            return Promise.reject(new PgherdError('interrupted', 'called off'));
          },
        },
        controller.signal,
      ),
    );
    await expect(wait).rejects.toMatchObject({ code: 'interrupted' });
  });
});
