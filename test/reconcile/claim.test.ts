import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { baseName, formatRecordName, layoutOf, readRecordName, type RecordName } from '../../src/postgres/layout.ts';
import { parseRecord, recordsFolder, type GroupRecord } from '../../src/postgres/record.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { claim, isClaimed, type Tenure } from '../../src/reconcile/claim.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import { placed, targetOf } from '../../src/reconcile/kinds/find-node.ts';
import { readRecord, writeRecord } from '../../src/reconcile/kinds/group-record.ts';
import type { Lock } from '../../src/reconcile/lock.ts';
import { observe } from '../../src/reconcile/observe.ts';
import type { ObservedNode, Snapshot } from '../../src/reconcile/snapshot.ts';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { FakeWorld, type FakeCall, type FakeHooks } from '../bench/fake-engine.ts';
import { leastFile, run, type File } from './simulation.ts';
import { changeNode, convergedSnapshot, topologyOf, withContainer, withFacts } from './support.ts';

const [group] = leastFile.groups;
if (group === undefined) throw new Error('the least file has no group');

/** A group of a primary and two replicas, and one of a primary and a replica. */
const file: File = { ...leastFile, groups: [{ ...group, slots: [1, 2] }, group] };
const topology = topologyOf(`
cluster_name: shop
balancers:
  - { name: lb1, replicas: 2 }
  - { name: lb2, replicas: 1 }
`);
const onlyFirst = topologyOf('{ cluster_name: shop, balancers: [{ name: lb1, replicas: 2 }] }');

const [primary, replica1, replica2] = ['shop-lb1-primary', 'shop-lb1-replica1', 'shop-lb1-replica2'];
const [primaryOfSecond, replicaOfSecond] = ['shop-lb2-primary', 'shop-lb2-replica1'];
const first = [primary, replica1, replica2];
const second = [primaryOfSecond, replicaOfSecond];

const { home } = layoutOf([]);
const torn = '{"format":2,"epoch":';

/** The cluster, and the records of its groups, which are of one epoch. */
async function start(): Promise<{
  readonly world: FakeWorld;
  readonly epoch: number;
  readonly lb1: GroupRecord;
  readonly lb2: GroupRecord;
}> {
  const world = new FakeWorld();
  await run(world, file);
  const [lb1, lb2] = [recordIn(world, primary), recordIn(world, primaryOfSecond)];
  if (lb1 === undefined || lb2 === undefined) throw new Error('there is no record');
  expect(lb2.epoch).toBe(lb1.epoch);
  return { world, epoch: lb1.epoch, lb1, lb2 };
}

function find(world: FakeWorld, name: string): FakeContainer {
  const container = world.find(name);
  if (container === undefined) throw new Error(`there is no ${name}`);
  return container;
}

/** What the link of a volume leads to. */
function recordIn(world: FakeWorld, name: string): GroupRecord | undefined {
  return parseRecord(find(world, name).view.read(`${home}/record`) ?? '');
}

/** What the links of these volumes name. */
function epochsIn(world: FakeWorld, names: readonly string[]): readonly (number | undefined)[] {
  return names.map((name) => readRecordName(baseName(find(world, name).view.link(`${home}/record`)))?.epoch);
}

/** The volumes whose links name this epoch. */
function volumesOf(world: FakeWorld, epoch: number): readonly string[] {
  return [...first, ...second].filter((name) => epochsIn(world, [name])[0] === epoch);
}

/** Leaves a volume one file of all its records, and its link. */
function keepOnly(world: FakeWorld, name: string, record: RecordName, content: string): void {
  find(world, name).view.remove(`${home}/${recordsFolder}`);
  find(world, name).view.put(`${home}/${recordsFolder}`, { type: 'directory' });
  putFile(world, name, record, content);
}

/** Puts a file among the records of a volume, and leaves its link. */
function putFile(world: FakeWorld, name: string, record: RecordName, content: string): void {
  find(world, name).view.put(`${home}/${recordsFolder}/${formatRecordName(record)}`, { type: 'file', content });
}

function look(world: FakeWorld): Promise<Snapshot> {
  return observe(world.connect().engine, 'shop', topology);
}

function nodeOf({ nodes }: Snapshot, name: string): ObservedNode {
  const node = nodes.find(({ container }) => container.name === name);
  if (node === undefined) throw new Error(`${name} was not seen`);
  return node;
}

