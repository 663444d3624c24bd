import { describe, expect, it } from 'vitest';
import type { Container } from '../../src/docker/types.ts';
import type { NodeFacts, RecordName } from '../../src/postgres/layout.ts';
import { newestRecord } from '../../src/reconcile/group.ts';
import { formatSteps, without, type Plan } from '../../src/reconcile/plan.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Heard, Reports } from '../../src/reconcile/reports.ts';
import type { ObservedNode, Snapshot } from '../../src/reconcile/snapshot.ts';
import type { Topology } from '../../src/topology/model.ts';
import {
  changeBalancer,
  changeNode,
  convergedSnapshot,
  emptySnapshot,
  topologyOf,
  withBusy,
  withContainer,
  withFacts,
} from './support.ts';

const file = `
cluster_name: shop
network: { subnet: 172.31.0.0/16, rw_subnet: 172.30.255.0/24 }
balancers:
  - { name: lb1, port: 19999, replicas: 2 }
`;
const topology = topologyOf(file);

function plan(snapshot: Snapshot, text = file): Plan {
  return planCluster(topologyOf(text), snapshot, {});
}

/** A cluster of which the engine could not remove a container whole. */
function withHalfRemoved(snapshot: Snapshot, group: string, slot: number): Snapshot {
  const halfRemoved = snapshot.nodes
    .filter((node) => node.group === group && node.slot === slot)
    .map(({ container }): Container => ({ ...container, state: 'dead' }));
  return { ...changeNode(snapshot, group, slot, () => undefined), halfRemoved };
}

/** Changes as `resource: actions (reason)`, one a line. */
function changes({ changes: list }: Plan): string {
  return list.map(({ resource, actions, reason }) => `${resource}: ${actions.join('+')} (${reason.code})`).join('\n');
}

/** Fields as `resource path: before -> after (effect)`, one a line. */
function fields({ changes: list }: Plan): string {
  return list
    .flatMap(({ resource, fields: changed }) =>
      changed.map(
        ({ path, before, after, effect }) => `${resource} ${path}: ${before ?? '-'} -> ${after ?? '-'} (${effect})`,
      ),
    )
    .join('\n');
}

/** What a server says; unless told otherwise it leads, and is well. */
function heard(said: Partial<Heard>): Heard {
  return {
    recovery: false,
    timeline: 1,
    lsn: 1000,
    receiver: null,
    slots: {},
    oldest: null,
    at: 0,
    isStill: false,
    ...said,
  };
}

function lines(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
}

describe('on an engine that has nothing of the cluster', () => {
  it('creates everything, and bootstraps the primary', () => {
    expect(formatSteps(plan(emptySnapshot(topology)))).toBe(
      lines(`
        network/shop: create-network
        network/shop_rw: create-network <- network/shop: create-network
        volume/shop_lb1_0_1: create-volume
        node/lb1-primary: create-container <- volume/shop_lb1_0_1: create-volume, network/shop: create-network, network/shop_rw: create-network
        node/lb1-primary: prepare-bootstrap <- node/lb1-primary: create-container
        node/lb1-primary: connect shop_rw <- node/lb1-primary: prepare-bootstrap, network/shop: create-network, network/shop_rw: create-network
        node/lb1-primary: start <- node/lb1-primary: connect shop_rw
        node/lb1-primary: finish-bootstrap <- node/lb1-primary: start
        volume/shop_lb1_1_1: create-volume
        node/lb1-replica1: create-container <- volume/shop_lb1_1_1: create-volume, network/shop: create-network, network/shop_rw: create-network
        volume/shop_lb1_2_1: create-volume
        node/lb1-replica2: create-container <- volume/shop_lb1_2_1: create-volume, network/shop: create-network, network/shop_rw: create-network
        balancer/lb1: create-container <- network/shop: create-network, network/shop_rw: create-network
        balancer/lb1: connect shop_rw <- balancer/lb1: create-container, network/shop: create-network, network/shop_rw: create-network
      `),
    );
  });

  it('waits for the engine to choose a subnet where the file gives none, and shows what comes after', () => {
    const text = 'cluster_name: shop\nbalancers: [{ name: lb1, replicas: 1 }]';
    const made = plan(emptySnapshot(topologyOf(text)), text);
    expect(formatSteps(made)).toBe(
      lines(`
        network/shop: create-network
        network/shop_rw: create-network <- network/shop: create-network
        volume/shop_lb1_0_1: create-volume
        volume/shop_lb1_1_1: create-volume
      `),
    );
    expect(changes(made)).toContain('node/lb1-replica1: create (missing)');
    expect(changes(made)).toContain('balancer/lb1: create (missing)');
  });

  it('pulls an image that is missing, and goes on with the rest', () => {
    const snapshot = {
      ...emptySnapshot(topology),
      images: { ...emptySnapshot(topology).images, 'pgbalancer:latest': undefined },
    };
    const steps = formatSteps(plan(snapshot));
    expect(steps).toContain('balancer/lb1: pull-image');
    expect(steps).toContain('node/lb1-primary: finish-bootstrap');
    expect(steps).not.toContain('balancer/lb1: create-container');
  });

  it('is blocked by a foreign container of the same name, and goes on with the rest', () => {
    const taken = [{ kind: 'container', name: 'shop-lb1-replica1', by: 'image nginx' }] as const;
    const made = plan({ ...emptySnapshot(topology), taken });
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual([
      'node/lb1-replica1 name-taken',
    ]);
    expect(formatSteps(made)).toContain('node/lb1-replica2: create-container');
  });

  it('is blocked by a foreign network on the subnet, and makes no container without it', () => {
    const foreign = { id: 'x', name: 'other', labels: {}, internal: false, subnets: ['172.31.5.0/24'] };
    const made = plan({ ...emptySnapshot(topology), otherNetworks: [foreign] });
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual([
      'network/shop subnet-overlap',
    ]);
    expect(formatSteps(made)).not.toContain('create-container');
  });
});

