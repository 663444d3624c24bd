import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { LeaderWatch } from '../../src/reconcile/leader-watch.ts';
import { changeNode, convergedSnapshot, topologyOf, withContainer, withFacts } from './support.ts';

const topology = topologyOf(`
cluster_name: shop
network: { subnet: 172.31.0.0/16, rw_subnet: 172.30.255.0/24 }
balancers:
  - { name: lb1, port: 19999, replicas: 2 }
`);
const well = convergedSnapshot(topology);
const ended = changeNode(well, 'lb1', 0, (node) => withContainer(node, { state: 'exited', startedAt: 1 }));

/** Has no file of anybody. */
const engine = { readArchive: () => Promise.resolve(undefined) } as unknown as Engine;

describe('the time since a leader was lost', () => {
  it('goes on from look to look', async () => {
    let now = 0;
    const watch = new LeaderWatch(() => now);
    expect((await watch.find(engine, topology, ended, true)).lost.get('lb1')).toBe(0);
    now = 700;
    expect((await watch.find(engine, topology, ended, true)).lost.get('lb1')).toBe(700);
  });

  it('begins anew where it was heard to serve in between, though nobody looked then', async () => {
    let now = 0;
    const watch = new LeaderWatch(() => now);
    await watch.find(engine, topology, ended, true);
    now = 2000;
    watch.noteServing('lb1');
    now = 60_000;
    expect((await watch.find(engine, topology, ended, true)).lost.get('lb1')).toBe(0);
  });
});

describe('a leader that runs no server counts as lost, and its time runs', () => {
  const find = async (snapshot: typeof well): Promise<number | undefined> =>
    (await new LeaderWatch(() => 0).find(engine, topology, snapshot, true)).lost.get('lb1');

  it('where its container was made again and cannot be started', async () => {
    const made = changeNode(well, 'lb1', 0, (node) =>
      withFacts(withContainer(node, { state: 'created', startedAt: 0 }), { serves: 'lead' }),
    );
    expect(await find(made)).toBe(0);
  });

  it('where its container cannot be made', async () => {
    expect(await find(changeNode(well, 'lb1', 0, () => undefined))).toBe(0);
  });

  it.each(['follow', 'promoting'] as const)(
    'where it is written down as the leader, and is still to be promoted (%s)',
    async (serves) => {
      expect(await find(changeNode(well, 'lb1', 0, (node) => withFacts(node, { serves })))).toBe(0);
    },
  );
});

it('a silent leader that could not be asked is asked again soon', async () => {
  const { container } = well.nodes.find(({ slot }) => slot === 0) ?? {};
  const silent = new Set([container?.id ?? '']);
  const refusing = {
    ...engine,
    exec: () => Promise.reject(new PgherdError('engine-timeout', 'no answer', { retry: true })),
  };
  const { lost, recheck } = await new LeaderWatch(() => 0).find(refusing, topology, { ...well, silent }, true);
  expect(lost.size).toBe(0);
  expect(recheck).toBe(1000);
});

describe('a silent leader in which nothing can be run', () => {
  const { container } = well.nodes.find(({ slot }) => slot === 0) ?? {};
  const silent = new Set([container?.id ?? '']);
  const find = async (codes: readonly number[]): Promise<readonly [boolean, number]> => {
    const left = [...codes];
    const answering = {
      ...engine,
      exec: (id: string) =>
        id === container?.id
          ? Promise.reject(new PgherdError('engine-error', 'cannot fork', { retry: true }))
          : Promise.resolve({ code: left.shift() ?? 2, stdout: '', stderr: '' }),
    };
    let now = 0;
    const watch = new LeaderWatch(() => now);
    const look = () => watch.find(answering, topology, { ...well, silent }, true);
    // It may have been killed, and be seen to have ended in a moment.
    expect((await look()).lost.size).toBe(0);
    expect(left).toEqual(codes);
    now = 3000;
    const { lost, hung } = await look();
    return [lost.has('lb1'), hung.size];
  };

  it('hangs where no neighbour gets an answer of it', async () => {
    expect(await find([2, 2])).toEqual([true, 1]);
  });

  it('serves where one does', async () => {
    expect(await find([2, 0])).toEqual([false, 0]);
  });

  it('is lost where one is refused', async () => {
    expect(await find([2, 1])).toEqual([true, 0]);
  });
});