/** Some holder of the lock writes a record into these volumes, and sets their links. */
async function write(world: FakeWorld, names: readonly string[], record: GroupRecord): Promise<void> {
  const snapshot = await look(world);
  const targets = names.map((name) => targetOf(nodeOf(snapshot, name)));
  await writeRecord(record, targets, contextOf(world.connect().engine));
}

function contextOf(engine: Engine): ActionContext {
  return {
    ...{ engine, cluster: 'shop', signal: new AbortController().signal, epoch: () => undefined },
    ...{ records: new Map(), remembered: new Map(), owners: new Owners(), passwordOf: () => undefined },
    verifyLock: () => Promise.resolve(),
    readFile: () => Promise.reject(new Error('no files here')),
    randomBytes: (size: number) => Buffer.alloc(size),
  };
}

/** A holder of the lock claims what it sees; unless told otherwise for the first time, by a clock that went back. */
async function claimIn(
  world: FakeWorld,
  options: {
    readonly since?: number;
    readonly tenure?: Tenure;
    readonly of?: typeof topology;
    readonly seen?: (snapshot: Snapshot) => Snapshot;
    readonly verify?: () => Promise<void>;
    readonly hooks?: FakeHooks;
  } = {},
): Promise<{
  readonly claimed: Promise<boolean>;
  readonly tenure: Tenure;
  readonly context: ActionContext;
  readonly calls: readonly FakeCall[];
}> {
  const { since = 0, tenure = { epoch: undefined }, of = topology, seen = (snapshot) => snapshot } = options;
  const { verify = () => Promise.resolve(), hooks = {} } = options;
  const lock: Lock = { since, verify, release: () => Promise.resolve(), lost: new Promise(() => undefined) };
  const snapshot = seen(await look(world));
  const { engine, calls } = world.connect(hooks);
  const context = contextOf(engine);
  return { claimed: claim(of, snapshot, tenure, lock, context), tenure, context, calls };
}

/** Reads of records, among the calls of a claim. */
const readsRecords = ({ method, args }: FakeCall): boolean =>
  method === 'readArchive' && String(args[1]).startsWith(`${home}/${recordsFolder}`);

describe('the epoch of a claim', () => {
  it('is the time at which the lock was taken, for every group', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure } = await claimIn(world, { since: epoch + 1000 });
    await claimed;
    expect(tenure.epoch).toBe(epoch + 1000);
    expect(volumesOf(world, epoch + 1000)).toEqual([...first, ...second]);
  });

  it('is above those of all groups where the clock went back', async () => {
    const { world, epoch, lb2 } = await start();
    await write(world, second, { ...lb2, epoch: epoch + 10 });
    const { claimed, tenure } = await claimIn(world, { since: epoch + 5 });
    await claimed;
    expect(tenure.epoch).toBe(epoch + 11);
    expect(volumesOf(world, epoch + 11)).toEqual([...first, ...second]);
  });

  it('is above that of a record that no link names', async () => {
    const { world, epoch, lb1 } = await start();
    await write(world, first, { ...lb1, epoch: epoch + 10 });
    await write(world, first, lb1);
    const { claimed, tenure } = await claimIn(world);
    await claimed;
    expect(tenure.epoch).toBe(epoch + 11);
  });

  it('is no lower than its own last, whatever is found', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure } = await claimIn(world, { tenure: { epoch: epoch + 500 } });
    await claimed;
    expect(tenure.epoch).toBe(epoch + 500);
    expect(volumesOf(world, epoch + 500)).toEqual([...first, ...second]);
  });

  it('is above its own last where a group has another one', async () => {
    const { world, epoch, lb1 } = await start();
    const tenure: Tenure = { epoch: undefined };
    await (
      await claimIn(world, { tenure, since: epoch + 1000 })
    ).claimed;
    expect(tenure.epoch).toBe(epoch + 1000);
    await write(world, first, { ...lb1, epoch: epoch + 1001 });
    expect(await (await claimIn(world, { tenure })).claimed).toBe(true);
    expect(tenure.epoch).toBe(epoch + 1002);
    expect(volumesOf(world, epoch + 1002)).toEqual([...first, ...second]);
  });

  it('is above its own last where all links of a group were set back to an earlier one', async () => {
    const { world, epoch, lb1 } = await start();
    const tenure: Tenure = { epoch: undefined };
    await (
      await claimIn(world, { tenure, since: epoch + 1000 })
    ).claimed;
    await write(world, first, lb1);
    expect(await (await claimIn(world, { tenure })).claimed).toBe(true);
    expect(volumesOf(world, epoch + 1001)).toEqual([...first, ...second]);
  });

  it('stays its own where only a group is behind of which no record can be read', async () => {
    const { world, lb2 } = await start();
    for (const name of second) keepOnly(world, name, lb2, torn);
    const tenure: Tenure = { epoch: undefined };
    expect(await (await claimIn(world, { tenure })).claimed).toBe(true);
    const { epoch } = tenure;
    const again = await claimIn(world, { tenure });
    expect(await again.claimed).toBe(false);
    expect(tenure.epoch).toBe(epoch);
    expect(again.calls.filter(({ method }) => method === 'writeArchive')).toEqual([]);
  });
});

