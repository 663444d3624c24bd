import { describe, expect, it } from 'vitest';
import { findAmiss, findUrgent } from '../../src/reconcile/amiss.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import { withPromoted } from '../../src/reconcile/snapshot.ts';
import { changeNode, convergedSnapshot, emptySnapshot, topologyOf, withFacts } from './support.ts';

const topology = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1, replicas: 2 }, { name: lb2, replicas: 1 }]');
const converged = convergedSnapshot(topology);

const leads: Heard = {
  recovery: false,
  timeline: 1,
  lsn: 5000,
  receiver: null,
  slots: { pgherd_1: 'reserved', pgherd_2: 'extended' },
  oldest: null,
  at: 10,
  isStill: false,
};
const streams: Heard = { ...leads, recovery: true, receiver: 'streaming', slots: {}, at: 9 };

const well = {
  'lb1-primary': leads,
  'lb1-replica1': streams,
  'lb1-replica2': streams,
  'lb2-primary': { ...leads, slots: { pgherd_1: 'reserved' } },
  'lb2-replica1': streams,
};

type Changes = Readonly<Record<string, Partial<Heard> | null>>;

/** What servers say where some say something else; `null`: they say nothing. */
function reportsOf(changes: Changes): ReadonlyMap<string, Heard> {
  const reports = Object.entries(well).flatMap(([name, report]): (readonly [string, Heard])[] => {
    const change = changes[name];
    return change === null ? [] : [[`id-shop-${name}`, { ...report, ...change }]];
  });
  return new Map(reports);
}

function find(changes: Changes, snapshot = converged): readonly string[] {
  return findAmiss(topology, snapshot, reportsOf(changes));
}

describe('nothing is amiss', () => {
  it('where every follower streams, and has its slot', () => expect(find({})).toEqual([]));
  it('with servers that say nothing, as after a start', () =>
    expect(find({ 'lb1-primary': null, 'lb1-replica1': null })).toEqual([]));
  it('with a group that nobody leads yet', () => expect(find({}, emptySnapshot(topology))).toEqual([]));
  it('with the slots of a leader that is still in recovery', () =>
    expect(find({ 'lb1-primary': { recovery: true, slots: {} } })).toEqual([]));
  it('with a slot that holds more WAL than it should', () =>
    expect(find({ 'lb1-primary': { slots: { pgherd_1: 'unreserved', pgherd_2: 'reserved' } } })).toEqual([]));
});

describe('what is amiss', () => {
  it.each<readonly [string, Readonly<Record<string, Partial<Heard> | null>>, readonly string[]]>([
    ['a follower that does not stream', { 'lb1-replica1': { receiver: null } }, ['lb1-replica1: does not stream']],
    [
      'one that does not stream from a leader that says nothing',
      { 'lb1-primary': null, 'lb1-replica1': { receiver: 'waiting' } },
      ['lb1-replica1: does not stream'],
    ],
    ['one that takes writes', { 'lb2-replica1': { recovery: false, receiver: null } }, ['lb2-replica1: takes writes']],
    [
      'one on a timeline that its leader has not',
      { 'lb1-replica2': { timeline: 2, receiver: null } },
      ['lb1-replica2: diverged'],
    ],
    ['a slot that is missing', { 'lb1-primary': { slots: { pgherd_2: 'reserved' } } }, ['lb1: no slot pgherd_1']],
    [
      'a slot that is lost, and its follower',
      { 'lb1-primary': { slots: { pgherd_1: 'lost', pgherd_2: 'reserved' } }, 'lb1-replica1': { receiver: null } },
      ['lb1: no slot pgherd_1', 'lb1-replica1: wal-gone'],
    ],
    [
      'several things in several groups',
      { 'lb1-replica1': { receiver: null }, 'lb2-primary': { slots: {} } },
      ['lb1-replica1: does not stream', 'lb2: no slot pgherd_1'],
    ],
  ])('is %s', (_, changes, expected) => expect(find(changes)).toEqual(expected));

  it('is told of those that follow, whoever leads', () => {
    const handed = [0, 1, 2].reduce(
      (snapshot, slot) =>
        changeNode(snapshot, 'lb1', slot, (node) =>
          withFacts(node, { record: { epoch: 1, version: 3, leader: 1, members: [0, 1, 2] } }),
        ),
      converged,
    );
    const slots = { pgherd_0: 'reserved', pgherd_2: 'reserved' };
    const after = { 'lb1-primary': streams, 'lb1-replica1': { ...leads, slots } };
    expect(find(after, handed)).toEqual([]);
    expect(find({ ...after, 'lb1-primary': leads }, handed)).toEqual(['lb1-primary: takes writes']);
  });
});