it('a silent leader that takes a connection is asked again all the same: it may hang again before it says anything', async () => {
  const { container } = well.nodes.find(({ slot }) => slot === 0) ?? {};
  const silent = new Set([container?.id ?? '']);
  const serving = { ...engine, exec: () => Promise.resolve({ code: 0, stdout: '', stderr: '' }) };
  const { lost, recheck, doubt } = await new LeaderWatch(() => 0).find(serving, topology, { ...well, silent }, true);
  expect(lost.size).toBe(0);
  expect([recheck, doubt]).toEqual([undefined, 10_000]);
});

it('a leader that hung is not restarted again before it has had time to start', async () => {
  let now = 0;
  const watch = new LeaderWatch(() => now);
  const { container } = well.nodes.find(({ slot }) => slot === 0) ?? {};
  const silent = new Set([container?.id ?? '']);
  // It listens to nobody, hung or still on its way.
  const mute = { ...engine, exec: () => Promise.resolve({ code: 2, stdout: '', stderr: '' }) };
  const find = async (startedAt: number): Promise<readonly [number, number | undefined]> => {
    const seen = changeNode(well, 'lb1', 0, (node) => withContainer(node, { startedAt }));
    const { hung, recheck } = await watch.find(mute, topology, { ...seen, silent }, true);
    return [hung.size, recheck];
  };
  expect(await find(1)).toEqual([1, undefined]);
  now = 100;
  expect(await find(2)).toEqual([0, 10_000]);
  now = 9000;
  expect(await find(2)).toEqual([0, 1100]);
  now = 10_100;
  expect(await find(2)).toEqual([1, undefined]);
});

describe('a silent replica', () => {
  const { container } = well.nodes.find(({ slot, group }) => group === 'lb1' && slot === 1) ?? {};
  const id = container?.id ?? '';
  const report = { ...{ recovery: true, timeline: 1, lsn: 1, receiver: 'streaming', slots: {} }, oldest: null };

  /** What a look finds at each time (ms); at some of them it has just said something, or was started just before. */
  async function findAt(
    times: readonly number[],
    code: number,
    { speaksAt = [0], startedAt = () => 1 }: { speaksAt?: readonly number[]; startedAt?: (at: number) => number } = {},
  ): Promise<readonly string[]> {
    let now = 0;
    const watch = new LeaderWatch(() => now);
    const found: string[] = [];
    const answering = { ...engine, exec: () => Promise.resolve({ code, stdout: '', stderr: '' }) };
    for (now of times) {
      const seen = changeNode(well, 'lb1', 1, (node) =>
        withFacts(withContainer(node, { startedAt: startedAt(now) }), { serves: 'follow' }),
      );
      const said = { ...report, at: now, isStill: true };
      const speaks = speaksAt.includes(now);
      const voices = { reports: new Map(speaks ? [[id, said]] : []), silent: new Set(speaks ? [] : [id]) };
      const { lost, hung, recheck, doubt } = await watch.find(answering, topology, { ...seen, ...voices }, true);
      expect(lost.size).toBe(0);
      found.push(hung.has(id) ? 'hangs' : `recheck ${String(recheck)}, doubt ${String(doubt)}`);
      // The question is not waited for.
      await new Promise(setImmediate);
    }
    return found.slice(1);
  }

  it('is asked after 10 s, and hangs where it gives no answer', async () => {
    expect(await findAt([0, 100, 4100, 10_100, 10_200, 11_000], 2)).toEqual([
      'recheck 10000, doubt undefined',
      'recheck 6000, doubt undefined',
      'recheck 1000, doubt undefined',
      'hangs',
      'hangs',
    ]);
  });

  it.each([
    ['serves', 0],
    ['starts', 1],
  ])('that %s is asked again after as long, which interrupts nothing', async (_, code) => {
    expect(await findAt([0, 100, 10_100, 15_100, 20_100], code)).toEqual([
      'recheck 10000, doubt undefined',
      'recheck 1000, doubt undefined',
      'recheck undefined, doubt 5000',
      'recheck undefined, doubt 1000',
    ]);
  });

  it('does not hang any more once it has said something', async () => {
    expect((await findAt([0, 100, 10_100, 10_200, 10_300, 10_400], 2, { speaksAt: [0, 10_300] })).slice(2)).toEqual([
      'hangs',
      'recheck undefined, doubt undefined',
      'recheck 10000, doubt undefined',
    ]);
  });

  it('has a minute from its start to its first word', async () => {
    expect(await findAt([0, 100, 10_100, 60_100, 60_200], 2, { startedAt: (now) => (now === 0 ? 1 : 2) })).toEqual([
      'recheck 60000, doubt undefined',
      'recheck 50000, doubt undefined',
      'recheck 1000, doubt undefined',
      'hangs',
    ]);
  });
});