describe('what a claim writes', () => {
  it('is the record of each group as it was, what a later version knows with it, under the epoch', async () => {
    const { world, epoch, lb1, lb2 } = await start();
    const known = { ...lb1, version: lb1.version + 1, later: { than: 'this' } };
    await write(world, first, known);
    await (
      await claimIn(world)
    ).claimed;
    for (const name of first) expect(recordIn(world, name)).toEqual({ ...known, epoch: epoch + 1 });
    for (const name of second) expect(recordIn(world, name)).toEqual({ ...lb2, epoch: epoch + 1 });
  });

  it('is the newest record in any volume, whatever its link says', async () => {
    const { world, epoch, lb1 } = await start();
    const newest = { ...lb1, version: lb1.version + 1, leader: 1, fork: { timeline: 1, lsn: 1000 } };
    await write(world, [replica2], newest);
    await write(world, [replica2], lb1);
    expect((await look(world)).nodes.map(({ facts }) => facts.record?.leader)).toEqual([0, 0, 0, 0, 0]);
    await (
      await claimIn(world)
    ).claimed;
    for (const name of first) expect(recordIn(world, name)).toEqual({ ...newest, epoch: epoch + 1 });
  });

  it('is not a record whose text cannot be parsed, which is passed over', async () => {
    const { world, epoch, lb1 } = await start();
    putFile(world, replica1, { ...lb1, version: lb1.version + 1, leader: 1 }, torn);
    await (
      await claimIn(world)
    ).claimed;
    for (const name of first) expect(recordIn(world, name)).toEqual({ ...lb1, epoch: epoch + 1 });
  });

  it('is what the name tells of a record that all volumes link and have torn, and the rest of the one before', async () => {
    const { world, epoch, lb1 } = await start();
    const named = {
      ...{ epoch: epoch + 50, version: lb1.version + 1, leader: 1, members: [0, 1, 2] },
      ...{ fork: { timeline: 4, lsn: 1000 }, sync: { num: 1, listed: [2] } },
    };
    await write(world, first, { ...lb1, ...named });
    for (const name of first) putFile(world, name, named, '');
    const { claimed, tenure } = await claimIn(world);
    expect(await claimed).toBe(true);
    for (const name of first) {
      const reigns = ['1.4.1000', '0'];
      expect(recordIn(world, name)).toEqual({ ...lb1, ...named, epoch: epoch + 51, timeline: 5, reigns });
    }
    expect(isClaimed(topology, await look(world), tenure)).toBe(true);
  });

  it('is not an older one than a record of a version that comes later', async () => {
    const { world, epoch, lb1 } = await start();
    const later = { ...lb1, version: lb1.version + 1, leader: 1 };
    await write(world, first, later);
    for (const name of first) putFile(world, name, later, '{"format":3}');
    await expect((await claimIn(world)).claimed).rejects.toThrow('lb1: the record');
    expect(volumesOf(world, epoch + 1)).toEqual([]);
  });

  it('is none beside a record of a version that comes later, where there is no other', async () => {
    const { world, epoch, lb1 } = await start();
    for (const name of first) keepOnly(world, name, lb1, '{"format":3}');
    await expect((await claimIn(world)).claimed).rejects.toThrow('lb1: the record');
    expect(volumesOf(world, epoch + 1)).toEqual([]);
  });

  it('is nothing for a group of which no record can be parsed', async () => {
    const { world, epoch, lb2 } = await start();
    for (const name of second) keepOnly(world, name, lb2, torn);
    const { claimed, context } = await claimIn(world);
    expect(await claimed).toBe(true);
    expect(volumesOf(world, epoch + 1)).toEqual(first);
    expect([...context.records.keys()]).toEqual(['lb1']);
  });
});

