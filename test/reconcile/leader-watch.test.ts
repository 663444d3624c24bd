import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/docker/engine.ts';
import { LeaderWatch } from '../../src/reconcile/leader-watch.ts';
import { changeNode, convergedSnapshot, topologyOf, withContainer } from './support.ts';

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
