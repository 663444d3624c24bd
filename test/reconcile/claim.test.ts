import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { baseName, formatRecordName, layoutOf, readRecordName, type RecordName } from '../../src/postgres/layout.ts';
import { parseRecord, recordsFolder, type GroupRecord } from '../../src/postgres/record.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { claim, findUnclaimed, newTenure, type Tenure } from '../../src/reconcile/claim.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import { placed, targetOf } from '../../src/reconcile/kinds/find-node.ts';
import { readRecord, writeRecord } from '../../src/reconcile/kinds/group-record.ts';
import type { Lock } from '../../src/reconcile/lock.ts';
import { observe } from '../../src/reconcile/observe.ts';
import type { ObservedNode, Snapshot } from '../../src/reconcile/snapshot.ts';
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
    ...{ records: new Map(), remembered: new Map(), owners: new Map(), passwordOf: () => undefined },
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
  /** The groups that it tried to claim. */
  readonly claimed: Promise<readonly string[]>;
  readonly tenure: Tenure;
  readonly context: ActionContext;
  readonly calls: readonly FakeCall[];
}> {
  const { since = 0, tenure = newTenure(), of = topology, seen = (snapshot) => snapshot } = options;
  const { verify = () => Promise.resolve(), hooks = {} } = options;
  const lock: Lock = { since, verify, release: () => Promise.resolve(), lost: new Promise(() => undefined) };
  const snapshot = seen(await look(world));
  const { engine, calls } = world.connect(hooks);
  const context = contextOf(engine);
  const groups = findUnclaimed(of, snapshot, tenure);
  const claimed = claim(groups, tenure, lock, () => 0, context).then(() => groups.map((each) => each.group));
  return { claimed, tenure, context, calls };
}

/** Which groups could not be claimed, and what is said of them. */
function failuresOf({ claims }: Tenure): readonly (readonly [string, string])[] {
  return [...claims].flatMap(([name, each]) => (each.is === 'failed' ? [[name, each.error.message] as const] : []));
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

  it('is above its own last, whatever is found: what was written under that may arrive late', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure } = await claimIn(world, { tenure: { ...newTenure(), epoch: epoch + 500 } });
    await claimed;
    expect(tenure.epoch).toBe(epoch + 501);
    expect(volumesOf(world, epoch + 501)).toEqual([...first, ...second]);
  });

  it('is a new one for a group that has another one, and for no other', async () => {
    const { world, epoch, lb1 } = await start();
    const tenure = newTenure();
    await (
      await claimIn(world, { tenure, since: epoch + 1000 })
    ).claimed;
    expect(tenure.epoch).toBe(epoch + 1000);
    await write(world, first, { ...lb1, epoch: epoch + 1001 });
    expect(await (await claimIn(world, { tenure })).claimed).toEqual(['lb1']);
    expect(tenure.epoch).toBe(epoch + 1002);
    expect(volumesOf(world, epoch + 1002)).toEqual(first);
    expect(volumesOf(world, epoch + 1000)).toEqual(second);
    expect(findUnclaimed(topology, await look(world), tenure)).toEqual([]);
  });

  it('is a new one for a group of which all links were set back to an earlier record', async () => {
    const { world, epoch, lb1 } = await start();
    const tenure = newTenure();
    await (
      await claimIn(world, { tenure, since: epoch + 1000 })
    ).claimed;
    await write(world, first, lb1);
    expect(await (await claimIn(world, { tenure })).claimed).toEqual(['lb1']);
    expect(volumesOf(world, epoch + 1001)).toEqual(first);
  });

  it('does not change with a group of which no record can be read: its links say who leads', async () => {
    const { world, epoch, lb2 } = await start();
    for (const name of second) keepOnly(world, name, lb2, torn);
    const tenure = newTenure();
    expect(await (await claimIn(world, { tenure })).claimed).toEqual(['lb1', 'lb2']);
    expect(tenure.epoch).toBe(epoch + 1);
    expect(findUnclaimed(topology, await look(world), tenure)).toEqual([]);
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
    await claimed;
    for (const name of first) {
      expect(recordIn(world, name)).toEqual({ ...lb1, ...named, epoch: epoch + 51, timeline: 5 });
    }
    expect(findUnclaimed(topology, await look(world), tenure)).toEqual([]);
  });

  it('is not an older one than a record of a version that comes later', async () => {
    const { world, epoch, lb1 } = await start();
    const later = { ...lb1, version: lb1.version + 1, leader: 1 };
    await write(world, first, later);
    for (const name of first) putFile(world, name, later, '{"format":3}');
    const { claimed, tenure } = await claimIn(world);
    await claimed;
    expect(failuresOf(tenure)).toEqual([['lb1', expect.stringContaining('lb1: the record')]]);
    expect(volumesOf(world, epoch + 1)).toEqual(second);
  });

  it('is none beside a record of a version that comes later, where there is no other', async () => {
    const { world, epoch, lb1 } = await start();
    for (const name of first) keepOnly(world, name, lb1, '{"format":3}');
    const { claimed, tenure } = await claimIn(world);
    await claimed;
    expect(failuresOf(tenure)).toEqual([['lb1', expect.stringContaining('lb1: the record')]]);
    expect(volumesOf(world, epoch + 1)).toEqual(second);
  });

  it('is nothing for a group of which no record can be parsed', async () => {
    const { world, epoch, lb2 } = await start();
    for (const name of second) keepOnly(world, name, lb2, torn);
    const { claimed, context } = await claimIn(world);
    await claimed;
    expect(volumesOf(world, epoch + 1)).toEqual(first);
    expect([...context.records.keys()]).toEqual(['lb1']);
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
    await claimed;
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

  it('that is lost by the time that all is written leaves its holder without a claim', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure, context } = await claimIn(world, { verify: lostAt(2) });
    await expect(claimed).rejects.toMatchObject({ code: 'lock-lost' });
    expect(volumesOf(world, epoch + 1)).toEqual([...first, ...second]);
    expect(findUnclaimed(topology, await look(world), tenure).map((each) => each.group)).toEqual(['lb1', 'lb2']);
    expect(context.records.size).toBe(0);
  });
});