describe('after the bootstrap', () => {
  const bootstrapped = changeNode(convergedSnapshot(topology), 'lb1', 0, (node) =>
    withFacts(node, {
      config: 'rev.a.b',
      started: 'rev.a.b',
      loaded: 'rev.a.b',
      record: { epoch: 1, version: 1, leader: 0, members: [0] },
    }),
  );
  const fresh = [1, 2].reduce(
    (snapshot, slot) =>
      changeNode(snapshot, 'lb1', slot, (node) =>
        withFacts(withContainer(node, { state: 'created' }), {
          state: { is: 'empty' },
          config: undefined,
          started: undefined,
          loaded: undefined,
          record: undefined,
          secrets: undefined,
        }),
      ),
    bootstrapped,
  );

  it('records the members before anyone follows, makes their slots, and starts the balancer once readers are there', () => {
    const made = plan(
      changeBalancer(fresh, 'lb1', (balancer) => ({
        ...balancer,
        container: { ...balancer.container, state: 'created' },
        config: undefined,
        started: undefined,
      })),
    );
    expect(formatSteps(made)).toBe(
      lines(`
        group/lb1: write-record
        group/lb1: set-slots
        node/lb1-primary: write-config
        node/lb1-primary: reload <- node/lb1-primary: write-config
        node/lb1-primary: restart <- node/lb1-primary: reload
        node/lb1-primary: await-node <- node/lb1-primary: restart
        node/lb1-replica1: write-config <- group/lb1: write-record
        node/lb1-replica1: start <- node/lb1-replica1: write-config, group/lb1: write-record, node/lb1-primary: await-node
        node/lb1-replica1: await-node <- node/lb1-replica1: start
        node/lb1-replica2: write-config <- group/lb1: write-record
        node/lb1-replica2: start <- node/lb1-replica2: write-config, group/lb1: write-record, node/lb1-primary: await-node
        node/lb1-replica2: await-node <- node/lb1-replica2: start
        balancer/lb1: write-balancer
        balancer/lb1: start <- balancer/lb1: write-balancer, node/lb1-primary: await-node, node/lb1-replica1: start, node/lb1-replica2: start
        balancer/lb1: await-balancer <- balancer/lb1: start
      `),
    );
  });

  it('sets a volume aside whose bootstrap was cut short, and begins again in the next generation', () => {
    const cut = changeNode(emptyButFor(0), 'lb1', 0, (node) =>
      withFacts(node, {
        state: { is: 'bootstrapping' },
        record: { epoch: 1, version: 1, leader: 0, members: [0] },
      }),
    );
    const made = plan(cut);
    expect(changes(made)).toContain('node/lb1-primary: delete+create (cut-short)');
    expect(fields(made)).toContain('node/lb1-primary volume: shop_lb1_0_1 -> shop_lb1_0_2 (recreate)');
    expect(formatSteps(made)).toContain('volume/shop_lb1_0_2: create-volume');
    expect(formatSteps(made)).not.toContain('remove-volume');
  });
});