describe('a record with volumes to spare is written into', () => {
  const write = async (unwritable: readonly string[]): Promise<readonly string[]> => {
    const { world, lb1 } = await start();
    const snapshot = await look(world);
    const target = (name: string): ReturnType<typeof targetOf> => targetOf(nodeOf(snapshot, name));
    const { engine } = world.connect({
      before: ({ method, args }) => {
        const isIn = unwritable.some((name) => find(world, name).id === args[0]);
        if (method === 'writeArchive' && isIn) throw new PgherdError('engine-error', 'no space left', { retry: true });
      },
    });
    const record = { ...lb1, epoch: lb1.epoch + 1 };
    await writeRecord(record, [target(primary), target(replica1)], contextOf(engine), [target(replica2)]);
    return volumesOf(world, record.epoch);
  };

  it('none of those where all others can be written', async () => {
    expect(await write([])).toEqual([primary, replica1]);
  });
  it('those as well where more than half of all are reached by them', async () => {
    expect(await write([replica1])).toEqual([primary, replica2]);
  });
  it('too few where not, which is an error', async () => {
    await expect(write([replica1, replica2])).rejects.toThrow('no space left');
  });
});

describe('a claim writes into', () => {
  it('the volumes of a group that the file no longer names', async () => {
    const { world, epoch } = await start();
    await (
      await claimIn(world, { of: onlyFirst })
    ).claimed;
    expect(volumesOf(world, epoch + 1)).toEqual([...first, ...second]);
  });

  it('no volume that has no record', async () => {
    const { world, epoch } = await start();
    const view = find(world, replica1).view;
    view.remove(`${home}/record`);
    view.remove(`${home}/${recordsFolder}`);
    await (
      await claimIn(world)
    ).claimed;
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica2, ...second]);
    expect(view.get(`${home}/record`)).toBeUndefined();
  });

  it('no volume of a group of which too few are read', async () => {
    const { world, epoch } = await start();
    const seen = (snapshot: Snapshot): Snapshot => changeNode(snapshot, 'lb2', 0, () => undefined);
    const { claimed, calls } = await claimIn(world, { seen });
    expect(await claimed).toBe(true);
    expect(volumesOf(world, epoch + 1)).toEqual(first);
    expect(calls.filter(readsRecords)).toHaveLength(first.length);
  });

  it('those that are read of a group of which enough are', async () => {
    const { world, epoch } = await start();
    const seen = (snapshot: Snapshot): Snapshot => changeNode(snapshot, 'lb1', 2, () => undefined);
    await (
      await claimIn(world, { seen })
    ).claimed;
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica1, ...second]);
  });

  /** The primary began to lead anew, by a record that these volumes have; its container is in this state. */
  async function lead(
    names: readonly string[],
    slot: number,
    state: 'created' | 'running',
  ): Promise<readonly string[]> {
    const { world, epoch, lb1 } = await start();
    await write(world, names, { ...lb1, version: lb1.version + 1, fork: { timeline: 1, lsn: 1000 } });
    const seen = (snapshot: Snapshot): Snapshot =>
      changeNode(snapshot, 'lb1', slot, (node) => withContainer(node, { state }));
    await (
      await claimIn(world, { seen })
    ).claimed;
    return volumesOf(world, epoch + 1).filter((name) => first.includes(name));
  }

  it('no volume of who leads that is of before its reign, and only created', async () => {
    expect(await lead([replica1, replica2], 0, 'created')).toEqual([replica1, replica2]);
  });

  it('a volume of who leads that is of before its reign, where its container has run', async () => {
    expect(await lead([replica1, replica2], 0, 'running')).toEqual(first);
  });

  it('a volume of who leads that is only created, and of its reign, though its link was set back', async () => {
    const { world, epoch, lb2 } = await start();
    const reign = { ...lb2, version: lb2.version + 1, fork: { timeline: 1, lsn: 1000 } };
    await write(world, [primaryOfSecond], reign);
    await write(world, [primaryOfSecond], lb2);
    const seen = (snapshot: Snapshot): Snapshot =>
      changeNode(snapshot, 'lb2', 0, (node) => withContainer(node, { state: 'created' }));
    await (
      await claimIn(world, { seen })
    ).claimed;
    expect(recordIn(world, primaryOfSecond)).toEqual({ ...reign, epoch: epoch + 1 });
  });

  it('a volume of who leads that is only created, and of its reign', async () => {
    expect(await lead(first, 0, 'created')).toEqual(first);
  });

  it('a volume of who follows that is only created, and of before the reign', async () => {
    expect(await lead([primary, replica2], 1, 'created')).toEqual(first);
  });
});