it('a claim where there are no records gives its holder an epoch', async () => {
  const world = new FakeWorld();
  const { claimed, tenure, calls } = await claimIn(world, { since: 1000 });
  expect(await claimed).toEqual([]);
  expect(tenure.epoch).toBe(1000);
  expect(calls).toEqual([]);
});

describe('reads that fail', () => {
  const unread = (world: FakeWorld, ...names: readonly string[]): FakeHooks => ({
    before: (call) => {
      if (!readsRecords(call) || !names.some((name) => find(world, name).id === call.args[0])) return;
      throw new PgherdError('engine-timeout', 'the engine did not answer in time');
    },
  });

  it('are borne in a minority of the volumes of a group, which are not written either', async () => {
    const { world, epoch } = await start();
    await (
      await claimIn(world, { hooks: unread(world, replica2) })
    ).claimed;
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica1, ...second]);
  });

  it('in half of them leave the group unclaimed, for one of them may have the newest record, and no other', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure } = await claimIn(world, { hooks: unread(world, replicaOfSecond) });
    await claimed;
    expect(failuresOf(tenure)).toEqual([
      ['lb2', expect.stringMatching(/^nothing is done to lb2 .*: the engine did not answer in time$/)],
    ]);
    expect(volumesOf(world, epoch + 1)).toEqual(first);
  });
});