describe('whoever waits for something else', () => {
  const urgent = (report: Partial<Heard>): readonly string[] =>
    findUrgent(topology, converged, reportsOf({ 'lb1-replica1': report }));

  it('goes on waiting where a follower may stream any moment', () =>
    expect(urgent({ receiver: 'waiting' })).toEqual([]));

  it.each<readonly [string, Partial<Heard>, string]>([
    ['takes writes', { recovery: false, receiver: null }, 'takes writes'],
    ['cannot follow any more', { timeline: 2, receiver: null }, 'diverged'],
    ['is held by readers', { receiver: null, isHeld: true }, 'does not stream, held by readers'],
    ['has not streamed for long', { receiver: null, driftsFor: 10_000 }, 'has not streamed for long'],
  ])('is told of one that %s', (_, report, expected) => expect(urgent(report)).toEqual([`lb1-replica1: ${expected}`]));
});

describe('in a group whose commits wait for a quorum', () => {
  const quorum = topologyOf(`
cluster_name: shop
replication: { mode: quorum }
balancers: [{ name: lb1, replicas: 2 }]
`);
  const said = { primary: leads, replica1: streams, replica2: streams };

  /** What is amiss where these are listed, and servers say something else; `null`: they say nothing. */
  function findListed(
    listed: readonly number[] | undefined,
    changes: Readonly<Record<string, Partial<Heard> | null>> = {},
    text = quorum,
  ): readonly string[] {
    const sync = listed === undefined ? {} : { sync: { num: 1, listed } };
    const snapshot = convergedSnapshot(text);
    const nodes = snapshot.nodes.map((node) =>
      withFacts(node, { record: { epoch: 1, version: 3, leader: 0, members: [0, 1, 2], ...sync } }),
    );
    const reports = Object.entries(said).flatMap(([name, report]): (readonly [string, Heard])[] => {
      const change = changes[name];
      return change === null ? [] : [[`id-shop-lb1-${name}`, { ...report, ...change }]];
    });
    return findAmiss(text, { ...snapshot, nodes }, new Map(reports));
  }

  it('nothing is amiss where those are listed that stream', () => {
    expect(findListed([1, 2])).toEqual([]);
    expect(findListed([1], { replica2: null })).toEqual([]);
  });

  it('one that streams and is not listed is amiss, as all are where nobody is', () => {
    expect(findListed([1])).toEqual(['lb1-replica2: not listed']);
    const nobody = ['lb1-replica1: not listed', 'lb1-replica2: not listed'];
    expect(findListed([])).toEqual(nobody);
    expect(findListed(undefined)).toEqual(nobody);
  });

  it('one that is listed and does not stream, or says nothing, is amiss', () => {
    expect(findListed([1, 2], { replica2: { receiver: 'waiting' } })).toEqual([
      'lb1-replica2: does not stream',
      'lb1-replica2: listed, and does not stream',
    ]);
    expect(findListed([1, 2], { replica1: null })).toEqual(['lb1-replica1: listed, and does not stream']);
  });

  it('one whose leader does not list it is amiss, whatever it says itself', () => {
    const senders = { 'lb1-replica1': { state: 'streaming', lsn: 1 }, 'lb1-replica2': { state: 'catchup', lsn: 1 } };
    expect(findListed([1, 2], { primary: { senders } })).toEqual([
      'lb1-replica2: does not stream',
      'lb1-replica2: listed, and does not stream',
    ]);
  });

  it('what is heard of a leader that was promoted since is judged by its record, before anybody looks again', () => {
    const record = { epoch: 1, version: 4, leader: 1, members: [0, 1, 2], sync: { num: 1, listed: [] } };
    const before = convergedSnapshot(quorum);
    const after = withPromoted(before, 'id-shop-lb1-replica1', record);
    const reports = new Map<string, Heard>([
      ['id-shop-lb1-replica1', { ...leads, timeline: 2, slots: { pgherd_0: 'reserved', pgherd_2: 'reserved' } }],
      ['id-shop-lb1-replica2', { ...streams, timeline: 2 }],
    ]);
    expect(findUrgent(quorum, before, reports)).toEqual(['lb1-replica1: takes writes']);
    expect(findUrgent(quorum, after, reports)).toEqual(['lb1-replica2: not listed']);
  });

  it('a list of which commits wait for another number than the file says is amiss', () => {
    const two = topologyOf(`
cluster_name: shop
replication: { mode: quorum, sync_replicas: 2 }
balancers: [{ name: lb1, replicas: 2 }]
`);
    expect(findListed([1, 2], {}, two)).toEqual(['lb1: commits wait for 1']);
  });

  it('nobody is amiss for that while the leader says nothing, or does not lead yet', () => {
    expect(findListed([1], { primary: null })).toEqual([]);
    expect(findListed([1], { primary: { recovery: true, slots: {} } })).toEqual([]);
  });

  it('nor in one whose commits wait for nobody', () => {
    const text = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1, replicas: 2 }]');
    expect(findListed([1], {}, text)).toEqual([]);
  });
});
