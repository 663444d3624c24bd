import { describe, expect, it } from 'vitest';
import { RestartLimit } from '../../src/daemon/restart-limit.ts';
import type { Container } from '../../src/docker/types.ts';
import type { Looked } from '../../src/reconcile/look.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import {
  changeBalancer,
  changeNode,
  convergedSnapshot,
  topologyOf,
  withContainer,
  withFacts,
} from '../reconcile/support.ts';

const topology = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1, replicas: 2 }]');
const converged = convergedSnapshot(topology);
const replica = 'node/lb1-replica1';
const minute = 60_000;

const looked = (snapshot: Snapshot): Looked => ({ snapshot, plan: planCluster(topology, snapshot, {}) });

/** A look at a cluster of which the first replica's container is so. */
function withReplica(change: Partial<Container>): Looked {
  return looked(changeNode(converged, 'lb1', 1, (node) => withContainer(node, change)));
}

const ended = withReplica({ state: 'exited', exitCode: 1 });

/**
 * What ends as soon as it is started, started as soon as it may be: the milliseconds between the starts, over a time.
 */
function crashFor(limit: RestartLimit, milliseconds: number, step = 1000, seen = ended): number[] {
  const starts: number[] = [];
  for (let now = 0; now < milliseconds; now += step) {
    if (limit.find(seen, now).length > 0) continue;
    limit.noteStart(replica, now);
    starts.push(now);
  }
  return starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
}

describe('a container that ends as soon as it is started', () => {
  it('is started four times at once, then ever more slowly, every five minutes at last', () => {
    const pauses = crashFor(new RestartLimit(), 40 * minute);
    // A second until it is seen to have ended, and the pause.
    const seconds = [...[1, 1, 1, 1 + 2, 1 + 4, 1 + 8, 1 + 16, 1 + 32, 1 + 64, 1 + 128, 1 + 256], 1 + 300, 1 + 300];
    expect(pauses.slice(0, 13)).toEqual(seconds.map((each) => each * 1000));
    expect(new Set(pauses.slice(11))).toEqual(new Set([301_000]));
    expect(pauses.length).toBeGreaterThan(15);
  });

  it('is not started more often however many starts it has behind it', () => {
    const limit = new RestartLimit();
    for (let times = 0; times < 5000; times += 1) limit.noteStart(replica, 0);
    expect(limit.find(ended, 1)).toMatchObject([{ until: 300_001 }]);
    expect(limit.find(ended, 300_000)).toMatchObject([{ until: 300_001 }]);
    expect(limit.find(ended, 300_001)).toEqual([]);
  });

  it('is named with its exit code, its starts and the time of the next', () => {
    const limit = new RestartLimit();
    for (const now of [0, 100, 200, 300]) limit.noteStart(replica, now);
    expect(limit.find(ended, 400)).toEqual([
      {
        resource: replica,
        container: 'id-shop-lb1-replica1',
        name: 'shop-lb1-replica1',
        message: 'it ended with exit code 1 soon after each of 4 starts',
        until: 2400,
      },
    ]);
  });

  it('keeps nothing else waiting', () => {
    const limit = new RestartLimit();
    crashFor(limit, 10_000);
    const both = changeNode(ended.snapshot, 'lb1', 2, (node) => withContainer(node, { state: 'exited' }));
    expect(limit.find(looked(both), 10_000).map(({ resource }) => resource)).toEqual([replica]);
  });

  it('may be a clone that begins again, whatever its container does meanwhile', () => {
    const limit = new RestartLimit();
    for (const now of [0, 100, 200, 300]) limit.noteStart(replica, now);
    for (const container of [
      { state: 'exited' },
      { state: 'restarting', restartCount: 3 },
      { state: 'running', restartCount: 3 },
    ] as const) {
      const half = changeNode(converged, 'lb1', 1, (node) =>
        withFacts(withContainer(node, container), { state: { is: 'half' } }),
      );
      const message = 'its clone was cut short after each of 4 starts';
      expect(limit.find(looked(half), 400)).toMatchObject([{ resource: replica, message, until: 2400 }]);
      expect(limit.find(looked(half), 2400)).toEqual([]);
    }
  });

  it('may be a clone that takes longer to fail than any pause', () => {
    const limit = new RestartLimit();
    const half = looked(
      changeNode(converged, 'lb1', 1, (node) =>
        withFacts(withContainer(node, { state: 'running', restartCount: 1 }), { state: { is: 'half' } }),
      ),
    );
    let now = 0;
    for (let nth = 1; nth <= 4; nth += 1) {
      expect(limit.find(half, now)).toEqual([]);
      limit.noteStart(replica, now);
      now += 10 * minute;
    }
    const until = now + 2000;
    expect(limit.find(half, now)).toMatchObject([{ resource: replica, until }]);
    expect(limit.find(half, until - 1)).toMatchObject([{ resource: replica, until }]);
    expect(limit.find(half, until)).toEqual([]);
    limit.noteStart(replica, until);
    expect(limit.find(half, until + 1)).toMatchObject([{ until: until + 1 + 4000 }]);
  });

  it('may be a balancer', () => {
    const limit = new RestartLimit();
    for (const now of [0, 0, 0, 0]) limit.noteStart('balancer/lb1', now);
    const seen = changeBalancer(converged, 'lb1', (each) => ({
      ...each,
      container: { ...each.container, state: 'exited', exitCode: 3 },
    }));
    expect(limit.find(looked(seen), 1)).toMatchObject([{ resource: 'balancer/lb1', until: 2001 }]);
  });

  it('is started at once after the file has changed', () => {
    const limit = new RestartLimit();
    crashFor(limit, minute);
    expect(limit.find(ended, minute)).toHaveLength(1);
    limit.forget();
    expect(limit.find(ended, minute)).toEqual([]);
    expect(crashFor(limit, 5000)).toEqual([1000, 1000, 1000]);
  });
});