describe('a converged cluster', () => {
  const converged = convergedSnapshot(topology);

  it('has nothing to do', () => {
    expect(plan(converged)).toMatchObject({ changes: [], steps: [], blocked: [], checks: [] });
  });

  it('has what does not say that it is healthy asked before it counts as converged', () => {
    const starting = changeNode(converged, 'lb1', 2, (node) =>
      withContainer(node, { health: { status: 'starting', output: '' } }),
    );
    expect(plan(starting)).toMatchObject({ steps: [], checks: [{ resource: 'node/lb1-replica2' }] });
  });

  it('grows by replicas without touching a server that runs', () => {
    const made = plan(converged, file.replace('replicas: 2', 'replicas: 3'));
    expect(changes(made)).toBe(
      lines(`
        volume/shop_lb1_3_1: create (missing)
        node/lb1-replica3: create (missing)
        balancer/lb1: restart (configuration)
      `),
    );
    expect(formatSteps(made)).toBe(
      lines(`
        group/lb1: write-record <- group/lb1: set-slots
        group/lb1: set-slots
        volume/shop_lb1_3_1: create-volume
        node/lb1-replica3: create-container <- volume/shop_lb1_3_1: create-volume
        balancer/lb1: write-balancer
        balancer/lb1: restart <- balancer/lb1: write-balancer
        balancer/lb1: write-readers <- balancer/lb1: restart
        balancer/lb1: await-balancer <- balancer/lb1: write-readers
      `),
    );
  });

  it('shrinks: sessions leave first, then the servers go, then their slots and their names in the record; volumes stay', () => {
    const made = plan(converged, file.replace('replicas: 2', 'replicas: 1'));
    expect(changes(made)).toBe(
      lines(`
        node/lb1-replica2: delete (not-in-file)
        balancer/lb1: restart (configuration)
      `),
    );
    expect(formatSteps(made)).toBe(
      lines(`
        balancer/lb1: write-balancer
        balancer/lb1: restart <- balancer/lb1: write-balancer
        balancer/lb1: write-readers <- balancer/lb1: restart
        balancer/lb1: await-balancer <- balancer/lb1: write-readers
        node/lb1-replica2: remove-container <- balancer/lb1: await-balancer
        group/lb1: set-slots <- node/lb1-replica2: remove-container
        group/lb1: write-record <- group/lb1: set-slots
      `),
    );
  });

  it('removes the volumes of a removed replica only where the file says so', () => {
    const text = `${file.replace('replicas: 2', 'replicas: 1')}volumes: { on_remove: delete }`;
    expect(formatSteps(plan(converged, text))).toContain(
      'volume/shop_lb1_2_1: remove-volume <- node/lb1-replica2: remove-container',
    );
  });

  it('removes the volumes of a removed group only where the file says so, and only with its containers', () => {
    const two = convergedSnapshot(topologyOf(`${file}  - { name: lb2 }\n`));
    expect(formatSteps(plan(two))).not.toContain('remove-volume');
    const text = `${file}volumes: { on_remove: delete }`;
    expect(formatSteps(plan(two, text))).toContain(
      'volume/shop_lb2_0_1: remove-volume <- balancer/lb2: remove-container, node/lb2-primary: remove-container',
    );
    const gone = changeBalancer(
      changeNode(two, 'lb2', 0, () => undefined),
      'lb2',
      () => undefined,
    );
    expect(formatSteps(plan(gone, text))).not.toContain('remove-volume');
  });

  it('finishes a removal that was cut short after the container', () => {
    const gone = changeNode(converged, 'lb1', 2, () => undefined);
    const left = { ...gone, volumes: gone.volumes.filter(({ slot }) => slot !== 2) };
    const made = plan(left, file.replace('replicas: 2', 'replicas: 1'));
    expect(changes(made)).toContain('group/lb1: update (members)');
    expect(formatSteps(made)).toContain('group/lb1: write-record <- group/lb1: set-slots');
  });

  it('restarts servers one at a time for a parameter that needs it, and reloads for one that does not', () => {
    const restart = plan(converged, `${file}postgres: { parameters: { shared_buffers: 64MB } }`);
    expect(formatSteps(restart)).toContain(
      'node/lb1-replica1: restart <- node/lb1-replica1: reload, node/lb1-primary: await-node',
    );
    expect(formatSteps(restart)).toContain(
      'node/lb1-replica2: restart <- node/lb1-replica2: reload, node/lb1-replica1: await-node',
    );
    // Whom it follows is in force, however long it waits for the others.
    expect(formatSteps(restart)).toContain('node/lb1-replica2: reload <- node/lb1-replica2: write-config');
    const reload = plan(converged, `${file}postgres: { parameters: { work_mem: 8MB } }`);
    expect(formatSteps(reload)).not.toContain('restart');
    expect(formatSteps(reload)).toContain('node/lb1-primary: reload <- node/lb1-primary: write-config');
  });

  it('restarts nobody for a change while another one is not up', () => {
    const pending = [0, 1, 2].reduce(
      (snapshot, slot) => changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { started: 'rev.x.y' })),
      converged,
    );
    const replicas = [1, 2].map((slot): [string, Heard] => [
      `id-shop-lb1-replica${String(slot)}`,
      heard({ recovery: true, receiver: 'streaming' }),
    ]);
    const own = converged.nodes.find(({ slot }) => slot === 0)?.facts;
    const health = { status: 'starting', output: '' } as const;
    const restarted = changeNode(pending, 'lb1', 0, (node) => ({
      ...withContainer(node, { health }),
      facts: own ?? node.facts,
    }));
    const silent = formatSteps(plan({ ...restarted, reports: new Map(replicas) }));
    expect(silent).toContain('node/lb1-replica1: restart <- node/lb1-primary: await-node');
    expect(silent).toContain(
      'node/lb1-replica2: restart <- node/lb1-replica1: await-node, node/lb1-primary: await-node',
    );
    const speaks = plan({ ...restarted, reports: new Map([...replicas, ['id-shop-lb1-primary', heard({})]]) });
    expect(formatSteps(speaks)).not.toContain('node/lb1-primary: await-node');

    const ended = changeNode(pending, 'lb1', 1, (node) => withContainer(node, { state: 'exited' }));
    const waiting = formatSteps(plan(ended));
    expect(waiting).toContain('node/lb1-replica1: await-node <- node/lb1-replica1: start');
    expect(waiting).toContain('node/lb1-primary: restart <- node/lb1-replica1: await-node');
    expect(waiting).toContain(
      'node/lb1-replica2: restart <- node/lb1-primary: await-node, node/lb1-replica1: await-node',
    );
    expect(plan(ended).blocked).toEqual([]);
    const { blocked } = planCluster(topologyOf(file), ended, {}, new Set(['node/lb1-replica1']));
    expect(blocked).toEqual([
      {
        resource: 'group/lb1',
        reason: {
          code: 'change-waits',
          detail:
            'the restart of lb1-primary, lb1-replica2 for a change of the file waits for lb1-replica1, which does not come up',
        },
        remedy: 'put right what keeps it from starting (`docker logs shop-lb1-replica1`), or take the change back',
      },
    ]);
    // Its leader serves on: sessions do not wait for a restart that may never be.
    const down = new Set(['node/lb1-replica1']);
    const balancers = ended.balancers.map((each) => ({
      ...each,
      container: { ...each.container, state: 'exited' } as const,
    }));
    const { steps } = planCluster(topologyOf(file), { ...ended, balancers }, {}, down);
    expect(without(steps, down).map(({ id }) => id)).toContain('balancer/lb1: start');
  });

  it('writes no configuration that nobody is told of, since what that waits for has failed', () => {
    const edited = topologyOf(
      file.replace('cluster_name: shop', 'cluster_name: shop\npostgres: { parameters: { work_mem: 9MB } }'),
    );
    const [config, reload, failed] = [
      'node/lb1-replica1: write-config',
      'node/lb1-replica1: reload',
      'node/lb1-primary',
    ];
    const steps = planCluster(edited, converged, {}).steps.map((each) =>
      each.id === reload ? { ...each, after: [...each.after, `${failed}: reload`] } : each,
    );
    expect(without(steps, new Set()).map(({ id }) => id)).toEqual(expect.arrayContaining([config, reload]));
    const left = without(steps, new Set([failed])).map(({ id }) => id);
    expect(left).not.toContain(config);
    expect(left).toContain('node/lb1-replica2: write-config');
  });

  describe('restarts nobody for a change while one that was up', () => {
    const starting = { health: { status: 'starting', output: '' } } as const;
    /** All but the second replica speak, and want a restart. */
    const reports = new Map([
      ['id-shop-lb1-primary', heard({})],
      ['id-shop-lb1-replica1', heard({ recovery: true, receiver: 'streaming' })],
    ]);
    const pending = [0, 1].reduce<Snapshot>(
      (snapshot, slot) => changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { started: 'rev.x.y' })),
      { ...converged, reports },
    );
    const restart = 'node/lb1-primary: restart';
    const second = (change: (node: ObservedNode) => ObservedNode | undefined): Snapshot =>
      changeNode(pending, 'lb1', 2, change);
    const restarts = (snapshot: Snapshot, failed: readonly string[] = []): readonly string[] => {
      const { steps } = planCluster(topologyOf(file), snapshot, {}, new Set(failed));
      return steps.filter(({ id }) => id === restart).flatMap(({ after }) => after);
    };
    const awaited = 'node/lb1-replica2: await-node';

    it.each(['data', 'rewinding', 'cloning'] as const)('runs and does not speak: its volume is %s', (is) => {
      const coming = second((node) => ({
        ...withContainer(node, starting),
        facts:
          is === 'data'
            ? node.facts
            : { ...node.facts, state: { is }, started: is === 'cloning' ? undefined : node.facts.started },
      }));
      expect(restarts(coming)).toEqual([awaited]);
      // A clone that fails may lack what the change is for.
      expect(restarts(coming, ['node/lb1-replica2'])).toEqual(is === 'cloning' ? [] : [awaited]);
    });

    it('is about to follow, and wants a restart itself: it is not restarted, and starts its server with what is new', () => {
      const rejoining = second((node) => ({
        ...withFacts(withContainer(node, starting), { started: 'rev.x.y' }),
        isStandby: false,
      }));
      expect(restarts(rejoining)).toEqual([awaited]);
      expect(plan(rejoining).steps.map(({ id }) => id)).not.toContain('node/lb1-replica2: restart');
    });

    it('hangs, and is restarted at once', () => {
      const hung = { ...pending, hung: new Set(['id-shop-lb1-replica2']) };
      expect(restarts(hung)).toEqual([awaited]);
      expect(formatSteps(plan(hung)).split('\n')).toContain('node/lb1-replica2: restart');
    });

    it('has another address, and streams again only from a leader that is restarted', () => {
      const moved = second((node) => withContainer(node, { ...starting, networks: {} }));
      expect(restarts(moved)).toEqual([awaited]);
      const { steps } = plan(moved);
      expect(steps.find(({ id }) => id === awaited)?.after).toEqual(['node/lb1-replica2: connect shop']);
      expect(steps.find(({ id }) => id === 'node/lb1-replica2: resume-streaming')?.after).toContain(
        'node/lb1-primary: await-node',
      );
    });

    it('cannot be made again', () => {
      const failed = new Set(['node/lb1-replica2']);
      const { steps } = planCluster(
        topologyOf(file),
        second(() => undefined),
        {},
        failed,
      );
      expect(without(steps, failed).map(({ id }) => id)).not.toContain(restart);
    });

    it('but for one that is new and has nothing yet: it may lack what the change is for', () => {
      const facts = { state: { is: 'empty' }, started: undefined, loaded: undefined } as const;
      expect(restarts(second((node) => withFacts(withContainer(node, starting), facts)))).toEqual([]);
    });

    it('is paused, or ended', () => {
      for (const state of ['paused', 'exited'] as const) {
        expect(restarts(second((node) => withContainer(node, { state })))).toEqual([awaited]);
      }
    });

    it('is replaced: by the next plan', () => {
      const removed = plan(second(() => undefined));
      expect(formatSteps(removed)).toContain('node/lb1-replica2: create-container');
      expect(formatSteps(removed)).not.toContain('restart');
      const diverged = plan(second((node) => withFacts(node, { state: { is: 'diverged' } })));
      expect(formatSteps(diverged)).toContain('node/lb1-replica2: create-container');
      expect(formatSteps(diverged)).not.toContain('restart');
    });
  });

  it('lets a balancer serve on, and start, with the image it has until the new one is there', () => {
    const text = file.replace('replicas: 2', "image: 'pgbalancer:2', replicas: 1");
    const made = formatSteps(plan(converged, text));
    expect(made).toContain('image/pgbalancer:2: pull-image');
    // One that leaves goes: the balancer lets go of it now.
    expect(made).toContain('node/lb1-replica2: remove-container <- balancer/lb1: write-balancer');
    const ended = {
      ...converged,
      balancers: converged.balancers.map((each) => ({
        ...each,
        container: { ...each.container, state: 'exited' } as const,
      })),
    };
    const started = formatSteps(plan(ended, file.replace('replicas: 2', "image: 'pgbalancer:2', replicas: 2")));
    expect(started).toContain('balancer/lb1: await-balancer <- ');
    expect(started).not.toContain('balancer/lb1: remove-container');
  });

  it('lets nodes serve on, start and be promoted with the image they have until the new one is there', () => {
    const text = `${file}postgres: { image: 'postgres:17.9' }`;
    const made = plan(converged, text);
    expect(formatSteps(made)).toBe('image/postgres:17.9: pull-image');
    expect(changes(made)).toContain('node/lb1-primary: delete+create (changed)');
    const ended = changeNode(converged, 'lb1', 1, (node) => withContainer(node, { state: 'exited' }));
    expect(formatSteps(plan(ended, text))).toContain('node/lb1-replica1: start');
    const lost = changeNode(converged, 'lb1', 0, (node) =>
      withFacts(withContainer(node, { state: 'exited', networks: {} }), { serves: 'fenced', fencedFor: 'ended' }),
    );
    const asked = [1, 2].reduce<Snapshot>(
      (snapshot, slot) =>
        changeNode(snapshot, 'lb1', slot, (node) =>
          withFacts(node, { detached: { timeline: 1, lsn: 1000, shut: false } }),
        ),
      { ...lost, lost: new Map([['lb1', 20_000]]) },
    );
    const promotion = formatSteps(plan(asked, text));
    expect(promotion).toContain('node/lb1-replica1: promote');
    expect(promotion.split('\n').filter((line) => line.includes('pull-image'))).toHaveLength(1);
    const both = plan(ended, `${file}postgres: { image: 'postgres:17.9', parameters: { shared_buffers: 64MB } }`);
    expect(formatSteps(both)).toContain('node/lb1-replica1: start');
    expect(formatSteps(both)).not.toContain('restart');
  });

  it('tells the parameter that differs, once the file in force was read', () => {
    const [node] = converged.nodes;
    if (node === undefined) throw new Error('no node');
    const text = `${file}postgres: { parameters: { work_mem: 8MB } }`;
    const inForce = { [node.container.id]: { 'postgresql.conf': "work_mem = '4MB'\n" } };
    expect(fields(plan({ ...converged, inForce }, text))).toContain(
      'node/lb1-primary parameters.work_mem: 4MB -> 8MB (live)',
    );
  });

  it('changes limits on live containers, and makes one anew only to take a limit away', () => {
    const limited = `${file}postgres: { memory: 256MB }`;
    expect(fields(plan(converged, limited))).toContain('node/lb1-primary memory: no limit -> 256 MiB (live)');
    expect(changes(plan(convergedSnapshot(topologyOf(limited))))).toContain(
      'node/lb1-primary: delete+create (changed)',
    );
  });

  it('makes a container anew on its volume where a field cannot change, the balancer alone for its port', () => {
    const made = plan(converged, file.replace('19999', '19998'));
    expect(fields(made)).toBe('balancer/lb1 port: 19999 -> 19998 (recreate)');
    expect(formatSteps(made)).toBe(
      lines(`
        balancer/lb1: remove-container
        balancer/lb1: create-container <- balancer/lb1: remove-container
        balancer/lb1: connect shop_rw <- balancer/lb1: create-container
      `),
    );
  });

  it('is blocked by another subnet: a live network cannot change', () => {
    const made = plan(converged, file.replace('172.31.0.0/16', '172.29.0.0/16'));
    expect(made.blocked.map(({ reason }) => reason.code)).toContain('subnet-changed');
  });
});