describe('the lock', () => {
  it('is verified between what a claim reads and what it writes, and after that', async () => {
    const { world } = await start();
    const order: string[] = [];
    const { claimed } = await claimIn(world, {
      verify: () => Promise.resolve(void order.push('verified')),
      hooks: {
        before: (call) => {
          if (call.method === 'writeArchive') order.push('writes');
        },
        after: (call) => {
          if (call.method === 'writeArchive') order.push('written');
          else if (readsRecords(call)) order.push('read');
        },
      },
    });
    await claimed;
    expect(order.slice(0, 7)).toEqual([...Array<string>(5).fill('read'), 'verified', 'writes']);
    expect(order.slice(-2)).toEqual(['written', 'verified']);
    expect(order.filter((each) => each === 'verified')).toHaveLength(2);
    expect(order.filter((each) => each === 'written')).toHaveLength(5);
  });

  /** It is lost right before it is verified for the n-th time. */
  function lostAt(nth: number): () => Promise<void> {
    let times = 0;
    return () =>
      (times += 1) < nth ? Promise.resolve() : Promise.reject(new PgherdError('lock-lost', 'somebody else has it'));
  }

  it('that is lost before anything is written has nothing written', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure, context, calls } = await claimIn(world, { verify: lostAt(1) });
    await expect(claimed).rejects.toMatchObject({ code: 'lock-lost' });
    expect(calls.filter(({ method }) => method === 'writeArchive')).toEqual([]);
    expect(volumesOf(world, epoch)).toEqual([...first, ...second]);
    expect(tenure.epoch).toBeUndefined();
    expect(context.records.size).toBe(0);
  });

  it('that is lost by the time that all is written leaves its holder without an epoch', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure } = await claimIn(world, { verify: lostAt(2) });
    await expect(claimed).rejects.toMatchObject({ code: 'lock-lost' });
    expect(volumesOf(world, epoch + 1)).toEqual([...first, ...second]);
    expect(tenure.epoch).toBeUndefined();
  });
});

describe('a claim asks to look again', () => {
  it('where it has written records', async () => {
    const { world } = await start();
    expect(await (await claimIn(world)).claimed).toBe(true);
  });

  it('not where there are none, and has an epoch all the same', async () => {
    const world = new FakeWorld();
    const { claimed, tenure, calls } = await claimIn(world, { since: 1000 });
    expect(await claimed).toBe(false);
    expect(tenure.epoch).toBe(1000);
    expect(calls).toEqual([]);
  });
});

/** The records of these cannot be read. */
const unread = (world: FakeWorld, ...names: readonly string[]): FakeHooks => ({
  before: (call) => {
    if (!readsRecords(call) || !names.some((name) => find(world, name).id === call.args[0])) return;
    throw new PgherdError('engine-timeout', 'the engine did not answer in time');
  },
});

/** The volumes of these can be read and not written. */
function failing(world: FakeWorld, ...names: readonly string[]): FakeHooks {
  const ids = names.map((name) => find(world, name).id);
  return {
    before: ({ method, args }) => {
      if (method !== 'writeArchive' || !ids.some((id) => id === args[0])) return;
      throw new PgherdError('engine-error', 'no space left on device');
    },
  };
}

describe('reads that fail', () => {
  it('are borne in a minority of the volumes of a group, which are not written either', async () => {
    const { world, epoch } = await start();
    expect(await (await claimIn(world, { hooks: unread(world, replica2) })).claimed).toBe(true);
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica1, ...second]);
  });

  it('are not borne in half of them, which may have the newest record', async () => {
    const { world, epoch } = await start();
    await expect((await claimIn(world, { hooks: unread(world, replicaOfSecond) })).claimed).rejects.toThrow('in time');
    expect(volumesOf(world, epoch + 1)).toEqual([]);
  });
});

describe('writes that fail', () => {
  it('are borne in a minority of the volumes of a group', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure, context } = await claimIn(world, { hooks: failing(world, replica2) });
    expect(await claimed).toBe(true);
    expect(tenure.epoch).toBe(epoch + 1);
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica1, ...second]);
    expect(context.records.get('lb1')?.epoch).toBe(epoch + 1);
    expect(isClaimed(topology, await look(world), tenure)).toBe(true);
  });

  it.each<readonly [string, string, readonly string[]]>([
    ['most', 'lb1', [replica1, replica2]],
    ['half', 'lb2', [primaryOfSecond]],
  ])('are not borne in %s of them: nothing is claimed', async (_, name, failed) => {
    const { world } = await start();
    const { claimed, tenure, context } = await claimIn(world, { hooks: failing(world, ...failed) });
    await expect(claimed).rejects.toThrow('no space left on device');
    expect(tenure.epoch).toBeUndefined();
    expect(context.records.has(name)).toBe(false);
    expect(context.remembered.has(name)).toBe(false);
  });
});

