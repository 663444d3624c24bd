import { describe, expect, it } from 'vitest';
import { digest } from '../../src/base/canonical.ts';
import type { NodeFacts } from '../../src/postgres/layout.ts';
import type { Container } from '../../src/docker/types.ts';
import { formatSteps, type Plan } from '../../src/reconcile/plan.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import type { ObservedNode, Snapshot } from '../../src/reconcile/snapshot.ts';
import { isSecondWriter } from '../../src/reconcile/writers.ts';
import { databaseOf, promoteServer } from '../bench/fake-engine-programs.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { observe } from '../../src/reconcile/observe.ts';
import { requestHandover } from '../../src/reconcile/requests.ts';
import { leastFile, planOf, run, type File } from './simulation.ts';
import {
  changeBalancer,
  changeNode,
  convergedSnapshot,
  leads,
  streams,
  topologyOf,
  withContainer,
  withFacts,
} from './support.ts';

const topology = topologyOf(`
cluster_name: shop
network: { subnet: 172.31.0.0/16, rw_subnet: 172.30.255.0/24 }
failover: { delay: 0s }
balancers:
  - { name: lb1, port: 19999, replicas: 2 }
`);
const converged = convergedSnapshot(topology);

const writes: Heard = { ...leads, timeline: 2, slots: {} };

function heard(snapshot: Snapshot, said: Readonly<Record<string, Heard>>): Snapshot {
  return { ...snapshot, reports: new Map(Object.entries(said).map(([name, each]) => [`id-shop-lb1-${name}`, each])) };
}

/** The first replica, changed. */
function first(
  change: Partial<Pick<ObservedNode, 'isStandby'>> & {
    readonly facts?: Partial<NodeFacts>;
    readonly container?: Partial<Container>;
  },
): Snapshot {
  const { facts = {}, container = {}, ...rest } = change;
  return changeNode(converged, 'lb1', 1, (node) => ({ ...withContainer(withFacts(node, facts), container), ...rest }));
}

describe('a node takes writes and does not lead', () => {
  const isSecond = (snapshot: Snapshot, slot = 1): boolean => {
    const node = snapshot.nodes.find((each) => each.slot === slot);
    return node !== undefined && isSecondWriter(node, snapshot);
  };
  const promoted = { facts: { serves: 'follow' }, isStandby: false } as const;

  it.each<readonly [string, Snapshot, boolean]>([
    ['that follows', first({ facts: { serves: 'follow' } }), false],
    ['that says so', heard(converged, { replica1: writes }), true],
    ['that was promoted by somebody else', first(promoted), true],
    ['that was, and is paused', first({ ...promoted, container: { state: 'paused' } }), true],
    ['that was, and has ended', first({ ...promoted, container: { state: 'exited' } }), false],
    ['that was started as a leader', first({ facts: { serves: 'lead' } }), true],
    ['that led, and is about to follow', first({ facts: { serves: 'released' }, isStandby: false }), false],
    [
      'that is being rewound',
      first({ facts: { ...promoted.facts, state: { is: 'rewinding' } }, isStandby: false }),
      false,
    ],
  ])('%s', (_, snapshot, expected) => {
    expect(isSecond(snapshot)).toBe(expected);
  });

  it('not where the record names it, whatever the records of the others say', () => {
    const record = { epoch: 1, version: 9, leader: 1, members: [0, 1, 2] };
    expect(isSecond(first({ ...promoted, facts: { ...promoted.facts, record } }))).toBe(false);
  });
});

describe('a second writer', () => {
  const plan = (snapshot: Snapshot): Plan => planCluster(topology, snapshot, {});
  const promoted = first({ facts: { serves: 'follow' }, isStandby: false });

  it('is killed before anything else where the leader serves, and its volume is kept', () => {
    const made = plan(heard(promoted, { primary: leads, replica2: streams }));
    expect(formatSteps(made).split('\n')).toEqual([
      'node/lb1-replica1: fence',
      'volume/shop_lb1_1_2: create-volume <- node/lb1-replica1: fence',
      'node/lb1-replica1: remove-container <- volume/shop_lb1_1_2: create-volume',
      'node/lb1-replica1: create-container <- node/lb1-replica1: remove-container',
      'balancer/lb1: write-readers',
    ]);
    expect(made.blocked).toEqual([]);
    expect(made.changes.find(({ kind }) => kind === 'node')?.reason).toEqual({
      code: 'second-writer',
      detail:
        'it takes writes, and does not lead; it is killed, and its volume shop_lb1_1_1 is kept with what it wrote',
    });
  });

  it('is killed also where no other container can be made of it', () => {
    const snapshot = heard(promoted, { primary: leads, replica2: streams });
    const made = plan({ ...snapshot, images: { ...snapshot.images, 'postgres:17': undefined } });
    expect(formatSteps(made)).toContain('node/lb1-replica1: fence\n');
    expect(formatSteps(made)).not.toContain('remove-container');
  });

  it.each<readonly [string, Snapshot]>([
    ['says nothing', heard(promoted, { replica1: writes, replica2: streams })],
    ['is in recovery', heard(promoted, { primary: { ...leads, recovery: true }, replica1: writes })],
    ['is lost', { ...heard(promoted, { replica1: writes }), lost: new Map([['lb1', 60_000]]) }],
    [
      'has ended',
      changeNode(heard(promoted, { replica1: writes, replica2: streams }), 'lb1', 0, (node) =>
        withContainer(node, { state: 'exited' }),
      ),
    ],
    [
      'has lost its data',
      changeNode(heard(promoted, { replica1: writes, replica2: streams }), 'lb1', 0, (node) =>
        withFacts(node, { state: { is: 'empty' } }),
      ),
    ],
    ['is gone', changeNode(heard(promoted, { replica1: writes, replica2: streams }), 'lb1', 0, () => undefined)],
  ])('is left alone, and blocks the group, where the leader %s', (_, snapshot) => {
    const volumes = snapshot.volumes.filter(({ slot }) => snapshot.nodes.some((node) => node.slot === slot));
    const made = plan({ ...snapshot, volumes });
    // It is not read from: its rows may be nobody else's.
    expect(formatSteps(made)).toBe('balancer/lb1: write-readers');
    expect(made.blocked.map(({ resource, reason }) => `${resource}: ${reason.code}`)).toEqual([
      'group/lb1: second-writer',
    ]);
    expect(made.blocked[0]?.remedy).toContain('`pgherd failover lb1 --to lb1-replica1`');
  });
});

