import { describe, expect, it } from 'vitest';
import type { SyncList } from '../../src/postgres/layout.ts';
import { findCommitState } from '../../src/reconcile/commit-state.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import type { Report } from '../../src/postgres/report.ts';
import { convergedSnapshot, topologyOf, withFacts } from './support.ts';

const topology = topologyOf(`
cluster_name: shop
replication: { mode: quorum, durability: preferred }
balancers: [{ name: lb1, replicas: 2 }]
`);
const [group] = topology.groups;
const listsBoth = {
  'lb1-replica1': { state: 'streaming', lsn: 1 },
  'lb1-replica2': { state: 'streaming', lsn: 1 },
};
const leads: Report = {
  recovery: false,
  timeline: 1,
  lsn: 1000,
  receiver: null,
  slots: {},
  oldest: null,
  senders: listsBoth,
  waitsFor: 'ANY 1 ("lb1-replica1", "lb1-replica2")',
  unsafe: [],
};
const streams: Report = { ...leads, recovery: true, receiver: 'streaming', senders: null };
const remedy = 'bring them back, or have commits go on without them: `durability: preferred` in the file';

/** State and message where the record lists these, and the leader says this; null: it says nothing. */
function stateOf(sync: SyncList, leader: Partial<Report> | null, replica2: Partial<Report> = {}): string {
  const snapshot = convergedSnapshot(topology);
  const record = { epoch: 1, version: 3, leader: 0, members: [0, 1, 2], sync };
  const nodes = snapshot.nodes.map((node) => withFacts(node, { record }));
  const reports = new Map<string, Report>([
    ...(leader === null ? [] : [['id-shop-lb1-primary', { ...leads, ...leader }] as const]),
    ['id-shop-lb1-replica1', streams],
    ['id-shop-lb1-replica2', { ...streams, ...replica2 }],
  ]);
  const seen = { ...snapshot, nodes };
  const state = findCommitState(group, viewGroup(group, seen), seen, reports);
  return `${state?.state ?? 'unknown'}: ${state?.message ?? ''}`;
}

describe('commits are', () => {
  const both = { num: 1, listed: [1, 2] };
  it.each<readonly [string, SyncList, Partial<Report> | null, string]>([
    [
      'durable where the leader waits for those that stream',
      both,
      {},
      'durable: commits wait for 1 of lb1-replica1, lb1-replica2',
    ],
    [
      'taken to be as the record says while the leader says nothing',
      both,
      null,
      'durable: commits wait for 1 of lb1-replica1, lb1-replica2',
    ],
    [
      'waiting where none of those streams by its leader',
      both,
      { senders: {} },
      `waiting: commits wait: too few replicas stream, they need 1 of lb1-replica1, lb1-replica2; ${remedy}`,
    ],
    [
      'waiting where the leader waits for somebody who never comes',
      { num: 1, listed: [] },
      { waitsFor: 'ANY 1 ("pgherd_nobody")' },
      `waiting: commits wait: too few replicas stream, they need 1 replica; ${remedy}`,
    ],
    [
      'waiting still where the record is ahead of the leader, though the file prefers to go on',
      { num: 0, listed: [] },
      { waitsFor: 'ANY 1 ("lb1-replica1")', senders: {} },
      `waiting: commits wait: too few replicas stream, they need 1 of lb1-replica1; ${remedy}`,
    ],
    [
      'degraded where the leader waits for nobody',
      { num: 0, listed: [] },
      { waitsFor: '' },
      'degraded: commits are acknowledged without a replica: they may be lost with the leader',
    ],
    [
      'degraded until the record lists somebody again',
      { num: 0, listed: [] },
      {},
      'degraded: commits wait for 1 of lb1-replica1, lb1-replica2, which may still lack what was acknowledged before',
    ],
  ])('%s', (_, sync, leader, expected) => {
    expect(stateOf(sync, leader)).toBe(expected);
  });

  it('overridden where settings made inside the server have them not wait', () => {
    expect(stateOf(both, { unsafe: ['fsync=off', 'role app: synchronous_commit=off'] })).toContain(
      'overridden: commits may be lost with the leader by settings made inside the server: fsync=off; role app: synchronous_commit=off.',
    );
    expect(stateOf(both, {}, { unsafe: ['fsync=off', 'role app: synchronous_commit=off'] })).toContain(
      'inside the server: lb1-replica2: fsync=off.',
    );
    expect(stateOf(both, { waitsFor: '*' })).toContain('synchronous_standby_names=*');
  });
});