describe('writes that fail', () => {
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

  it('are borne in a minority of the volumes of a group', async () => {
    const { world, epoch } = await start();
    const { claimed, tenure, context } = await claimIn(world, { hooks: failing(world, replica2) });
    await claimed;
    expect(tenure.epoch).toBe(epoch + 1);
    expect(volumesOf(world, epoch + 1)).toEqual([primary, replica1, ...second]);
    expect(context.records.get('lb1')?.epoch).toBe(epoch + 1);
    expect(findUnclaimed(topology, await look(world), tenure)).toEqual([]);
  });

  it.each<readonly [string, string, readonly string[], readonly string[]]>([
    ['most', 'lb1', [replica1, replica2], second],
    ['half', 'lb2', [primaryOfSecond], first],
  ])('in %s of them leave the group unclaimed, and no other', async (_, name, failed, others) => {
    const { world, epoch } = await start();
    const { claimed, tenure, context } = await claimIn(world, { hooks: failing(world, ...failed) });
    await claimed;
    expect(failuresOf(tenure)).toEqual([[name, expect.stringContaining('no space left on device')]]);
    expect(context.records.has(name)).toBe(false);
    expect(context.remembered.has(name)).toBe(false);
    expect(epochsIn(world, others)).toEqual(others.map(() => epoch + 1));
  });
});