describe('reads go to those that follow', () => {
  const waits: Heard = { ...streams, receiver: null };
  const steps = (replica1: Heard, primary: Heard | null = leads): string => {
    const said = { replica1, replica2: streams, ...(primary === null ? {} : { primary }) };
    return formatSteps(planCluster(topology, heard(converged, said), {}));
  };

  it('a moment without a connection, or without a leader, changes nothing', () => {
    expect(steps(waits)).toBe('');
    expect(steps({ ...waits, driftsFor: 2000 })).toBe('');
    expect(steps(waits, null)).toBe('');
  });

  it('one that has not followed its leader for long is stood in for, until it does', () => {
    expect(steps({ ...waits, driftsFor: 10_000 })).toBe('balancer/lb1: write-readers');
    const [address1 = '', address2 = ''] = ['shop-lb1-replica1', 'shop-lb1-replica2'].map(
      (name) => converged.nodes.find(({ container }) => container.name === name)?.container.networks['shop']?.address,
    );
    const written = (said: Heard, lines: string): string => {
      const snapshot = changeBalancer(
        heard(converged, { primary: leads, replica1: said, replica2: streams }),
        'lb1',
        (each) => ({
          ...each,
          readers: `readers.${digest(lines)}.${String(each.container.startedAt)}`,
        }),
      );
      return formatSteps(planCluster(topology, snapshot, {}));
    };
    const without = `${address2} reader1\n${address2} reader2\n`;
    expect(written({ ...waits, driftsFor: 20_000 }, without)).toBe('');
    // It connects again.
    expect(written({ ...waits, driftsFor: 100 }, without)).toBe('balancer/lb1: write-readers');
    expect(written({ ...waits, driftsFor: 100 }, `${address1} reader1\n${address2} reader2\n`)).toBe('');
    expect(written(streams, without)).toBe('balancer/lb1: write-readers');
  });
});

describe('a replica promoted by hand', () => {
  const two: File = { ...leastFile, groups: leastFile.groups.map((group) => ({ ...group, slots: [1, 2] })) };
  const replica = 'shop-lb1-replica1';

  async function promoteByHand(file: File): Promise<FakeWorld> {
    const engine = new FakeWorld(1);
    expect((await run(engine, file)).result.converged).toBe(true);
    const container = engine.find(replica);
    if (container === undefined) throw new Error('there is no replica');
    promoteServer(container);
    databaseOf(container)?.rows.push('acknowledged');
    return engine;
  }

  it('is seen by a plan and replaced by one run; what it wrote stays in its volume', async () => {
    const engine = await promoteByHand(two);
    expect((await planOf(engine, two)).changes.map(({ reason }) => reason.code)).toContain('second-writer');
    const { result } = await run(engine, two);
    expect(result.converged).toBe(true);
    expect(engine.volumes.get('shop_lb1_1_1')?.database?.rows).toEqual(['acknowledged']);
    expect((await planOf(engine, two)).steps).toEqual([]);
  });

  it.each(['automatic', 'manual'])(
    'is left alone while its leader is broken (%s), and leads when it is told to',
    async (mode) => {
      const file: File = { ...two, failover: { mode, delay: '0s' } };
      const engine = await promoteByHand(file);
      const leader = engine.find('shop-lb1-primary');
      await engine.connect().engine.stopContainer(leader?.id ?? '', 0);
      leader?.view.put('/var/lib/postgresql/data/pgherd/state', { type: 'link', target: 'half' });
      const before = [...engine.volumes.keys()];
      const { result, progress } = await run(engine, file);
      expect(result.blocked.map(({ reason }) => reason.code)).toEqual(['second-writer']);
      const steps = progress.flatMap((each) => (each.type === 'step-started' ? [each.step.id] : []));
      expect(steps).toEqual(['balancer/lb1: write-readers']);
      expect([...engine.volumes.keys()]).toEqual(before);

      const client = engine.connect().engine;
      const [node] = (await observe(client, 'shop', undefined)).nodes;
      if (node?.facts.record === undefined) throw new Error('there is no record');
      const until = Date.now() + 3_600_000;
      await requestHandover(client, 'shop', 'lb1', { kind: 'failover', to: 1, until }, node.facts.record);
      expect((await run(engine, file)).result.converged).toBe(true);
      const promoted = engine.find(replica);
      expect(promoted?.process?.serves).toBe('leader');
      expect(promoted?.volumes[0]?.volume.name).toBe('shop_lb1_1_1');
      for (const name of [replica, 'shop-lb1-primary', 'shop-lb1-replica2']) {
        const container = engine.find(name);
        expect(container === undefined ? undefined : databaseOf(container)?.rows, name).toEqual(['acknowledged']);
      }
    },
  );
});