describe('being well', () => {
  it('once after a start makes all earlier ones forgotten', () => {
    const limit = new RestartLimit();
    for (const now of [0, 0, 0, 0]) limit.noteStart(replica, now);
    expect(limit.find(ended, 1999)).toHaveLength(1);
    limit.noteWell(replica);
    expect(limit.find(ended, 1999)).toEqual([]);
    expect(crashFor(limit, 5000)).toEqual([1000, 1000, 1000]);
  });

  it('of one says nothing of another', () => {
    const limit = new RestartLimit();
    for (const now of [0, 0, 0, 0]) limit.noteStart(replica, now);
    limit.noteStart('node/lb1-replica2', 0);
    limit.noteWell('node/lb1-replica2');
    expect(limit.find(ended, 1999)).toHaveLength(1);
  });

  it('between one kill and the next means that no start is delayed, twenty a minute at most', () => {
    const limit = new RestartLimit();
    const starts: number[] = [];
    for (let now = 0; now < 3 * minute; now += 1000) {
      const held = limit.find(ended, now);
      if (held.length > 0) {
        expect(held[0]?.message).toBe('it ended with exit code 1 soon after each of the last 20 starts');
        continue;
      }
      limit.noteStart(replica, now);
      limit.noteWell(replica);
      starts.push(now);
    }
    expect(starts).toHaveLength(60);
    expect(starts.slice(0, 21)).toEqual([...Array.from({ length: 20 }, (_, index) => index * 1000), minute]);
  });
});

describe('what is left alone', () => {
  /** After starts enough to hold whatever may be held. */
  const find = (seen: Looked): readonly string[] => {
    const limit = new RestartLimit();
    for (let times = 0; times < 10; times += 1) {
      for (const resource of [replica, 'balancer/lb1']) limit.noteStart(resource, 0);
    }
    return limit.find(seen, 1).map(({ resource, until }) => `${resource} ${until === undefined ? 'engine' : 'held'}`);
  };

  it('is what the engine restarts, from its first start on, for as long as it does', () => {
    const restarting = withReplica({ state: 'restarting', exitCode: 1, restartCount: 7 });
    const [found] = new RestartLimit().find(restarting, 0);
    expect(found).toMatchObject({ resource: replica, until: undefined });
    expect(found?.message).toBe('it ended with exit code 1, and the engine restarts it (7 times so far)');
    expect(find(restarting)).toEqual([`${replica} engine`]);
  });

  it('is what has ended and needs a start, and nothing more', () => {
    expect(find(ended)).toEqual([`${replica} held`]);
  });

  it.each([
    ['runs', withReplica({ state: 'running' })],
    ['runs with another limit', withReplica({ memory: 1 })],
    ['is paused', withReplica({ state: 'paused' })],
    ['was never started', withReplica({ state: 'created' })],
    ['is gone', looked(changeNode(converged, 'lb1', 1, () => undefined))],
  ])('is not what %s', (_, seen) => expect(find(seen)).toEqual([]));

  it.each([
    [
      'another configuration',
      (snapshot: Snapshot) => changeNode(snapshot, 'lb1', 1, (node) => withFacts(node, { config: 'rev.a.b' })),
    ],
    [
      'a container made anew',
      (snapshot: Snapshot) =>
        changeNode(snapshot, 'lb1', 1, (node) =>
          withContainer(node, { labels: { ...node.container.labels, 'pgherd.spec': '{"image":"postgres:16"}' } }),
        ),
    ],
    [
      'other limits',
      (snapshot: Snapshot) => changeNode(snapshot, 'lb1', 1, (node) => withContainer(node, { memory: 1 })),
    ],
    [
      'its network',
      (snapshot: Snapshot) => changeNode(snapshot, 'lb1', 1, (node) => withContainer(node, { networks: {} })),
    ],
    [
      'another volume',
      (snapshot: Snapshot) => changeNode(snapshot, 'lb1', 1, (node) => withFacts(node, { state: { is: 'rewinding' } })),
    ],
  ])('is not what has ended and gets %s, since that may help', (_, change) => {
    const seen = looked(change(ended.snapshot));
    expect(seen.plan.steps.filter(({ resource }) => resource === replica).length).toBeGreaterThan(0);
    expect(find(seen)).toEqual([]);
  });
});
