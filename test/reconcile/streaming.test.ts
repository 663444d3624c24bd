import { describe, expect, it } from 'vitest';
import type { Heard } from '../../src/reconcile/reports.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import { convergedSnapshot, leads, streams, topologyOf } from './support.ts';

const waits: Heard = { ...streams, receiver: null, driftsFor: 5000 };
const held: Heard = { ...waits, isHeld: true };

/** The steps that end readers, and when to look again, where the replicas say this. */
function planFor(replication: string, replica1: Heard, replica2: Heard, senders: Heard['senders'] = {}) {
  const topology = topologyOf(`
cluster_name: shop
replication: { ${replication} }
balancers: [{ name: lb1, replicas: 2 }]
`);
  const reports = new Map([
    ['id-shop-lb1-primary', { ...leads, senders }],
    ['id-shop-lb1-replica1', replica1],
    ['id-shop-lb1-replica2', replica2],
  ]);
  const { steps, recheck } = planCluster(topology, { ...convergedSnapshot(topology), reports }, {});
  return { frees: steps.flatMap(({ id, action }) => (action.do === 'free-replay' ? [id] : [])), recheck };
}

describe('readers that keep a follower from connecting to its leader', () => {
  it('are ended where commits wait for it, or would go unprotected', () => {
    for (const durability of ['required', 'preferred']) {
      const { frees } = planFor(`mode: quorum, durability: ${durability}`, held, waits);
      expect(frees, durability).toEqual(['node/lb1-replica1: free-replay']);
    }
  });

  it('have a second: a conflict may be short', () => {
    const { frees, recheck } = planFor('mode: quorum', { ...held, driftsFor: 400 }, waits);
    expect(frees).toEqual([]);
    expect(recheck).toBe(600);
  });

  it('read on where enough others stream, and where no commit waits for a replica', () => {
    const senders = { 'lb1-replica2': { state: 'streaming', lsn: 1000 } };
    expect(planFor('mode: quorum', held, streams, senders).frees).toEqual([]);
    expect(planFor('mode: async', held, held).frees).toEqual([]);
  });
});