describe('a group that could not be claimed', () => {
  /** None of its volumes can be written, but for these; and what came of that. */
  async function failSecond(
    except: readonly string[] = [],
  ): Promise<Awaited<ReturnType<typeof start>> & { readonly tenure: Tenure; readonly hooks: FakeHooks }> {
    const started = await start();
    const ids = second.filter((name) => !except.includes(name)).map((name) => find(started.world, name).id);
    const hooks: FakeHooks = {
      before: ({ method, args }) => {
        if (method !== 'writeArchive' || !ids.some((id) => id === args[0])) return;
        throw new PgherdError('no-space', 'no space left on device', { retry: true });
      },
    };
    const { claimed, tenure } = await claimIn(started.world, { hooks });
    await claimed;
    return { ...started, tenure, hooks };
  }

  const unclaimed = async (world: FakeWorld, tenure: Tenure): Promise<readonly string[]> =>
    findUnclaimed(topology, await look(world), tenure).map((each) => each.group);

  it('is tried again alone, each time under a new epoch, and says why it was not', async () => {
    const { world, epoch, tenure, hooks } = await failSecond();
    const again = await claimIn(world, { tenure, hooks });
    expect(await again.claimed).toEqual(['lb2']);
    const written = again.calls.filter(({ method }) => method === 'writeArchive').map(({ args }) => args[0]);
    expect(written.toSorted()).toEqual(second.map((name) => find(world, name).id).toSorted());
    const [left] = findUnclaimed(topology, await look(world), tenure);
    expect(left?.failed).toMatchObject({ error: { code: 'no-space', retry: true }, again: 10_000 });
    expect(await (await claimIn(world, { tenure })).claimed).toEqual(['lb2']);
    expect(await unclaimed(world, tenure)).toEqual([]);
    expect(volumesOf(world, epoch + 1)).toEqual(first);
    expect(volumesOf(world, epoch + 3)).toEqual(second);
  });

  it('is not taken for claimed by the volumes that were written', async () => {
    const { world, epoch, tenure } = await failSecond([primaryOfSecond]);
    expect(volumesOf(world, epoch + 1)).toEqual([...first, primaryOfSecond]);
    expect(await unclaimed(world, tenure)).toEqual(['lb2']);
    expect(await (await claimIn(world, { tenure })).claimed).toEqual(['lb2']);
    expect(volumesOf(world, epoch + 2)).toEqual(second);
  });

  it('nor after it was out of sight meanwhile', async () => {
    const { world, tenure } = await failSecond([primaryOfSecond]);
    const seen = (snapshot: Snapshot): Snapshot => ({
      ...snapshot,
      nodes: snapshot.nodes.filter((node) => node.group !== 'lb2'),
    });
    expect(await (await claimIn(world, { tenure, seen })).claimed).toEqual([]);
    expect(await unclaimed(world, tenure)).toEqual(['lb2']);
  });

  it('is left to the plan while too few of its volumes are read: that may bring them back', async () => {
    const { world, tenure } = await failSecond([primaryOfSecond]);
    const snapshot = changeNode(await look(world), 'lb2', 0, () => undefined);
    expect(findUnclaimed(topology, snapshot, tenure)).toEqual([]);
  });

  it('is not claimed by half of its volumes, where most of those that can be read have the record', async () => {
    const { world } = await start();
    const ids = [replica1, replica2].map((name) => find(world, name).id);
    const hooks: FakeHooks = {
      before: (call) => {
        if (call.args[0] === ids[0] && readsRecords(call)) throw new PgherdError('engine-timeout', 'no answer');
        if (call.args[0] === ids[1] && call.method === 'writeArchive') throw new PgherdError('no-space', 'no space');
      },
    };
    const { claimed, tenure } = await claimIn(world, { hooks });
    await claimed;
    expect(await unclaimed(world, tenure)).toEqual(['lb1']);
  });
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

  /** Which groups are not claimed, by who claimed some under these epochs. */
  function unclaimedBy(
    snapshot: Snapshot,
    own: number | undefined,
    claims: Readonly<Record<string, number>> = { lb1: epoch, lb2: epoch },
    of = topology,
  ): readonly string[] {
    const claimed = Object.entries(claims).map(([name, each]) => [name, { is: 'claimed', epoch: each }] as const);
    return findUnclaimed(of, snapshot, { epoch: own, claims: new Map(claimed) }).map((each) => each.group);
  }

  it('where the newest record of each is of the epoch, though not every volume has that', () => {
    expect(unclaimedBy(both, epoch)).toEqual([]);
  });

  it('by nobody who has claimed nothing yet', () => {
    expect(unclaimedBy(both, undefined, {})).toEqual(['lb1', 'lb2']);
  });

  it.each([epoch - 1, epoch + 1])('not where the records are of another epoch than %d', (own) => {
    expect(unclaimedBy(both, own, { lb1: own, lb2: own })).toEqual(['lb1', 'lb2']);
  });

  it('each under its own epoch, up to the last', () => {
    expect(unclaimedBy(both, epoch + 2, { lb1: epoch, lb2: epoch - 1 })).toEqual([]);
    expect(unclaimedBy(both, epoch + 2, { lb1: epoch, lb2: epoch + 2 })).toEqual(['lb2']);
  });

  it('by their first record, under the epoch of who began them', () => {
    expect(unclaimedBy(both, epoch, { lb1: epoch })).toEqual([]);
    expect(unclaimedBy(both, epoch + 1, { lb1: epoch })).toEqual(['lb2']);
  });

  it.each<readonly [string, number, string]>([
    ['lb1', 0, 'lb2'],
    ['lb2', 1, 'lb1'],
  ])('not where those of %s alone are', (name, slot, other) => {
    expect(unclaimedBy(claimedIn([[name, slot]]), epoch)).toEqual([other]);
  });

  it('not where one that the file no longer names is not', () => {
    expect(unclaimedBy(claimedIn([['lb1', 0]]), epoch, {}, onlyFirst)).toEqual(['lb2']);
  });

  it('whatever one says of which too few volumes are read', () => {
    const snapshot = changeNode(claimedIn([['lb1', 0]]), 'lb2', 0, () => undefined);
    expect(topology.groups.map((each) => viewGroup(each, snapshot).phase)).toEqual(['led', 'unread']);
    expect(unclaimedBy(snapshot, epoch)).toEqual([]);
  });

  it('where one has no record yet', () => {
    const snapshot = [0, 1].reduce(
      (seen, slot) => changeNode(seen, 'lb2', slot, (node) => withFacts(node, { record: undefined })),
      claimedIn([['lb1', 0]]),
    );
    expect(unclaimedBy(snapshot, epoch)).toEqual([]);
  });

  it('as soon as they are looked at after a claim, until somebody else claims them', async () => {
    const { world } = await start();
    const isAll = async ({ tenure }: { readonly tenure: Tenure }): Promise<boolean> =>
      findUnclaimed(topology, await look(world), tenure).length === 0;
    const one = await claimIn(world);
    await one.claimed;
    expect(await isAll(one)).toBe(true);
    const other = await claimIn(world);
    await other.claimed;
    expect([await isAll(one), await isAll(other)]).toEqual([false, true]);
  });
});
