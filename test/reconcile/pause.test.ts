import { describe, expect, it } from 'vitest';
import { parseRecord, type GroupRecord } from '../../src/postgres/record.ts';
import { setPaused } from '../../src/reconcile/pause.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { FakeWorld, type FakeHooks } from '../bench/fake-engine.ts';
import { findFaults, isMutating, leastFile, planOf, run, worldOf, type File } from './simulation.ts';

const home = '/var/lib/postgresql/data/pgherd';

/** Two groups, of two servers each. */
const file: File = { ...leastFile, groups: [...leastFile.groups, ...leastFile.groups] };

async function start(): Promise<FakeWorld> {
  const world = new FakeWorld();
  await run(world, file);
  return world;
}

function pause(world: FakeWorld, by: string | undefined, hooks: FakeHooks = {}): Promise<boolean> {
  return setPaused(world.connect(hooks).engine, 'shop', by, worldOf(world));
}

const nodes = (world: FakeWorld): readonly FakeContainer[] =>
  [...world.containers.values()].filter(({ spec }) => spec.labels['pgherd.kind'] === 'node');

function recordOf(container: FakeContainer): GroupRecord {
  const record = parseRecord(container.view.read(`${home}/record`) ?? '');
  if (record === undefined) throw new Error(`${container.name} has no record`);
  return record;
}

/** Who paused the cluster, by each of its servers. */
function paused(world: FakeWorld): readonly string[] {
  return nodes(world).map((each) => recordOf(each).paused?.by ?? 'nobody');
}

/** Another pgherd writes a record into all volumes of a group. */
function write(world: FakeWorld, name: string, change: (record: GroupRecord) => GroupRecord): void {
  for (const container of nodes(world)) {
    if (container.spec.labels['pgherd.group'] !== name) continue;
    const record = change(recordOf(container));
    const { version, leader, members } = record;
    const target = `record.${version}.${leader}.${members.join('-')}.json`;
    container.view.put(`${home}/${target}`, { type: 'file', content: JSON.stringify(record) });
    container.view.put(`${home}/record`, { type: 'link', target });
  }
}