describe('drift', () => {
  const converged = convergedSnapshot(topology);

  it.each([
    ['exited', 'node/lb1-replica1: start (stopped)', 'node/lb1-replica1: start'],
    ['restarting', 'node/lb1-replica1: start (stopped)', 'node/lb1-replica1: start'],
    ['paused', 'node/lb1-replica1: update (paused)', 'node/lb1-replica1: unpause'],
  ] as const)('a replica that is %s is put right', (state, change, step) => {
    const made = plan(changeNode(converged, 'lb1', 1, (node) => withContainer(node, { state })));
    expect(changes(made)).toBe(change);
    expect(formatSteps(made)).toContain(step);
  });

  it('a container removed by hand is made again on its volume', () => {
    const made = plan(changeNode(converged, 'lb1', 1, () => undefined));
    expect(made.changes[0]?.reason.detail).toBe('its container is gone, its volume shop_lb1_1_1 is kept');
    expect(formatSteps(made)).not.toContain('create-volume');
  });

  it('a node off its network is connected again', () => {
    const made = plan(changeNode(converged, 'lb1', 1, (node) => withContainer(node, { networks: {} })));
    expect(changes(made)).toBe('node/lb1-replica1: update (disconnected)');
    expect(fields(made)).toBe('node/lb1-replica1 networks.shop: - -> 172.31.1.21 (live)');
  });

  it('the write address is taken from a node that does not lead, and given to the one that does', () => {
    const swapped = changeNode(
      changeNode(converged, 'lb1', 0, (node) =>
        withContainer(node, { networks: { shop: node.container.networks['shop'] ?? { networkId: '', address: '' } } }),
      ),
      'lb1',
      1,
      (node) =>
        withContainer(node, {
          networks: { ...node.container.networks, shop_rw: { networkId: 'id-shop_rw', address: '172.30.255.2' } },
        }),
    );
    const made = plan(swapped);
    expect(changes(made)).toContain('node/lb1-replica1: update (write-address)');
    expect(formatSteps(made)).toContain('node/lb1-primary: connect shop_rw');
    expect(formatSteps(made)).toContain('node/lb1-replica1: disconnect shop_rw');
  });

  it('a server that says nothing is told nothing that could hold up others: it finds at its next start what it lacks', () => {
    const unloaded = changeNode(converged, 'lb1', 1, (node) => withFacts(node, { loaded: 'rev.x.y' }));
    const { container } = unloaded.nodes.find(({ group, slot }) => group === 'lb1' && slot === 1) ?? {};
    const silent = { ...unloaded, silent: new Set([container?.id ?? '']) };
    expect(formatSteps(plan(silent))).not.toContain('node/');
    expect(plan(silent).checks.map(({ action }) => action)).toEqual([
      expect.objectContaining({ do: 'reload', isStarting: true }),
    ]);
    const changed = plan(silent, `${file}postgres: { parameters: { work_mem: 8MB } }`).steps;
    expect(changed.map(({ id }) => id)).toContain('node/lb1-replica2: reload');
    const own = changed.filter(({ resource }) => resource === 'node/lb1-replica1');
    expect(own.map(({ action }) => action)).toEqual([expect.objectContaining({ do: 'write-config', atStart: true })]);
  });

  it('a server that did not load or was not restarted for what its volume says is told so', () => {
    const unloaded = changeNode(converged, 'lb1', 1, (node) => withFacts(node, { loaded: 'rev.x.y' }));
    expect(changes(plan(unloaded))).toBe('node/lb1-replica1: update (reload-pending)');
    for (const detached of ['pending', { timeline: 1, lsn: 1000, shut: false }] as const) {
      const cutOff = changeNode(converged, 'lb1', 1, (node) => withFacts(node, { detached }));
      expect(changes(plan(cutOff))).toBe('node/lb1-replica1: update (detached)');
      expect(formatSteps(plan(cutOff))).toContain('node/lb1-replica1: reload');
      // While its leader is lost it is to take over, and is left as it is.
      expect(formatSteps(plan({ ...cutOff, lost: new Map([['lb1', 10]]) }))).not.toContain('reload');
    }
    const unrestarted = changeNode(converged, 'lb1', 1, (node) => withFacts(node, { started: 'rev.x.y' }));
    expect(changes(plan(unrestarted))).toBe('node/lb1-replica1: restart (restart-pending)');
  });

  it("a replica that stopped is stood in for in the balancer's hosts until it is started", () => {
    const blocked = changeNode(converged, 'lb1', 1, (node) => withContainer(node, { state: 'exited' }));
    const made = plan(blocked);
    // It is started by the same plan, so its name keeps its address.
    expect(changes(made)).not.toContain('readers');
  });

  it('a replica that runs at another address ends the connection that its old one leads nowhere', () => {
    const given = file.replace('replicas: 2', 'replicas: [{ ip_address: 172.31.1.21 }, {}]');
    const moved = changeNode(converged, 'lb1', 1, (node) =>
      withContainer(node, {
        networks: { ...node.container.networks, shop: { networkId: 'id-shop', address: '172.31.1.99' } },
      }),
    );
    expect(formatSteps(plan(moved, given))).toBe(
      lines(`
        node/lb1-replica1: connect shop
        node/lb1-replica1: resume-streaming <- node/lb1-replica1: connect shop
      `),
    );
  });

  it('so do all that follow a leader at another address, and one that is started anew need not', () => {
    const swapped = changeNode(converged, 'lb1', 0, (node) =>
      withContainer(node, {
        networks: { ...node.container.networks, shop: { networkId: 'other', address: undefined } },
      }),
    );
    const stopped = changeNode(swapped, 'lb1', 2, (node) => withContainer(node, { state: 'exited' }));
    const steps = formatSteps(plan(stopped));
    expect(steps).toContain('node/lb1-replica1: resume-streaming <- node/lb1-primary: connect shop');
    expect(steps).not.toContain('node/lb1-replica2: resume-streaming');
  });

  it('a container that the engine could not remove whole is removed, and made anew on its volume', () => {
    const made = plan(withHalfRemoved(converged, 'lb1', 1));
    expect(changes(made)).toBe('node/lb1-replica1: delete+create (half-removed)');
    expect(formatSteps(made)).toBe(
      lines(`
        node/lb1-replica1: remove-container shop-lb1-replica1
        node/lb1-replica1: create-container <- node/lb1-replica1: remove-container shop-lb1-replica1
      `),
    );
  });

  it('so is that of the leader, whose data nobody can read until then', () => {
    const made = plan(withHalfRemoved(converged, 'lb1', 0));
    expect(changes(made)).toContain('node/lb1-primary: delete+create (half-removed)');
    expect(formatSteps(made)).toContain(
      'node/lb1-primary: create-container <- node/lb1-primary: remove-container shop-lb1-primary',
    );
  });

  it('one that the file does not have is removed', () => {
    const [half] = withHalfRemoved(converged, 'lb1', 2).halfRemoved;
    if (half === undefined) throw new Error('it is there');
    const labels = { ...half.labels, 'pgherd.node': '7', 'pgherd.spec': '{}' };
    const made = plan({ ...converged, halfRemoved: [{ ...half, name: 'shop-lb1-replica7', labels }] });
    expect(changes(made)).toBe('node/lb1-replica7: delete (half-removed)');
    expect(formatSteps(made)).toBe('node/lb1-replica7: remove-container shop-lb1-replica7');
  });

  it.each([
    ['node/lb1-replica1', 1],
    ['node/lb1-primary', 0],
    ['balancer/lb1', undefined],
  ])('%s is left alone while another call holds its container, which is said', (resource, slot) => {
    const held = plan(withBusy(converged, 'lb1', slot));
    expect(held.changes.filter((each) => each.resource === resource)).toEqual([]);
    expect(held.steps.filter((each) => each.resource === resource)).toEqual([]);
    expect(held.blocked.map((each) => `${each.resource}: ${each.reason.code}`)).toEqual([
      `${resource}: container-busy`,
    ]);
  });

  it.each([
    ['a replica', 1, 'lb1-replica1', 'lb1-other'],
    ['the leader', 0, 'lb1-primary', 'lb1-other'],
  ])('no other container is made of %s that has another name in the file by then', (_, slot, before, after) => {
    const names = ['primary', 'replica1', 'replica2'].map((each) => `lb1-${each}`.replace(before, after));
    const [primary = '', ...replicas] = names;
    const hosts = replicas.map((host) => `{ host: ${host} }`).join(', ');
    const renamed = file.replace('replicas: 2', `primary: { host: ${primary} }, replicas: [${hosts}]`);
    const made = plan(withBusy(converged, 'lb1', slot), renamed);
    expect(formatSteps(made)).not.toContain('create');
    expect(formatSteps(made)).not.toContain(after);
  });

  it('nothing that is there is made anew while the leader is held', () => {
    const held = withBusy(converged, 'lb1', 0);
    const text = file.replace('port: 19999', 'port: 19999, postgres: { shm_size: 256MB }');
    expect(formatSteps(plan(held, text))).toBe('');
    expect(formatSteps(plan(converged, text))).toContain('node/lb1-replica1: create-container');
  });

  it('a replica that leaves the file stays while the balancer is held', () => {
    const fewer = file.replace('replicas: 2', 'replicas: 1');
    expect(formatSteps(plan(withBusy(converged, 'lb1', undefined), fewer))).toBe('');
    expect(formatSteps(plan(converged, fewer))).toContain('node/lb1-replica2: remove-container');
  });

  it('nobody takes over from one that is held, leads, and is no longer in the file', () => {
    const text = file.replace('replicas: 2', 'replicas: [{ node_id: 2 }]');
    const lost = new Map([['lb1', 3_600_000]]);
    const record = { epoch: 1, version: 3, leader: 1, members: [0, 1, 2] };
    const nodes = converged.nodes.map((node) => withFacts(node, { record }));
    const made = plan({ ...withBusy({ ...converged, nodes }, 'lb1', 1), lost }, text);
    expect(formatSteps(made)).not.toMatch(/detach|fence|promote|write-leader/);
    expect(made.blocked[0]?.reason.detail).toContain('nobody takes over from it before');
  });

  it('a balancer that is held leads nothing, also where nobody does', () => {
    const empty = emptySnapshot(topology);
    const held = plan({ ...empty, busy: withBusy(converged, 'lb1', undefined).busy });
    expect(held.blocked[0]?.reason.detail).not.toContain('It leads');
  });

  it('nobody takes over from a leader that another call holds, however long it does not answer', () => {
    const lost = new Map([['lb1', 3_600_000]]);
    const held = plan({ ...withBusy(converged, 'lb1', 0), lost });
    expect(formatSteps(held)).toBe('');
    expect(held.blocked[0]?.reason.detail).toContain('It leads and does not answer, and nobody takes over');
  });

  it('a replica that its servers say cannot go on is cloned anew, into the next generation', () => {
    const reports: Reports = new Map([
      ['id-shop-lb1-primary', heard({ slots: { pgherd_1: 'reserved', pgherd_2: 'reserved' } })],
      ['id-shop-lb1-replica1', heard({ recovery: true, timeline: 2 })],
      ['id-shop-lb1-replica2', heard({ recovery: true, receiver: 'streaming' })],
    ]);
    const made = plan({ ...converged, reports });
    expect(changes(made)).toBe('volume/shop_lb1_1_2: create (missing)\nnode/lb1-replica1: delete+create (diverged)');
    expect(formatSteps(made)).toBe(
      lines(`
        volume/shop_lb1_1_2: create-volume
        node/lb1-replica1: remove-container <- volume/shop_lb1_1_2: create-volume
        node/lb1-replica1: create-container <- node/lb1-replica1: remove-container
      `),
    );
  });

  it('slots that the leader lacks or has lost are made anew', () => {
    const reports: Reports = new Map([['id-shop-lb1-primary', heard({ slots: { pgherd_1: 'lost' } })]]);
    const made = plan({ ...converged, reports });
    expect(fields(made)).toBe('group/lb1 slots: - -> pgherd_1, pgherd_2 (live)');
    expect(formatSteps(made)).toBe('group/lb1: set-slots');
  });

  it('a paused cluster is looked at, and nothing is done', () => {
    const gone = changeNode(converged, 'lb1', 2, () => undefined);
    const paused = changeNode(gone, 'lb1', 0, (node) =>
      withFacts(node, { pause: { isPaused: true, at: 1, by: undefined } }),
    );
    const made = plan(paused);
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual(['cluster/shop paused']);
    expect(changes(made)).toContain('node/lb1-replica2: create');
    expect(made.steps).toEqual([]);
  });

  const cloning = (state: Container['state'], is: NodeFacts['state']['is'] = 'cloning'): Snapshot =>
    changeNode(converged, 'lb1', 1, (node) =>
      withFacts(withContainer(node, { state, health: { status: 'starting', output: '' } }), {
        state: { is } as NodeFacts['state'],
        started: undefined,
        loaded: undefined,
      }),
    );

  it('a clone that was cut short begins again in a clean volume; one under way is waited for', () => {
    expect(plan(cloning('running'))).toMatchObject({ steps: [], checks: [{ resource: 'node/lb1-replica1' }] });
    // A leader that restarts again and again before it follows is rewound by one of its restarts.
    const again = changeNode(cloning('running', 'rewinding'), 'lb1', 1, (node) =>
      withContainer(node, { restartCount: 9 }),
    );
    expect(plan(again)).toMatchObject({ steps: [], checks: [{ resource: 'node/lb1-replica1' }] });
    // One that does not run is read from no longer.
    const readers = '\nbalancer/lb1: write-readers';
    for (const [cut, rest] of [
      [cloning('restarting'), readers],
      [cloning('exited'), readers],
      [cloning('running', 'half'), ''],
    ] as const) {
      expect(changes(plan(cut))).toContain('node/lb1-replica1: delete+create (cut-short)');
      expect(formatSteps(plan(cut))).toBe(
        lines(`
          node/lb1-replica1: discard-clone
          volume/shop_lb1_1_2: create-volume <- node/lb1-replica1: discard-clone
          node/lb1-replica1: create-container <- volume/shop_lb1_1_2: create-volume
        `) + rest,
      );
    }
  });

  it.each(['rewinding', 'bootstrapping', 'unknown', 'diverged'] as const)(
    'a volume that is %s is set aside as it is',
    (is) => {
      const steps = formatSteps(plan(cloning('restarting', is)));
      expect(steps).toContain('volume/shop_lb1_1_2: create-volume\n');
      expect(steps).not.toContain('discard-clone');
      expect(steps).not.toContain('remove-volume');
    },
  );

  it('a clone under way is told in its volume whom to follow, and loads nothing', () => {
    const made = plan(cloning('running'), `${file}\npostgres: { parameters: { work_mem: 8MB } }`);
    const steps = made.steps.filter(({ resource }) => resource === 'node/lb1-replica1');
    expect(steps.map(({ action }) => action)).toMatchObject([{ do: 'write-config', atStart: true }]);
  });
});

