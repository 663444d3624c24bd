import { describe, expect, it } from 'vitest';
import type { Handover } from '../../src/postgres/layout.ts';
import { parseRecord } from '../../src/postgres/record.ts';
import { askHandover, withdrawHandover } from '../../src/reconcile/handover.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { leastFile, planOf, run, worldOf, type File } from './simulation.ts';

const [group] = leastFile.groups;
if (group === undefined) throw new Error('the least file has no group');

/** A group of a primary and two replicas. */
const file: File = { ...leastFile, groups: [{ ...group, slots: [1, 2] }] };

const toFirst: Handover = { kind: 'switchover', to: 1 };

/** Epoch milliseconds. */
const yesterday = 1;
const later = Date.now() + 3_600_000;

async function start(): Promise<FakeWorld> {
  const world = new FakeWorld();
  await run(world, file);
  return world;
}

const ask = (world: FakeWorld, handover: Handover): Promise<void> =>
  askHandover(world.connect().engine, 'shop', 'lb1', handover, worldOf(world));

const withdraw = (world: FakeWorld, handover: Handover): Promise<void> =>
  withdrawHandover(world.connect().engine, 'shop', 'lb1', handover, worldOf(world));

/** Of each server's record: who leads, and who is to. */
function recorded(world: FakeWorld): readonly { readonly leader?: number; readonly handover?: Handover | undefined }[] {
  const nodes = [...world.containers.values()].filter(({ spec }) => spec.labels['pgherd.kind'] === 'node');
  return nodes.map((node) => {
    const record = parseRecord(node.view.read('/var/lib/postgresql/data/pgherd/record') ?? '');
    return { ...(record === undefined ? {} : { leader: record.leader }), handover: record?.handover };
  });
}

const thrice = <T>(value: T): readonly T[] => [value, value, value];

describe('a change of leaders that is asked for', () => {
  it('stands in the volume of every server until it is done', async () => {
    const world = await start();
    await ask(world, { ...toFirst, until: later });
    expect(recorded(world)).toEqual(thrice({ leader: 0, handover: { ...toFirst, until: later } }));
    await run(world, file);
    expect(recorded(world)).toEqual(thrice({ leader: 1, handover: undefined }));
  });

  it('is not done any more when its time is over, and forgotten', async () => {
    const world = await start();
    await ask(world, { ...toFirst, until: yesterday });
    expect((await planOf(world, file)).changes.map(({ reason }) => reason.code)).toEqual(['handover']);
    await run(world, file);
    expect(recorded(world)).toEqual(thrice({ leader: 0, handover: undefined }));
  });

  it('can be asked for anew, for longer', async () => {
    const world = await start();
    await ask(world, { ...toFirst, until: yesterday });
    await ask(world, { ...toFirst, until: later });
    expect(recorded(world)).toEqual(thrice({ leader: 0, handover: { ...toFirst, until: later } }));
  });

  it('is taken back by who asked', async () => {
    const world = await start();
    await ask(world, { ...toFirst, until: later });
    await withdraw(world, { ...toFirst, until: later });
    expect(recorded(world)).toEqual(thrice({ leader: 0, handover: undefined }));
  });

  it('is not taken back by who asked for something else before', async () => {
    const world = await start();
    await ask(world, { ...toFirst, until: later });
    await ask(world, { kind: 'switchover', to: 2, until: later });
    await withdraw(world, { ...toFirst, until: later });
    expect(recorded(world)).toEqual(thrice({ leader: 0, handover: { kind: 'switchover', to: 2, until: later } }));
  });

  it('of a group that nobody ever led is refused', async () => {
    await expect(ask(new FakeWorld(), toFirst)).rejects.toMatchObject({ code: 'not-found' });
  });
});