describe('a pause', () => {
  it('is written into the records of every group, in the volume of every server', async () => {
    const world = await start();
    expect(await pause(world, 'ann')).toBe(true);
    expect(paused(world)).toEqual(['ann', 'ann', 'ann', 'ann']);
    for (const node of nodes(world)) expect(Date.parse(recordOf(node).paused?.at ?? '')).not.toBeNaN();
  });

  it('that is there already is left as it is', async () => {
    const world = await start();
    await pause(world, 'ann');
    const before = nodes(world).map(recordOf);
    expect(await pause(world, 'bob')).toBe(false);
    expect(nodes(world).map(recordOf)).toEqual(before);
  });

  it('keeps everything else that the record says, also what this version does not know', async () => {
    const world = await start();
    write(world, 'lb1', (record) => ({ ...record, version: record.version + 1, quorum: { epoch: 4 } }));
    const before = nodes(world).map(recordOf);
    await pause(world, 'ann');
    const after = nodes(world).map(recordOf);
    for (const [index, record] of after.entries()) {
      const old = before[index];
      expect(record).toEqual({ ...old, version: (old?.version ?? 0) + 1, paused: record.paused });
    }
    expect(after.filter((record) => 'quorum' in record)).toHaveLength(2);
  });

  it('needs no lock, so that whoever holds it learns of it', async () => {
    const world = await start();
    const { engine, calls } = world.connect();
    await setPaused(engine, 'shop', 'ann', worldOf(world));
    expect(calls.filter(({ method }) => method === 'createContainer')).toEqual([]);
  });

  it('reaches servers that do not run', async () => {
    const world = await start();
    for (const { id } of nodes(world)) await world.connect().engine.stopContainer(id, 1);
    await pause(world, 'ann');
    expect(paused(world)).toEqual(['ann', 'ann', 'ann', 'ann']);
  });

  it('of a cluster that is not there is refused', async () => {
    await expect(pause(new FakeWorld(), 'ann')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is completed where an earlier one reached one group only', async () => {
    const world = await start();
    let writes = 0;
    const broken = pause(world, 'ann', {
      before: ({ method }) => {
        if (method === 'writeArchive' && (writes += 1) > 2) throw new Error('the connection broke');
      },
    });
    await expect(broken).rejects.toThrow('the connection broke');
    expect(paused(world).toSorted()).toEqual(['ann', 'ann', 'nobody', 'nobody']);
    expect(await pause(world, 'bob')).toBe(true);
    expect(paused(world).toSorted()).toEqual(['ann', 'ann', 'bob', 'bob']);
  });
});

describe('a pause while somebody else writes the record', () => {
  /** Calls `meanwhile` after the last volume of the first group was written, so many times. */
  const after = (times: number, meanwhile: () => void): FakeHooks => {
    let writes = 0;
    return {
      after: ({ method }) => {
        if (method !== 'writeArchive') return;
        writes += 1;
        if (writes % 2 === 0 && writes / 2 <= times) meanwhile();
      },
    };
  };

  it('is written again, and loses nothing of what the other wrote', async () => {
    const world = await start();
    const hooks = after(1, () => {
      write(world, 'lb1', (record) => ({ ...record, paused: undefined, version: record.version + 1, other: 'kept' }));
    });
    expect(await pause(world, 'ann', hooks)).toBe(true);
    expect(paused(world)).toEqual(['ann', 'ann', 'ann', 'ann']);
    expect(nodes(world).filter((each) => recordOf(each)['other'] === 'kept')).toHaveLength(2);
  });

  it('is written again also where both wrote the same version', async () => {
    const world = await start();
    const hooks = after(1, () => {
      write(world, 'lb1', (record) => ({ ...record, paused: undefined, other: 'kept' }));
    });
    await pause(world, 'ann', hooks);
    expect(paused(world)).toEqual(['ann', 'ann', 'ann', 'ann']);
    expect(nodes(world).filter((each) => recordOf(each)['other'] === 'kept')).toHaveLength(2);
  });

  it('is given up where that never ends', async () => {
    const world = await start();
    const hooks = after(1000, () => {
      for (const name of ['lb1', 'lb2']) {
        write(world, name, (record) => ({ ...record, paused: undefined, version: record.version + 1 }));
      }
    });
    await expect(pause(world, 'ann', hooks)).rejects.toMatchObject({ code: 'in-progress', retry: true });
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
    const { result, calls } = await run(world, {
      ...file,
      groups: leastFile.groups.map((group) => ({ ...group, slots: [1, 2] })),
    });
    expect(result).toMatchObject({ converged: false, done: 0, stopped: undefined });
    expect(result.blocked.map(({ reason }) => reason.code)).toEqual(['paused']);
    expect(calls.filter(isMutating)).toEqual([]);
  });

  it('is so where the record of one group says it', async () => {
    const world = await start();
    await pause(world, 'ann');
    write(world, 'lb1', (record) => ({ ...record, paused: undefined, version: record.version + 1 }));
    expect((await planOf(world, file)).blocked).toHaveLength(1);
  });
});

describe('the end of a pause', () => {
  it('leaves the records as they were, but for their versions', async () => {
    const world = await start();
    const before = nodes(world).map(recordOf);
    await pause(world, 'ann');
    expect(await pause(world, undefined)).toBe(true);
    expect(nodes(world).map(recordOf)).toEqual(before.map((record) => ({ ...record, version: record.version + 2 })));
  });

  it('that is not paused changes nothing', async () => {
    const world = await start();
    const before = nodes(world).map(recordOf);
    expect(await pause(world, undefined)).toBe(false);
    expect(nodes(world).map(recordOf)).toEqual(before);
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