it('two volumes that cannot be read and one that cannot be written are too many of five', async () => {
  const world = new FakeWorld();
  await run(world, { ...leastFile, groups: [{ ...group, slots: [1, 2, 3, 4] }] });
  const of = topologyOf('{ cluster_name: shop, balancers: [{ name: lb1, replicas: 4 }] }');
  const hooks = [unread(world, replica1, replica2), failing(world, 'shop-lb1-replica3')];
  const { claimed, tenure } = await claimIn(world, {
    of,
    hooks: {
      before: (call) => {
        for (const each of hooks) each.before?.(call);
      },
    },
  });
  await expect(claimed).rejects.toThrow('no space left');
  expect(tenure.epoch).toBeUndefined();
});

describe('a record that was claimed', () => {
  it('is not read again in this run, nor in a later one', async () => {
    const { world, epoch, lb1 } = await start();
    const { claimed, context, calls } = await claimIn(world);
    await claimed;
    const made = calls.length;
    const node = nodeOf(await look(world), replica1);
    const record = { ...lb1, epoch: epoch + 1 };
    for (const later of [
      { ...context, remembered: new Map() },
      { ...context, records: new Map() },
    ]) {
      expect(await readRecord('lb1', { ...placed(node), record }, later)).toEqual(record);
    }
    expect(calls).toHaveLength(made);
  });
});

describe('the groups are claimed', () => {
  const epoch = 7;
  const converged = convergedSnapshot(topology);

  /** The records of these nodes, by group and slot, are of the epoch. */
  function claimedIn(nodes: readonly (readonly [string, number])[]): Snapshot {
    return nodes.reduce(
      (snapshot, [name, slot]) =>
        changeNode(snapshot, name, slot, (node) => {
          const { record } = node.facts;
          return withFacts(node, { record: record === undefined ? undefined : { ...record, epoch } });
        }),
      converged,
    );
  }

  const both = claimedIn([
    ['lb1', 1],
    ['lb2', 0],
  ]);

  it('where the newest record of each is of the epoch, though not every volume has that', () => {
    expect(isClaimed(topology, both, { epoch })).toBe(true);
  });

  it('by nobody who has claimed nothing yet', () => {
    expect(isClaimed(topology, both, { epoch: undefined })).toBe(false);
    expect(isClaimed(topology, { ...both, nodes: [] }, { epoch: undefined })).toBe(false);
  });

  it.each([epoch - 1, epoch + 1])('not where the records are of another epoch than %d', (own) => {
    expect(isClaimed(topology, both, { epoch: own })).toBe(false);
  });

  it.each<readonly [string, number]>([
    ['lb1', 0],
    ['lb2', 1],
  ])('not where those of %s alone are', (name, slot) => {
    expect(isClaimed(topology, claimedIn([[name, slot]]), { epoch })).toBe(false);
  });

  it('not where one that the file no longer names is not', () => {
    expect(isClaimed(onlyFirst, claimedIn([['lb1', 0]]), { epoch })).toBe(false);
  });

  it('whatever one says of which too few volumes are read', () => {
    const snapshot = changeNode(claimedIn([['lb1', 0]]), 'lb2', 0, () => undefined);
    expect(topology.groups.map((each) => viewGroup(each, snapshot).phase)).toEqual(['led', 'unread']);
    expect(isClaimed(topology, snapshot, { epoch })).toBe(true);
  });

  it('where one has no record yet', () => {
    const snapshot = [0, 1].reduce(
      (seen, slot) => changeNode(seen, 'lb2', slot, (node) => withFacts(node, { record: undefined })),
      claimedIn([['lb1', 0]]),
    );
    expect(isClaimed(topology, snapshot, { epoch })).toBe(true);
  });

  it('as soon as they are looked at after a claim, until somebody else claims them', async () => {
    const { world } = await start();
    const one = await claimIn(world);
    expect(isClaimed(topology, await look(world), one.tenure)).toBe(false);
    await one.claimed;
    expect(isClaimed(topology, await look(world), one.tenure)).toBe(true);
    const other = await claimIn(world);
    await other.claimed;
    const snapshot = await look(world);
    expect([one, other].map(({ tenure }) => isClaimed(topology, snapshot, tenure))).toEqual([false, true]);
  });
});