describe('what a group had is never made up for by something empty', () => {
  const converged = convergedSnapshot(topology);

  const gone = changeNode(converged, 'lb1', 0, () => undefined);
  const withoutVolume = { ...gone, volumes: gone.volumes.filter(({ slot }) => slot !== 0) };

  it("the leader's volume gone while others hold data is made up for by who has most, and nothing is made or removed", () => {
    const made = plan(withoutVolume);
    expect(changes(made)).toBe('group/lb1: promote (failover)');
    expect(formatSteps(made)).toBe('node/lb1-replica1: detach\nnode/lb1-replica2: detach');
  });

  it('the same where a human promotes blocks the group', () => {
    const made = plan(withoutVolume, `${file}\nfailover: { mode: manual }`);
    expect(made.blocked.map(({ resource, reason }) => `${resource}: ${reason.code}`)).toEqual([
      'group/lb1: manual-failover',
    ]);
    expect(made.steps).toEqual([]);
  });

  it('volumes without containers are read before anything is decided', () => {
    const kept = { ...emptySnapshot(topology), networks: converged.networks, volumes: converged.volumes };
    const steps = formatSteps(plan(kept));
    expect(steps).toContain('node/lb1-primary: create-container');
    expect(steps).not.toMatch(/bootstrap|create-volume|write-config|: start/);
  });

  it('what servers refuse of the file is said, and no reason to load or restart anything', () => {
    const edited = `${file}postgres: { parameters: { shared_buffers: 256MB, work_memory: 8MB } }\n`;
    const wanted = convergedSnapshot(topologyOf(edited));
    const nodes = converged.nodes.map((node, index) => {
      const [, restart = ''] = node.facts.started?.split('.') ?? [];
      const [, , all = ''] = wanted.nodes[index]?.facts.config?.split('.') ?? [];
      const kept = `rev.${restart}.${all}.kept`;
      return withFacts(node, { config: kept, loaded: kept, refused: 'it is no word' });
    });
    const made = plan({ ...converged, nodes }, edited);
    expect(made.steps).toEqual([]);
    const refused = 'its server refuses the configuration: it is no word; it goes on with the settings of before';
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code} ${reason.detail}`)).toEqual(
      nodes.map(
        (_, slot) => `node/lb1-${slot === 0 ? 'primary' : `replica${String(slot)}`} settings-refused ${refused}`,
      ),
    );
    // Anything else that is wanted of them is.
    expect(formatSteps(plan({ ...converged, nodes }))).toContain('node/lb1-primary: reload');
  });

  it('a replica whose container cannot be made keeps nobody from starting the leader', () => {
    const without = changeNode(converged, 'lb1', 2, () => undefined);
    const ended = changeNode(without, 'lb1', 0, (node) => withContainer(node, { state: 'exited' }));
    const taken = [{ kind: 'container', name: 'shop-lb1-replica2', by: 'image other' }] as const;
    const made = plan({ ...ended, taken });
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual([
      'node/lb1-replica2 name-taken',
    ]);
    expect(formatSteps(made)).toContain('node/lb1-primary: start');
  });

  it('nor where there are no others: of two volumes, a change of leaders is in both', () => {
    const two = topologyOf(file.replace('replicas: 2', 'replicas: 1'));
    const both = convergedSnapshot(two);
    const of = (slot: number, lost = new Map<string, number>()): Plan => {
      const left = changeNode(both, 'lb1', slot, () => undefined);
      const ended = changeNode(left, 'lb1', 1 - slot, (node) => withContainer(node, { state: 'exited' }));
      const name = slot === 0 ? 'shop-lb1-primary' : 'shop-lb1-replica1';
      const taken = [{ kind: 'container', name, by: 'image other' }] as const;
      return planCluster(two, { ...ended, taken, lost }, {});
    };
    expect(formatSteps(of(1))).toContain('node/lb1-primary: start');
    // The leader's may have a newer one, and nobody takes over without it.
    expect(of(0, new Map([['lb1', 60_000]])).steps).toEqual([]);
  });

  it('a leader whose container cannot be made is waited for, and then replaced by one that has no less', () => {
    const without = changeNode(converged, 'lb1', 0, () => undefined);
    const taken = [{ kind: 'container', name: 'shop-lb1-primary', by: 'image other' }] as const;
    const lost = (milliseconds: number): Plan => plan({ ...without, taken, lost: new Map([['lb1', milliseconds]]) });
    expect(lost(9000)).toMatchObject({ steps: [], recheck: 1000 });
    expect(formatSteps(lost(10_000))).toContain('node/lb1-replica1: detach');
  });

  it('a promotion is proven by volumes that somebody reads: not by those of nodes that the file does not have', () => {
    const two = topologyOf(file.replace('replicas: 2', 'replicas: 1'));
    const record = { epoch: 1, version: 3, leader: 1, members: [0, 1, 2] };
    const named = [0, 1].reduce(
      (snapshot, slot) => changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { record })),
      changeNode(converged, 'lb1', 2, () => undefined),
    );
    const heir = changeNode(named, 'lb1', 1, (node) => withFacts(node, { serves: 'follow' }));
    const promoted = (text: Topology): unknown => {
      const action = planCluster(text, heir, {}).steps.find(({ action: { do: is } }) => is === 'promote')?.action;
      return action?.do === 'promote' ? [action.voters.length, action.votes] : undefined;
    };
    expect(promoted(two)).toEqual([2, 2]);
    expect(promoted(topologyOf(file))).toEqual([2, 3]);
  });

  it('no empty leader is made beside a volume of a node that the file does not name', () => {
    const alone = topologyOf(file.replace('replicas: 2', 'replicas: 0'));
    const [, kept] = converged.volumes;
    if (kept === undefined) throw new Error('there is no volume');
    const left = { ...emptySnapshot(alone), networks: converged.networks, volumes: [kept] };
    const made = planCluster(alone, left, {});
    expect(made.blocked.map(({ reason }) => reason.code)).toEqual(['data-not-in-file']);
    expect(formatSteps(made)).not.toMatch(/lb1-primary/);
  });

  it('data without a record blocks: nobody guesses who leads', () => {
    const unrecorded = [0, 1, 2].reduce(
      (snapshot, slot) => changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { record: undefined })),
      converged,
    );
    expect(plan(unrecorded).blocked.map(({ reason }) => reason.code)).toEqual(['record-missing']);
  });

  it('a volume of another system blocks its node, and no other', () => {
    const other = changeNode(converged, 'lb1', 1, (node) =>
      withFacts(node, { state: { is: 'data', systemIdentifier: '42' } }),
    );
    const made = plan(other);
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual([
      'node/lb1-replica1 other-system',
    ]);
    expect(made.steps).toEqual([]);
  });

  it('the newest record says who leads, not the file', () => {
    const moved = [0, 1, 2].reduce(
      (snapshot, slot) =>
        changeNode(snapshot, 'lb1', slot, (node) =>
          withFacts(node, { record: { epoch: 1, version: 3, leader: 1, members: [0, 1, 2] } }),
        ),
      converged,
    );
    const steps = formatSteps(plan(moved));
    expect(steps).toContain('node/lb1-replica1: connect shop_rw');
    expect(steps).toContain('node/lb1-primary: disconnect shop_rw');
  });

  it('a volume of a time before its node led is not what it leads with: who has most of the others leads', () => {
    const record = { epoch: 1, version: 7, leader: 1, members: [0, 1, 2], fork: { timeline: 3, lsn: 900 } };
    const led = [0, 2].reduce(
      (snapshot, slot) => changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { record })),
      converged,
    );
    const older = { ...record, version: 3, leader: 0, fork: { timeline: 1, lsn: 500 } };
    const setAside = changeNode(led, 'lb1', 1, (node) =>
      withFacts(withContainer(node, { state: 'created' }), { record: older, serves: 'follow' }),
    );
    const made = plan(setAside);
    expect(formatSteps(made)).toContain('node/lb1-primary: detach');
    expect(formatSteps(made)).not.toMatch(/lb1-replica1: (start|promote|detach)/);
  });

  it('what an earlier holder of the lock wrote late does not count, however many records it wrote', () => {
    const written = (slot: number, record: Partial<RecordName>) => (snapshot: Snapshot) =>
      changeNode(snapshot, 'lb1', slot, (node) =>
        withFacts(node, { record: { epoch: 1, version: 3, leader: 0, members: [0, 1, 2], ...record } }),
      );
    const late = { epoch: 1, version: 9, leader: 2 };
    const current = { epoch: 2, version: 3, leader: 1 };
    for (const [first, second] of [[late, current] as const, [current, late] as const]) {
      const both = written(1, second)(written(0, first)(converged));
      expect(newestRecord(both.nodes)?.record.leader).toBe(1);
    }
  });
});

/** A snapshot with networks, and one node of the group alone. */
function emptyButFor(slot: number): Snapshot {
  const converged = convergedSnapshot(topology);
  return {
    ...converged,
    volumes: converged.volumes.filter((each) => each.slot === slot),
    nodes: converged.nodes.filter((each) => each.slot === slot),
    balancers: [],
  };
}

describe('what is not known yet', () => {
  it('is said: a volume without a container is not read, so that more may be to be done', () => {
    const topology = topologyOf('{ cluster_name: shop, balancers: [{ name: lb1, replicas: 1 }, { name: lb2 }] }');
    const converged = convergedSnapshot(topology);
    const nodes = converged.nodes.filter(({ group, slot }) => group !== 'lb1' || slot !== 0);
    expect(planCluster(topology, { ...converged, nodes }, {}).open).toEqual([
      {
        resource: 'group/lb1',
        why: 'a volume is read by its container; what else is to be done shows when that is there',
      },
    ]);
    expect(planCluster(topology, converged, {}).open).toBeUndefined();
  });
});
