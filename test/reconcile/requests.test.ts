import { describe, expect, it } from 'vitest';
import type { Handover, NodeFacts, Reign } from '../../src/postgres/layout.ts';
import { observe } from '../../src/reconcile/observe.ts';
import {
  cancelHandover,
  findHandover,
  isPaused as isPausedInVolumes,
  requestHandover,
  setPaused,
} from '../../src/reconcile/requests.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { FakeWorld, type FakeHooks } from '../bench/fake-engine.ts';
import { findFaults, isMutating, leastFile, planOf, run, type File } from './simulation.ts';

const [group] = leastFile.groups;
if (group === undefined) throw new Error('the least file has no group');

/** A group of a primary and two replicas, and one of a primary and a replica. */
const file: File = { ...leastFile, groups: [{ ...group, slots: [1, 2] }, group] };

/** Epoch milliseconds. */
const later = Date.now() + 3_600_000;
const yesterday = 1;
const toFirst: Handover = { kind: 'switchover', to: 1, until: later };
const toSecond: Handover = { ...toFirst, to: 2 };

async function start(): Promise<FakeWorld> {
  const world = new FakeWorld();
  await run(world, file);
  return world;
}

const nodes = (world: FakeWorld): readonly FakeContainer[] =>
  [...world.containers.values()].filter(({ spec }) => spec.labels['pgherd.kind'] === 'node');

async function factsOf(world: FakeWorld, name = 'lb1'): Promise<readonly NodeFacts[]> {
  const seen = await observe(world.connect().engine, 'shop', undefined);
  return seen.nodes.filter((node) => node.group === name).map(({ facts }) => facts);
}

/** Of the first group, by its record. */
async function reignOf(world: FakeWorld): Promise<Reign> {
  const [facts] = await factsOf(world);
  if (facts?.record === undefined) throw new Error('there is no record');
  return facts.record;
}

async function requested(world: FakeWorld): Promise<Handover | undefined> {
  const seen = await observe(world.connect().engine, 'shop', undefined);
  const own = seen.nodes.filter((node) => node.group === 'lb1');
  const [first] = own;
  if (first?.facts.record === undefined) throw new Error('there is no record');
  const found = findHandover(own, first.facts.record);
  return found === undefined ? undefined : { kind: found.kind, to: found.to, until: found.until };
}

const request = async (world: FakeWorld, handover: Handover, of?: Reign) =>
  requestHandover(world.connect().engine, 'shop', 'lb1', handover, of ?? (await reignOf(world)));

const cancel = (world: FakeWorld, handover: Awaited<ReturnType<typeof request>>): Promise<void> =>
  cancelHandover(world.connect().engine, 'shop', 'lb1', handover);

function pause(world: FakeWorld, by: string | undefined, hooks: FakeHooks = {}): Promise<boolean> {
  return setPaused(world.connect(hooks).engine, 'shop', by);
}

async function isPaused(world: FakeWorld): Promise<boolean> {
  return isPausedInVolumes(await observe(world.connect().engine, 'shop', undefined));
}

/** Fails the calls that write into volumes after so many. */
function failAfter(count: number): FakeHooks {
  let writes = 0;
  return {
    before: ({ method }) => {
      if (method === 'writeArchive' && (writes += 1) > count) throw new Error('the connection broke');
    },
  };
}

describe('a requested change of leaders', () => {
  it('stands in the volume of every server, and is over once another one leads', async () => {
    const world = await start();
    await request(world, toFirst);
    expect((await factsOf(world)).map(({ handover }) => handover?.is)).toEqual(['requested', 'requested', 'requested']);
    expect(await requested(world)).toEqual(toFirst);
    await run(world, file);
    expect((await reignOf(world)).leader).toBe(1);
    expect(await requested(world)).toBeUndefined();
    expect((await run(world, file)).result).toMatchObject({ converged: true, done: 0 });
  });

  it('leaves the record of who leads as it is', async () => {
    const world = await start();
    const before = await reignOf(world);
    await request(world, toFirst);
    await cancel(world, await request(world, toSecond));
    expect(await reignOf(world)).toEqual(before);
  });

  it('that arrives after another one leads does nothing: it was to end the reign before', async () => {
    const world = await start();
    const before = await reignOf(world);
    await request(world, toSecond);
    await run(world, file);
    await request(world, toFirst, before);
    expect(await requested(world)).toBeUndefined();
    expect((await planOf(world, file)).steps).toEqual([]);
  });

  it('that has expired does nothing', async () => {
    const world = await start();
    await request(world, { ...toFirst, until: yesterday });
    expect((await planOf(world, file)).steps).toEqual([]);
  });

  it('gives way to a later one', async () => {
    const world = await start();
    await request(world, toFirst);
    await request(world, toSecond);
    expect(await requested(world)).toEqual(toSecond);
  });

  it('is cancelled by whoever made it', async () => {
    const world = await start();
    await cancel(world, await request(world, toFirst));
    expect(await requested(world)).toBeUndefined();
    expect((await planOf(world, file)).steps).toEqual([]);
  });

  it('is not cancelled by whoever made an earlier one', async () => {
    const world = await start();
    const first = await request(world, toFirst);
    await request(world, toSecond);
    await cancel(world, first);
    expect(await requested(world)).toEqual(toSecond);
  });

  it('counts where it reached one volume only', async () => {
    const world = await start();
    const { engine } = world.connect(failAfter(1));
    await requestHandover(engine, 'shop', 'lb1', toFirst, await reignOf(world));
    expect(await requested(world)).toEqual(toFirst);
  });

  it('of a cluster that is not there is refused', async () => {
    await expect(request(new FakeWorld(), toFirst, { leader: 0 })).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('a pause', () => {
  it('stands in the volume of every server of every group, with who wanted it', async () => {
    const world = await start();
    expect(await pause(world, 'ann')).toBe(true);
    const facts = [...(await factsOf(world)), ...(await factsOf(world, 'lb2'))];
    expect(facts.map(({ pause: found }) => found?.by)).toEqual(['ann', 'ann', 'ann', 'ann', 'ann']);
  });

  it('leaves the records as they are, and so does its end', async () => {
    const world = await start();
    const before = (await factsOf(world)).map(({ record }) => record);
    await pause(world, 'ann');
    await pause(world, undefined);
    expect((await factsOf(world)).map(({ record }) => record)).toEqual(before);
  });

  it('that is there already is left as it is', async () => {
    const world = await start();
    await pause(world, 'ann');
    const before = await factsOf(world);
    expect(await pause(world, 'bob')).toBe(false);
    expect(await factsOf(world)).toEqual(before);
  });

  it('needs no lock, so that whoever holds it learns of it', async () => {
    const world = await start();
    const { engine, calls } = world.connect();
    await setPaused(engine, 'shop', 'ann');
    expect(calls.filter(({ method }) => method === 'createContainer')).toEqual([]);
  });

  it('reaches servers that do not run', async () => {
    const world = await start();
    for (const { id } of nodes(world)) await world.connect().engine.stopContainer(id, 1);
    await pause(world, 'ann');
    expect((await factsOf(world)).map(({ pause: found }) => found?.isPaused)).toEqual([true, true, true]);
  });

  it('of a cluster that is not there is refused', async () => {
    await expect(pause(new FakeWorld(), 'ann')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('holds where it reached one volume only, and is completed by another', async () => {
    const world = await start();
    expect(await pause(world, 'ann', failAfter(1))).toBe(true);
    expect(await isPaused(world)).toBe(true);
    expect(await pause(world, 'bob')).toBe(true);
    expect((await factsOf(world)).map(({ pause: found }) => found?.by)).toEqual(['bob', 'bob', 'bob']);
  });

  it('fails where it reached none', async () => {
    const world = await start();
    await expect(pause(world, 'ann', failAfter(0))).rejects.toThrow('the connection broke');
    expect(await isPaused(world)).toBe(false);
  });

  it('ends with the latest word, also where that reached one volume only', async () => {
    const world = await start();
    await pause(world, 'ann');
    await pause(world, undefined, failAfter(1));
    expect(await isPaused(world)).toBe(false);
  });

  it('that is written while another one is made leader leaves that one leading', async () => {
    const world = await start();
    await request(world, toFirst);
    let isWritten = false;
    let written: Promise<unknown> = Promise.resolve();
    const hooks: FakeHooks = {
      after: ({ method, args }) => {
        if (isWritten || method !== 'exec' || !JSON.stringify(args[1]).includes('/promote')) return;
        isWritten = true;
        written = pause(world, 'ann');
      },
    };
    await run(world, file, () => hooks);
    await written;
    expect(isWritten).toBe(true);
    expect(await isPaused(world)).toBe(true);
    await pause(world, undefined);
    await run(world, file);
    expect((await reignOf(world)).leader).toBe(1);
    expect(findFaults(world, file)).toEqual([]);
  });
});

describe('a cluster that is paused', () => {
  it('has one thing blocked, and nothing to be done', async () => {
    const world = await start();
    await pause(world, 'ann');
    const plan = await planOf(world, file);
    expect(plan).toMatchObject({ steps: [], checks: [], blocked: [{ resource: 'cluster/shop' }] });
    expect(plan.blocked[0]).toMatchObject({ reason: { code: 'paused' }, remedy: 'pgherd resume shop' });
  });

  it('is looked at only, whatever happens to it and its file', async () => {
    const world = await start();
    await pause(world, 'ann');
    await world.connect().engine.removeContainer('shop-lb1-replica1');
    await world.connect().engine.stopContainer('shop-lb2-primary', 1);
    const { result, calls } = await run(world, { ...file, groups: [group] });
    expect(result).toMatchObject({ converged: false, done: 0, stopped: undefined });
    expect(result.blocked.map(({ reason }) => reason.code)).toEqual(['paused']);
    expect(calls.filter(isMutating)).toEqual([]);
  });
});

describe('the end of a pause', () => {
  it('of a cluster that is not paused changes nothing', async () => {
    const world = await start();
    const before = await factsOf(world);
    expect(await pause(world, undefined)).toBe(false);
    expect(await factsOf(world)).toEqual(before);
  });

  it('lets everything be done that there was to do', async () => {
    const world = await start();
    await pause(world, 'ann');
    await world.connect().engine.removeContainer('shop-lb1-replica1');
    await pause(world, undefined);
    expect((await run(world, file)).result).toMatchObject({ converged: true });
    expect(findFaults(world, file)).toEqual([]);
    expect((await run(world, file)).result).toMatchObject({ converged: true, done: 0 });
  });
});
