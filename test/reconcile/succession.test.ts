import { describe, expect, it } from 'vitest';
import type { FenceCause, Handover, RecordName } from '../../src/postgres/layout.ts';
import { nodeRevision } from '../../src/postgres/revision.ts';
import { allocateAddresses } from '../../src/reconcile/allocate.ts';
import { viewGroup } from '../../src/reconcile/group.ts';
import { wantedRevision } from '../../src/reconcile/kinds/node-config.ts';
import { formatSteps, type Plan, type Step } from '../../src/reconcile/plan.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import type { ObservedNode, Snapshot } from '../../src/reconcile/snapshot.ts';
import { changeNode, convergedSnapshot, topologyOf, withBusy, withContainer, withFacts } from './support.ts';

const file = `
cluster_name: shop
network: { subnet: 172.31.0.0/16, rw_subnet: 172.30.255.0/24 }
failover: { delay: 0s }
balancers:
  - { name: lb1, port: 19999, replicas: 2 }
`;
const quorum = `${file}replication: { mode: quorum }\n`;

function plan(snapshot: Snapshot, text = file): Plan {
  return planCluster(topologyOf(text), snapshot, {});
}

/** Steps of a plan, one a line. */
function steps(snapshot: Snapshot, text = file): string {
  return formatSteps(plan(snapshot, text));
}

function lines(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
}

function find<K extends Step['action']['do']>(
  { steps: list }: Plan,
  id: string,
  kind: K,
): Extract<Step['action'], { do: K }> {
  const action = list.find((each) => each.id === id)?.action;
  if (action?.do !== kind) throw new Error(`no step ${id}`);
  return action as Extract<Step['action'], { do: K }>;
}

/** Ids of all that must be done before a step. */
function waitsOf({ steps: list }: Plan, id: string): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const step = list.find((each) => each.id === next);
    for (const each of step?.after ?? []) {
      if (!found.has(each)) open.push(each);
      found.add(each);
    }
  }
  return found;
}

/** Fields of a plan as `resource path: before -> after`, one a line. */
function fields({ changes }: Plan): string {
  return changes
    .flatMap(({ resource, fields: changed }) =>
      changed.map(({ path, before, after }) => `${resource} ${path}: ${before ?? '-'} -> ${after ?? '-'}`),
    )
    .join('\n');
}

type Change = (node: ObservedNode) => ObservedNode;

function on(snapshot: Snapshot, slot: number, ...changes: readonly Change[]): Snapshot {
  return changes.reduce((seen, change) => changeNode(seen, 'lb1', slot, change), snapshot);
}

/** What every volume says of who leads, and of who is requested to. */
type Recorded = Partial<RecordName> & { readonly handover?: Pick<Handover, 'kind' | 'to'> };

function recorded(snapshot: Snapshot, { handover, ...change }: Recorded): Snapshot {
  const record = { epoch: 1, version: 3, leader: 0, members: [0, 1, 2], ...change };
  const { leader, fork } = record;
  const request =
    handover === undefined
      ? undefined
      : ({ is: 'requested', ...handover, of: { leader, fork }, until: Number.MAX_SAFE_INTEGER, at: 1 } as const);
  return { ...snapshot, nodes: snapshot.nodes.map((node) => withFacts(node, { record, handover: request })) };
}

/** Every server goes by the revision that it is to have. */
function settled(snapshot: Snapshot, text: string): Snapshot {
  const topology = topologyOf(text);
  const [group] = topology.groups;
  const addresses = allocateAddresses(topology, snapshot);
  const view = viewGroup(group, snapshot);
  const context = { topology, group, snapshot, addresses, view, fingerprint: undefined, failed: new Set<string>() };
  const nodes = snapshot.nodes.map((observed) => {
    const node = group.nodes.find(({ slot }) => slot === observed.slot);
    const name = node === undefined ? undefined : wantedRevision(context, node)?.name;
    return name === undefined ? observed : withFacts(observed, { config: name, started: name, loaded: name });
  });
  return { ...snapshot, nodes };
}

function withoutAddress(node: ObservedNode): ObservedNode {
  const joined = Object.entries(node.container.networks).filter(([name]) => name !== 'shop_rw');
  return withContainer(node, { networks: Object.fromEntries(joined) });
}

/** A group that converged, led by a slot. */
function ledBy(leader: number, text = file, record: Recorded = {}): Snapshot {
  const before = recorded(convergedSnapshot(topologyOf(text)), { leader, ...record });
  const write = { shop_rw: { networkId: 'id-shop_rw', address: '172.30.255.2' } };
  const nodes = before.nodes.map((node) => {
    const isLeader = node.slot === leader;
    const { networks } = withoutAddress(node).container;
    const seen = withContainer(node, { networks: isLeader ? { ...networks, ...write } : networks });
    return { ...withFacts(seen, { serves: isLeader ? 'lead' : 'follow' }), isStandby: !isLeader };
  });
  return settled({ ...before, nodes }, text);
}

const converged = ledBy(0);

const ended: Change = (node) => withContainer(node, { state: 'exited', exitCode: 137 });
const marked =
  (cause: FenceCause): Change =>
  (node) => {
    const fencedAt = cause === 'asked' || cause === 'removed' ? 995 : undefined;
    return withFacts(withContainer(node, { restart: 'no' }), { serves: 'fenced', fencedFor: cause, fencedAt });
  };
const detached =
  (lsn: number, shut = false): Change =>
  (node) =>
    withFacts(node, {
      detached: { timeline: 1, lsn, shut },
    });

/** Out of service for good, without the write address. */
const fenced = (cause: FenceCause): readonly Change[] => [ended, marked(cause), withoutAddress];

const lost = (snapshot: Snapshot, milliseconds = 4000): Snapshot => ({
  ...snapshot,
  lost: new Map([['lb1', milliseconds]]),
});

const leads: Heard = {
  recovery: false,
  timeline: 1,
  lsn: 1000,
  receiver: null,
  slots: { pgherd_0: 'reserved', pgherd_1: 'reserved', pgherd_2: 'reserved', pgherd_3: 'reserved' },
  oldest: null,
  at: 0,
  isStill: false,
};
const streams: Heard = { ...leads, recovery: true, receiver: 'streaming', slots: {} };
const waits: Heard = { ...streams, receiver: null };
const all = { primary: leads, replica1: streams, replica2: streams };

/** What servers say; those that are not named are silent. */
function heard(snapshot: Snapshot, said: Readonly<Record<string, Heard>>): Snapshot {
  const reports = new Map(Object.entries(said).map(([name, report]) => [`id-shop-lb1-${name}`, report]));
  const running = snapshot.nodes.filter(({ container }) => container.state === 'running');
  const silent = new Set(running.map(({ container }) => container.id).filter((id) => !reports.has(id)));
  return { ...snapshot, reports, silent };
}

/** The leader is out of service, and both others have said how far they have come: the second has more. */
function heirs(text = file, record: Recorded = {}, cause: FenceCause = 'ended'): Snapshot {
  return on(on(on(ledBy(0, text, record), 0, ...fenced(cause)), 1, detached(990)), 2, detached(1000));
}

describe('a change of the file that restarts servers, not done yet as a leader ends', () => {
  const edit = 'postgres: { parameters: { shared_buffers: 96MB } }\n';
  const listed = { sync: { num: 1, listed: [1, 2] } };

  it.each([
    ['async', file, {}, 990],
    ['quorum, as far as the other', quorum, listed, 1000],
    ['quorum, behind the other', quorum, listed, 990],
  ])('comes after the next one leads, in steps that wait for each other in no circle: %s', (_, text, record, lsn) => {
    const made = plan(lost(on(heirs(text, record), 1, detached(lsn))), `${text}${edit}`);
    expect(made.steps.some(({ action }) => action.do === 'promote')).toBe(true);
    expect(made.steps.some(({ action }) => action.do === 'restart')).toBe(true);
    for (const { id, action } of made.steps) {
      const before = waitsOf(made, id);
      expect(before.has(id), `${id} waits for itself`).toBe(false);
      if (action.do === 'promote') expect([...before].filter((each) => each.endsWith(': restart'))).toEqual([]);
      if (action.do === 'restart') expect([...before].some((each) => each.endsWith(': promote'))).toBe(true);
    }
  });
});

describe('a leader is taken out of service before anybody else leads', () => {
  it('one that has ended: it and its address go, while the others say how far they have come', () => {
    const made = plan(lost(on(converged, 0, ended)));
    expect(formatSteps(made)).toBe(
      lines(`
        node/lb1-primary: fence
        node/lb1-primary: disconnect shop_rw <- node/lb1-primary: fence
        node/lb1-replica1: detach
        node/lb1-replica2: detach
        group/lb1: read-record
      `),
    );
    expect(find(made, 'node/lb1-primary: fence', 'fence')).toMatchObject({ cause: 'ended', stopSeconds: undefined });
    expect(fields(made)).toBe('group/lb1 leader: lb1-primary -> (the one that has most)');
  });

  it('one that hangs: the others follow it until it is dead, since what it has sent they have', () => {
    const made = plan({ ...lost(converged), hung: new Set(['id-shop-lb1-primary']) });
    expect(formatSteps(made)).toBe(
      lines(`
        node/lb1-primary: fence
        node/lb1-primary: disconnect shop_rw <- node/lb1-primary: fence
        node/lb1-replica1: detach <- node/lb1-primary: fence
        node/lb1-replica2: detach <- node/lb1-primary: fence
        group/lb1: read-record
      `),
    );
    expect(find(made, 'node/lb1-primary: fence', 'fence')).toMatchObject({ cause: 'hung', stopSeconds: undefined });
  });

  it.each(['restarting', 'paused'] as const)('one that is %s: it must be dead first, too', (state) => {
    const made = plan(lost(on(converged, 0, (node) => withContainer(node, { state }))));
    expect(formatSteps(made)).toContain('node/lb1-replica1: detach <- node/lb1-primary: fence');
    expect(find(made, 'node/lb1-primary: fence', 'fence')).toMatchObject({ stopSeconds: undefined });
  });

  it('one that is to hand over: it stops in order, and the others follow it until then', () => {
    const made = plan(heard(recorded(converged, { handover: { kind: 'switchover', to: undefined } }), all));
    expect(formatSteps(made)).toBe(
      lines(`
        node/lb1-primary: fence
        node/lb1-primary: disconnect shop_rw <- node/lb1-primary: fence
        node/lb1-replica1: detach <- node/lb1-primary: fence
        node/lb1-replica2: detach <- node/lb1-primary: fence
        group/lb1: read-record
      `),
    );
    const fence = find(made, 'node/lb1-primary: fence', 'fence');
    expect(fence).toMatchObject({ cause: 'asked' });
    expect(fence.stopSeconds).toBeGreaterThan(0);
    expect(made.changes.map(({ reason }) => reason.code)).toEqual(['switchover']);
  });

  it('one that is no longer in the file: in order as well', () => {
    const text = file.replace('replicas: 2', 'replicas: 1');
    const made = plan(heard(ledBy(2), { primary: streams, replica1: streams, replica2: leads }), text);
    expect(formatSteps(made)).toBe(
      lines(`
        node/lb1-replica2: fence
        node/lb1-replica2: disconnect shop_rw <- node/lb1-replica2: fence
        node/lb1-primary: detach <- node/lb1-replica2: fence
        node/lb1-replica1: detach <- node/lb1-replica2: fence
        group/lb1: read-record
      `),
    );
    expect(find(made, 'node/lb1-replica2: fence', 'fence')).toMatchObject({ cause: 'removed' });
  });

  it('with a failover that somebody asks for: it is killed', () => {
    const asked = (kind: 'failover' | 'failover-lossy'): Plan =>
      plan(heard(recorded(converged, { handover: { kind, to: undefined } }), all));
    expect(find(asked('failover'), 'node/lb1-primary: fence', 'fence')).toMatchObject({
      cause: 'hung',
      stopSeconds: undefined,
    });
    expect(find(asked('failover-lossy'), 'node/lb1-primary: fence', 'fence')).toMatchObject({
      cause: 'forced',
      stopSeconds: undefined,
    });
  });

  it('a replica that is down and may have more is started for it, when nobody holds an address by mistake', () => {
    expect(steps(lost(on(on(converged, 0, ended), 2, ended)))).toBe(
      lines(`
        node/lb1-primary: fence
        node/lb1-primary: disconnect shop_rw <- node/lb1-primary: fence
        node/lb1-replica1: detach
        node/lb1-replica2: start <- node/lb1-primary: disconnect shop_rw
        node/lb1-replica2: detach <- node/lb1-replica2: start
        group/lb1: read-record
      `),
    );
  });

  it('a replica that is paused is woken for it', () => {
    const paused = on(on(converged, 0, ended), 2, (node) => withContainer(node, { state: 'paused' }));
    expect(steps(lost(paused))).toContain('node/lb1-replica2: detach <- node/lb1-replica2: unpause');
  });

  it('what was done of it is not done again', () => {
    const out = on(converged, 0, ...fenced('ended'));
    expect(steps(on(out, 1, detached(990)))).toBe('node/lb1-replica2: detach');
    const held = on(on(on(converged, 0, ended, marked('ended')), 1, detached(990)), 2, detached(1000));
    expect(steps(held)).toBe('node/lb1-primary: disconnect shop_rw');
  });

  it('the record is read meanwhile, which is to be changed next: of the newest, from one that runs where one has it', () => {
    const source = (snapshot: Snapshot) => find(plan(snapshot), 'group/lb1: read-record', 'read-record').source;
    const leaderless = lost(on(ledBy(0), 0, ended));
    expect(source(leaderless)).toMatchObject({ container: 'id-shop-lb1-replica1', record: { version: 3, leader: 0 } });
    const older: Change = (node) =>
      withFacts(node, { record: { epoch: 1, version: 2, leader: 0, members: [0, 1, 2] } });
    expect(source(on(leaderless, 1, older)).container).toBe('id-shop-lb1-replica2');
    expect(source(on(on(leaderless, 1, older), 2, older))).toMatchObject({
      container: 'id-shop-lb1-primary',
      record: { version: 3 },
    });
  });

  it('within the delay nothing is done but to bring it back, and the plan says when to look again', () => {
    const patient = file.replace('delay: 0s', 'delay: 5s');
    const made = plan(lost(on(converged, 0, ended), 2000), patient);
    expect(made.recheck).toBe(3000);
    expect(formatSteps(made)).toBe('node/lb1-primary: start\nnode/lb1-primary: await-node <- node/lb1-primary: start');
  });

  it('with another one in vain, the leader is brought back, and the group says what hinders it', () => {
    const alone = on(lost(on(converged, 0, ended), 20_000), 1, ended);
    const made = plan(
      {
        ...alone,
        nodes: alone.nodes.filter(({ slot }) => slot !== 2),
        volumes: alone.volumes.filter(({ slot }) => slot !== 2),
      },
      quorum.replace('replicas: 2', 'replicas: 1'),
    );
    expect(made.blocked.map(({ resource, reason }) => `${resource} ${reason.code}`)).toEqual(['group/lb1 quorum-lost']);
    expect(formatSteps(made)).toContain('node/lb1-primary: start');
  });
});

describe('when it is known who has most', () => {
  it('the record says first who leads; then it is promoted; when it answers, everybody turns to it', () => {
    const made = plan(heirs());
    expect(formatSteps(made)).toBe(
      lines(`
        group/lb1: write-leader
        node/lb1-replica2: promote <- group/lb1: write-leader
        node/lb1-replica2: connect shop_rw <- node/lb1-replica2: promote
        node/lb1-replica2: await-node <- node/lb1-replica2: connect shop_rw
        balancer/lb1: write-readers <- group/lb1: write-leader
        group/lb1: set-slots <- node/lb1-replica2: promote, node/lb1-replica2: await-node
        node/lb1-primary: update-limits <- node/lb1-replica2: await-node
        node/lb1-primary: write-config <- node/lb1-primary: update-limits
        node/lb1-primary: start <- node/lb1-primary: write-config, group/lb1: set-slots, node/lb1-replica2: promote
        node/lb1-primary: await-node <- node/lb1-primary: start
        node/lb1-replica1: write-config <- node/lb1-replica2: await-node
        node/lb1-replica1: reload <- node/lb1-replica1: write-config, node/lb1-replica2: promote
      `),
    );
    expect(fields(made)).toContain('group/lb1 leader: lb1-primary -> lb1-replica2');
    expect(fields(made)).toContain('node/lb1-replica2 networks.shop_rw: - -> 172.30.255.2');
  });

  it('the record remembers who led, since when, and what was lost', () => {
    const past = new Map([['lb1/0', { ...leads, lsn: 1040 }]]);
    const action = find(plan({ ...heirs(), past }), 'group/lb1: write-leader', 'write-record');
    expect(action).toMatchObject({
      leader: 2,
      members: [0, 1, 2],
      known: { fork: { timeline: 1, lsn: 1000 } },
      change: { kind: 'failover', from: 'lb1-primary', to: 'lb1-replica2', timeline: 1, lsn: 1000, lostBytes: 40 },
    });
    // The old leader has it too, and does not run.
    expect(action.source).toMatchObject({ container: 'id-shop-lb1-replica1', record: { version: 3, leader: 0 } });
  });

  it('it is written into most volumes, so that it outlives a container, and with what the new leader is to be when it is promoted', () => {
    const made = plan(heirs());
    const { targets, spares } = find(made, 'group/lb1: write-leader', 'write-record');
    expect(targets).toMatchObject([
      {
        container: 'id-shop-lb1-replica2',
        config: { role: { is: 'lead' }, settings: { name: 'lb1-replica2' }, atStart: false },
      },
      { container: 'id-shop-lb1-replica1' },
    ]);
    expect(spares).toMatchObject([{ container: 'id-shop-lb1-primary' }]);
    const revisions = targets.flatMap(({ config, layout }) =>
      config === undefined ? [] : [nodeRevision({ ...config.settings, role: config.role }, layout).name],
    );
    expect(revisions).toEqual([find(made, 'node/lb1-replica2: promote', 'promote').revision]);
  });

  it('all others get what they are to be with it, the old leader among them', () => {
    const made = plan(heirs());
    for (const name of ['lb1-primary', 'lb1-replica1']) {
      expect(find(made, `node/${name}: write-config`, 'write-config')).toMatchObject({
        role: { is: 'follow', leaderAddress: '172.31.1.22' },
        record: { container: 'id-shop-lb1-replica2', record: { version: 4, leader: 2 } },
      });
    }
  });

  it('with a quorum the others turn to it as soon as it leads: no commit returns without them', () => {
    const made = plan(heirs(quorum, { sync: { num: 1, listed: [1, 2] } }), quorum);
    expect(formatSteps(made)).toBe(
      lines(`
        group/lb1: write-leader
        node/lb1-replica1: reload <- group/lb1: write-leader, node/lb1-replica2: promote
        node/lb1-replica2: promote <- group/lb1: write-leader
        node/lb1-replica2: connect shop_rw <- node/lb1-replica2: promote
        node/lb1-replica2: await-node <- node/lb1-replica2: connect shop_rw, node/lb1-replica1: reload
        balancer/lb1: write-readers <- group/lb1: write-leader
        group/lb1: set-slots <- node/lb1-replica2: promote, node/lb1-replica2: await-node
        node/lb1-primary: update-limits <- node/lb1-replica2: await-node
        node/lb1-primary: write-config <- node/lb1-primary: update-limits
        node/lb1-primary: start <- node/lb1-primary: write-config, group/lb1: set-slots, node/lb1-replica2: promote
        node/lb1-primary: await-node <- node/lb1-primary: start
        group/lb1: await-caught-up <- node/lb1-replica2: promote
        group/lb1: write-quorum <- group/lb1: await-caught-up
        group/lb1: write-commits <- group/lb1: write-leader
        group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits
      `),
    );
  });

  it.each([
    { what: 'until the new leader answers', text: file, before: ['node/lb1-replica2: await-node'] },
    {
      what: 'with a quorum until the others turn to it, too',
      text: quorum,
      before: ['node/lb1-replica2: await-node', 'node/lb1-replica1: reload'],
    },
  ])('what nobody needs for the next write waits $what, and nothing of that waits for it', ({ text, before }) => {
    const sync = text === quorum ? { num: 1, listed: [1, 2] } : undefined;
    // A replica is new in the file, too.
    const made = plan(heirs(text, { sync }), text.replace('replicas: 2', 'replicas: 3'));
    const needed = new Set(
      before
        .flatMap((id) => [id, ...waitsOf(made, id)])
        .concat('group/lb1: write-leader', 'balancer/lb1: write-readers'),
    );
    const chain = /await-caught-up|write-quorum|write-commits|load-commits/;
    const rest = made.steps.map(({ id }) => id).filter((id) => !needed.has(id) && !chain.test(id));
    expect(rest).toEqual(
      expect.arrayContaining(['volume/shop_lb1_3_1: create-volume', 'group/lb1: set-slots', 'node/lb1-primary: start']),
    );
    for (const id of rest) expect([...waitsOf(made, id)], id).toEqual(expect.arrayContaining(before));
    expect([...needed].sort()).toEqual(
      [
        'balancer/lb1: write-readers',
        'group/lb1: write-leader',
        ...(text === quorum ? ['node/lb1-replica1: reload'] : []),
        'node/lb1-replica2: await-node',
        'node/lb1-replica2: connect shop_rw',
        'node/lb1-replica2: promote',
      ].sort(),
    );
  });

  it('nothing of it waits for the old leader, and least of all the readers', () => {
    const made = plan(heirs());
    const waiting = new Set(['node/lb1-primary: update-limits']);
    for (let size = -1; size !== waiting.size;) {
      size = waiting.size;
      for (const { id, after } of made.steps) if (after.some((each) => waiting.has(each))) waiting.add(id);
    }
    expect([...waiting].filter((id) => !id.startsWith('node/lb1-primary'))).toEqual([]);
    expect([...waitsOf(made, 'balancer/lb1: write-readers')]).toEqual(['group/lb1: write-leader']);
  });

  it('the old one gets its slot, and follows once there is a leader on a later timeline', () => {
    const made = plan(heirs());
    expect(find(made, 'node/lb1-replica2: promote', 'promote').followers).toEqual([0, 1]);
    expect(find(made, 'node/lb1-primary: write-config', 'write-config')).toMatchObject({
      role: { is: 'follow', leaderAddress: '172.31.1.22', slot: 'pgherd_0' },
      unfence: 'ended',
      atStart: true,
    });
  });

  it('what one that was forced out wrote last is kept: it may have been acknowledged', () => {
    const forced = heirs(file, { handover: { kind: 'failover-lossy', to: undefined } }, 'forced');
    expect(find(plan(forced), 'node/lb1-primary: write-config', 'write-config').unfence).toBe('kept');
  });

  it('a switchover is remembered as one', () => {
    const asked = heirs(file, { handover: { kind: 'switchover', to: 2 } }, 'asked');
    const action = find(plan(on(asked, 2, detached(1000, true))), 'group/lb1: write-leader', 'write-record');
    expect(action).toMatchObject({ change: { kind: 'switchover', lostBytes: 0 } });
  });

  it('a switchover to one that lacks the last word of the leader is over, and the leader leads again', () => {
    const asked = heirs(file, { handover: { kind: 'switchover', to: undefined } }, 'asked');
    const made = plan(asked);
    expect(find(made, 'group/lb1: end-request', 'end-request').targets).toHaveLength(3);
    expect(formatSteps(made)).toContain('node/lb1-primary: start');
    expect(formatSteps(made)).not.toMatch(/promote|write-leader/);
    expect(fields(made)).toContain('node/lb1-primary networks.shop_rw: - -> 172.30.255.2');
    expect(find(made, 'node/lb1-primary: write-config', 'write-config')).toMatchObject({ role: { is: 'lead' } });
  });

  it('and the replicas follow it again once it runs', () => {
    const made = formatSteps(plan(heirs(file, { handover: { kind: 'switchover', to: undefined } }, 'asked')));
    expect(made).toContain('node/lb1-primary: start');
    expect(made).not.toContain('reload');
  });
});

it('a former leader that was away at the change starts as one whose last words may count', () => {
  const away = on(ledBy(2), 0, (node) => ({ ...withFacts(ended(node), { serves: 'lead' }), isStandby: false }));
  expect(find(plan(away), 'node/lb1-primary: write-config', 'write-config')).toMatchObject({
    role: { is: 'follow' },
    unfence: 'kept',
  });
});

describe('what was cut short is gone on with', () => {
  const named = recorded(heirs(), { version: 4, leader: 2 });
  const promoted: Change = (node) => withFacts(node, { serves: 'lead', detached: undefined });

  it('where the record names the new leader, and nobody was promoted', () => {
    expect(steps(named)).toBe(
      lines(`
        group/lb1: set-slots <- node/lb1-replica2: promote
        node/lb1-primary: update-limits
        node/lb1-primary: write-config <- node/lb1-primary: update-limits
        node/lb1-primary: start <- node/lb1-primary: write-config, group/lb1: set-slots, node/lb1-replica2: promote
        node/lb1-primary: await-node <- node/lb1-primary: start
        node/lb1-replica1: write-config
        node/lb1-replica1: reload <- node/lb1-replica1: write-config, node/lb1-replica2: promote
        node/lb1-replica2: write-config
        node/lb1-replica2: promote <- node/lb1-replica2: write-config
        node/lb1-replica2: connect shop_rw <- node/lb1-replica2: promote
        node/lb1-replica2: await-node <- node/lb1-replica2: connect shop_rw
        balancer/lb1: write-readers <- node/lb1-replica2: promote
      `),
    );
  });

  it('where only the volume of the new leader says so: the others get the record before they turn to it', () => {
    const alone = on(heirs(), 2, (node) =>
      withFacts(node, { record: { epoch: 1, version: 4, leader: 2, members: [0, 1, 2] } }),
    );
    const made = plan(alone);
    expect(formatSteps(made)).not.toContain('write-leader');
    expect(formatSteps(made)).toContain('node/lb1-replica2: promote');
    expect([...waitsOf(made, 'node/lb1-replica1: reload')]).toEqual(
      expect.arrayContaining(['node/lb1-replica1: write-config', 'node/lb1-replica2: promote']),
    );
    expect([...waitsOf(made, 'node/lb1-primary: start')]).toContain('node/lb1-primary: write-config');
    // The promotion waits for the record to be in more than half of the volumes.
    for (const name of ['lb1-primary', 'lb1-replica1']) {
      expect([...waitsOf(made, `node/${name}: write-config`)]).not.toContain('node/lb1-replica2: promote');
    }
    for (const name of ['lb1-primary', 'lb1-replica1']) {
      expect(find(made, `node/${name}: write-config`, 'write-config').record).toMatchObject({
        container: 'id-shop-lb1-replica2',
        record: { version: 4, leader: 2 },
      });
    }
  });

  it('where the new leader was fenced before it ever led, and is no more: it is started and promoted', () => {
    const restarted: Change = (node) => ({
      ...withFacts(ended(node), { serves: undefined, detached: undefined }),
      isStandby: true,
    });
    const made = formatSteps(plan(on(named, 2, restarted)));
    expect(made).toContain('node/lb1-replica2: promote <- node/lb1-replica2: start');
  });

  it('where it was promoted, and has not the write address yet', () => {
    const without = on(on(ledBy(2), 2, withoutAddress), 0, ended);
    expect(steps(without)).toContain('node/lb1-replica2: connect shop_rw');
    expect(steps(without)).not.toContain('promote');
  });

  it('where it was promoted, and others have not been told whom to follow: without another promotion', () => {
    const made = plan(on(on(ledBy(2), 1, detached(990)), 2, promoted));
    expect(formatSteps(made)).toBe('node/lb1-replica1: reload\nbalancer/lb1: write-readers');
    const unwritten = on(named, 2, promoted);
    expect(steps(unwritten)).toContain('node/lb1-replica1: reload <- node/lb1-replica1: write-config');
    expect(steps(unwritten)).not.toContain('promote');
  });

  it('where the old leader is still out of service, and everything else is done', () => {
    const out = on(ledBy(2), 0, ...fenced('ended'));
    expect(steps(out)).toBe(
      lines(`
        node/lb1-primary: update-limits
        node/lb1-primary: write-config <- node/lb1-primary: update-limits
        node/lb1-primary: start <- node/lb1-primary: write-config
        node/lb1-primary: await-node <- node/lb1-primary: start
        balancer/lb1: write-readers <- node/lb1-primary: start
      `),
    );
  });

  it('where one of the volumes has not the record yet that names the new leader', () => {
    const partly = on(named, 1, (node) =>
      withFacts(node, { record: { epoch: 1, version: 3, leader: 0, members: [0, 1, 2] } }),
    );
    const made = plan(partly);
    expect(find(made, 'node/lb1-replica1: write-config', 'write-config').record?.record).toMatchObject({
      version: 4,
      leader: 2,
    });
    expect(formatSteps(made)).toContain('node/lb1-replica2: promote');
  });

  it('where the old leader holds what its successor lacks: it begins again in a new volume, and the old one is kept', () => {
    const diverged = on(ledBy(2), 0, (node) =>
      withFacts(withContainer(node, { state: 'restarting', exitCode: 78 }), { state: { is: 'diverged' } }),
    );
    expect(steps(diverged)).toContain(
      lines(`
        volume/shop_lb1_0_2: create-volume
        node/lb1-primary: remove-container <- volume/shop_lb1_0_2: create-volume
        node/lb1-primary: create-container <- node/lb1-primary: remove-container
      `),
    );
    expect(steps(diverged)).not.toContain('remove-volume');
  });

  it('where it was being rewound when it ended: the same, since that is not done twice', () => {
    const half = on(ledBy(2), 0, (node) => withFacts(ended(node), { state: { is: 'rewinding' } }));
    expect(steps(half)).toContain('volume/shop_lb1_0_2: create-volume');
    const busy = on(ledBy(2), 0, (node) => withFacts(node, { state: { is: 'rewinding' } }));
    expect(steps(busy)).not.toContain('create-volume');
  });
});

describe('the list of those who may hold what was acknowledged is never less than whom the leader waits for', () => {
  /** The leader goes by what the record and the servers say, with these listed. */
  const listed = (num: number, slots: readonly number[], text = quorum, said: Readonly<Record<string, Heard>> = all) =>
    settled(heard(ledBy(0, text, { sync: { num, listed: slots } }), said), text);
  /** The record has changed since. */
  const nowListed = (snapshot: Snapshot, num: number, slots: readonly number[]): Snapshot =>
    recorded(snapshot, { version: 4, sync: { num, listed: slots } });
  const two = quorum.replace('mode: quorum', 'mode: quorum, sync_replicas: 2');
  const preferred = quorum.replace('mode: quorum', 'mode: quorum, durability: preferred');

  /** Whom the leader is told to wait for; undefined: it is told nothing. */
  const told = (made: Plan): unknown => {
    const action = made.steps.find(({ id }) => id === 'node/lb1-primary: write-config')?.action;
    if (action?.do !== 'write-config' || action.role.is !== 'lead') return undefined;
    return action.role.commits;
  };
  /** What is to be written into the record; undefined: it stays what it is. */
  const written = (made: Plan): unknown => {
    const action = made.steps.find(({ id }) => id === 'group/lb1: write-quorum')?.action;
    return action?.do === 'write-record' ? (action.known.sync ?? 'none') : undefined;
  };

  it('nothing is to do where both say the same, and those that are listed stream', () => {
    expect(plan(listed(1, [1, 2]), quorum)).toMatchObject({ changes: [], steps: [] });
  });

  it('the first ones are listed when they have everything', () => {
    const made = plan(listed(1, []), quorum);
    expect(formatSteps(made)).toBe('group/lb1: await-caught-up\ngroup/lb1: write-quorum <- group/lb1: await-caught-up');
    expect(written(made)).toEqual({ num: 1, listed: [1, 2] });
    expect(fields(made)).toBe('group/lb1 quorum: nobody -> 1 of lb1-replica1, lb1-replica2');
  });

  it('one that comes is listed first, and then waited for', () => {
    const before = listed(1, [1], quorum, { primary: leads, replica1: streams, replica2: waits });
    const first = plan(heard(before, all), quorum);
    expect(written(first)).toEqual({ num: 1, listed: [1, 2] });
    expect(told(first)).toBeUndefined();
    const second = plan(nowListed(heard(before, all), 1, [1, 2]), quorum);
    expect(formatSteps(second)).toBe(
      lines(`
        node/lb1-primary: write-config
        node/lb1-primary: reload <- node/lb1-primary: write-config
      `),
    );
    expect(told(second)).toEqual({ num: 1, names: ['lb1-replica1', 'lb1-replica2'] });
  });

  it('one that another call to the engine holds is struck off where the others are enough, and counts where they are not', () => {
    const held = withBusy(listed(1, [1, 2]), 'lb1', 2);
    expect(told(plan(held, quorum))).toEqual({ num: 1, names: ['lb1-replica1'] });
    const alone = heard(held, { primary: leads, replica1: waits, replica2: streams });
    for (const text of [quorum, preferred]) expect(formatSteps(plan(alone, text))).not.toMatch(/quorum|write-config/);
    // It was struck off, and the other one ends: it is listed again.
    const unlisted = withBusy(listed(1, [1]), 'lb1', 2);
    expect(written(plan(unlisted, quorum))).toBeUndefined();
    const needed = heard(unlisted, { primary: leads, replica1: waits, replica2: streams });
    for (const text of [quorum, preferred]) expect(written(plan(needed, text))).toEqual({ num: 1, listed: [1, 2] });
    // Nobody has listened to it: what its leader says of it counts.
    const senders = { 'lb1-replica2': { state: 'streaming', lsn: 1000 } };
    const unheard = heard(held, { primary: { ...leads, senders }, replica1: waits });
    for (const text of [quorum, preferred]) expect(formatSteps(plan(unheard, text))).not.toMatch(/quorum|write-config/);
  });

  it('one that goes is waited for no more, and struck off when those that stay have all that it may have acknowledged', () => {
    const gone = heard(listed(1, [1, 2]), { primary: leads, replica1: streams });
    const made = plan(gone, quorum);
    expect(told(made)).toEqual({ num: 1, names: ['lb1-replica1'] });
    expect(formatSteps(made)).toContain(
      lines(`
        group/lb1: await-caught-up <- node/lb1-primary: reload
        group/lb1: write-quorum <- group/lb1: await-caught-up
      `),
    );
    expect(find(made, 'group/lb1: await-caught-up', 'await-caught-up')).toMatchObject({
      num: 1,
      names: ['lb1-replica1'],
      meanwhile: { num: 1, names: ['lb1-replica1'] },
    });
    expect(written(made)).toEqual({ num: 1, listed: [1] });
    expect(formatSteps(plan(settled(gone, quorum), quorum))).toContain(
      'group/lb1: await-caught-up\ngroup/lb1: write-quorum <- group/lb1: await-caught-up',
    );
  });

  /** A leader that is listened to and last listed this replica so many milliseconds ago. */
  const last = (name: string, ago: number): Heard => ({
    ...leads,
    at: 10_000,
    streamed: { since: 0, at: new Map([[`lb1-${name}`, 10_000 - ago]]) },
  });
  const at = (snapshot: Snapshot): Snapshot => ({ ...snapshot, silent: new Set(), heardUntil: 10_000 });

  it('one that only connects anew, or has not been heard yet, is not struck off', () => {
    for (const primary of [leads, last('replica2', 2000)]) {
      for (const said of [
        { primary, replica1: streams, replica2: waits },
        { primary, replica1: streams },
      ]) {
        expect(plan(at(heard(listed(1, [1, 2]), said)), quorum).steps).toEqual([]);
      }
    }
  });

  it('it is looked at again when it should be back, and struck off where it is not', () => {
    const away = (ago: number): Plan =>
      plan(
        at(heard(listed(1, [1, 2]), { primary: last('replica2', ago), replica1: streams, replica2: waits })),
        quorum,
      );
    expect(away(2000)).toMatchObject({ steps: [], recheck: 1000 });
    expect(told(away(3000))).toEqual({ num: 1, names: ['lb1-replica1'] });
  });

  it('one that says it streams and is not listed by its leader is not waited for', () => {
    const primary = { ...leads, senders: { 'lb1-replica1': { state: 'streaming', lsn: 1000 } } };
    expect(told(plan(heard(listed(1, []), { ...all, primary }), quorum))).toEqual({ num: 1, names: ['lb1-replica1'] });
  });

  it('a leader that was to be stopped and was not has its list kept as any other', () => {
    const mark: Change = (node) => withFacts(node, { serves: 'released' });
    const gone = on(heard(listed(1, [1, 2]), { primary: leads, replica1: streams }), 0, mark);
    expect(told(plan(gone, quorum))).toEqual({ num: 1, names: ['lb1-replica1'] });
  });

  it('one that is on another timeline than the leader is not listed, though it streams', () => {
    const said = { primary: { ...leads, timeline: 2 }, replica1: { ...streams, timeline: 2 }, replica2: streams };
    expect(written(plan(listed(1, [], quorum, said), quorum))).toEqual({ num: 1, listed: [1] });
  });

  it('nobody knows better while the leader says nothing: it all stays what it is', () => {
    const others = { replica1: streams, replica2: streams };
    expect(plan(heard(listed(1, [1, 2]), others), quorum).steps).toEqual([]);
  });

  it('with more to wait for, the leader waits for more first, and the record says so when all have everything', () => {
    const before = listed(1, [1, 2]);
    const made = plan(before, two);
    expect(told(made)).toEqual({ num: 2, names: ['lb1-replica1', 'lb1-replica2'] });
    expect(formatSteps(made)).toContain(
      lines(`
        group/lb1: await-caught-up <- node/lb1-primary: reload
        group/lb1: write-quorum <- group/lb1: await-caught-up
      `),
    );
    expect(find(made, 'group/lb1: await-caught-up', 'await-caught-up').num).toBe(2);
    expect(written(made)).toEqual({ num: 2, listed: [1, 2] });
  });

  it('with fewer to wait for, the record says so first', () => {
    const before = listed(2, [1, 2], two);
    const first = plan(before, quorum);
    expect(formatSteps(first)).toBe(
      lines(`
        group/lb1: write-quorum
        group/lb1: write-commits
        group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits
      `),
    );
    expect(written(first)).toEqual({ num: 1, listed: [1, 2] });
    const second = plan(nowListed(before, 1, [1, 2]), quorum);
    expect(told(second)).toEqual({ num: 1, names: ['lb1-replica1', 'lb1-replica2'] });
    expect(written(second)).toBeUndefined();
  });

  it('without a quorum in the file any more, the list is forgotten before the leader waits for nobody', () => {
    const before = listed(1, [1, 2]);
    const first = plan(before, file);
    expect(formatSteps(first)).toContain(
      lines(`
        group/lb1: write-quorum
        group/lb1: write-commits
        group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits
      `),
    );
    expect(written(first)).toBe('none');
    expect(find(first, 'group/lb1: write-commits', 'write-config').role).toMatchObject({ commits: undefined });
  });

  it('with a quorum in the file for the first time, those that stream are waited for, and listed when any have everything', () => {
    const before = settled(heard(ledBy(0), all), file);
    const made = plan(before, quorum);
    expect(formatSteps(made)).toContain(
      lines(`
        group/lb1: await-caught-up <- node/lb1-primary: reload
        group/lb1: write-quorum <- group/lb1: await-caught-up
      `),
    );
    expect(find(made, 'group/lb1: await-caught-up', 'await-caught-up').num).toBe(1);
    expect(written(made)).toEqual({ num: 1, listed: [1, 2] });
    // Nobody is promoted by a list that is not there, and commits need not wait for it.
    expect(told(made)).toEqual({ num: 1, names: ['lb1-replica1', 'lb1-replica2'] });
  });

  const alone = (text: string): Snapshot =>
    heard(on(on(listed(1, [1, 2], text), 1, ended), 2, ended), { primary: leads });

  it('commits wait where too few are left', () => {
    const made = plan(alone(quorum), quorum);
    expect([told(made), written(made)]).toEqual([undefined, undefined]);
  });

  it('where the file prefers to go on, the list is emptied first: then nobody is promoted without a human', () => {
    const first = plan(alone(preferred), preferred);
    expect(written(first)).toEqual({ num: 0, listed: [] });
    expect(told(first)).toBeUndefined();
    const local = find(first, 'group/lb1: write-commits', 'write-config').role;
    expect(local).toMatchObject({ commits: 'local' });
    expect(formatSteps(first)).toContain(
      'group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits',
    );
    const second = plan(nowListed(alone(preferred), 0, []), preferred);
    expect(written(second)).toBeUndefined();
    expect(told(second)).toBe('local');
    // A controller that has just begun, and has heard nobody, leaves it so.
    expect(told(plan(heard(nowListed(alone(preferred), 0, []), {}), preferred))).toBe('local');
  });

  it('also where a replica runs and does not stream, unless it did a moment ago', () => {
    const one = on(listed(1, [1, 2], preferred), 2, ended);
    const away = (ago: number): Plan =>
      plan(at(heard(one, { primary: last('replica1', ago), replica1: waits })), preferred);
    expect(away(2000)).toMatchObject({ recheck: 1000 });
    expect([told(away(2000)), written(away(2000))]).toEqual([undefined, undefined]);
    expect(written(away(3000))).toEqual({ num: 0, listed: [] });
    const cloning = on(one, 1, (node) => withFacts(node, { state: { is: 'cloning' } }));
    expect(written(plan(at(heard(cloning, { primary: last('replica1', 0) })), preferred))).toEqual({
      num: 0,
      listed: [],
    });
    expect(written(plan(heard(one, { primary: leads }), preferred))).toEqual({ num: 0, listed: [] });
  });

  it('and when they come back, they are listed when they have everything, and then waited for', () => {
    const degraded = settled(nowListed(alone(preferred), 0, []), preferred);
    const running: Change = (node) => withContainer(node, { state: 'running' });
    const back = heard(on(on(degraded, 1, running), 2, running), all);
    const first = plan(back, preferred);
    expect(told(first)).toEqual({ num: 1, names: ['lb1-replica1', 'lb1-replica2'] });
    // What is acknowledged while they catch up, they have.
    expect(formatSteps(first)).toContain(
      lines(`
        group/lb1: await-caught-up <- node/lb1-primary: reload
        group/lb1: write-quorum <- group/lb1: await-caught-up
      `),
    );
    expect(written(first)).toEqual({ num: 1, listed: [1, 2] });
    const settledBack = settled(nowListed(back, 1, [1, 2]), preferred);
    expect(plan(settledBack, preferred).steps).toEqual([]);
  });

  it('one that the file no longer has is waited for no more, struck off when the others have all, and then goes', () => {
    const text = quorum.replace('replicas: 2', 'replicas: 1');
    const first = plan(listed(1, [1, 2]), text);
    expect(told(first)).toEqual({ num: 1, names: ['lb1-replica1'] });
    expect(written(first)).toEqual({ num: 1, listed: [1] });
    expect(formatSteps(first)).not.toContain('remove-container');
    expect(formatSteps(plan(nowListed(listed(1, [1, 2]), 1, [1]), text))).toContain(
      'node/lb1-replica2: remove-container',
    );
    // Whatever else took it away.
    const gone = changeNode(listed(1, [1, 2]), 'lb1', 2, () => undefined);
    const left = recorded(
      { ...gone, volumes: gone.volumes.filter(({ slot }) => slot !== 2) },
      {
        version: 4,
        members: [0, 1],
        sync: { num: 1, listed: [1, 2] },
      },
    );
    const second = plan(settled(left, text), text);
    expect(formatSteps(second)).toContain('group/lb1: write-quorum <- group/lb1: await-caught-up');
    expect(written(second)).toEqual({ num: 1, listed: [1] });
  });
});

describe('with a promotion in quorum mode, those that have exactly what the new leader has are listed at once', () => {
  const three = quorum.replace('replicas: 2', 'replicas: 3');
  const two = three.replace('mode: quorum', 'mode: quorum, sync_replicas: 2');
  const chain = /await-caught-up|write-quorum|write-commits|load-commits/;

  /** Replicas have come this far; the first one leads next, as the least slot of those that have most. */
  const promotion = (text: string, replicas: readonly Change[], record: Recorded = {}): Plan => {
    const members = [0, ...replicas.map((_, index) => index + 1)];
    const out = on(
      ledBy(0, text, { members, sync: { num: 1, listed: [1, 2] }, ...record }),
      0,
      ...fenced(record.handover?.kind === 'failover-lossy' ? 'forced' : 'ended'),
    );
    return plan(
      replicas.reduce((seen, change, index) => on(seen, index + 1, change), out),
      text,
    );
  };

  /** What the record says of the list, and whom the new leader waits for from its first write on. */
  const begins = (made: Plan): unknown => {
    const { leader, known, targets } = find(made, 'group/lb1: write-leader', 'write-record');
    const role = targets[0]?.config?.role;
    return { leader, listed: known.sync, waitsFor: role?.is === 'lead' ? role.commits : 'nothing is said' };
  };

  const onTimeline =
    (timeline: number, lsn: number): Change =>
    (node) =>
      withFacts(node, {
        detached: { timeline, lsn, shut: false },
      });

  it.each<readonly [string, number, string]>([
    ['and the new leader waits for them from the start: nothing is to be released', 1, three],
    ['as many of them as commits wait for are enough', 2, two],
  ])('%s', (_, num, text) => {
    const made = promotion(text, [detached(1000), detached(1000), detached(1000)]);
    expect(begins(made)).toEqual({
      leader: 1,
      listed: { num, listed: [2, 3] },
      waitsFor: { num, names: ['lb1-replica2', 'lb1-replica3'] },
    });
    expect(formatSteps(made)).not.toMatch(chain);
  });

  it('the others get a record that lists them before they follow', () => {
    const made = promotion(three, [detached(1000), detached(1000), detached(1000)]);
    const { known, leader, targets } = find(made, 'group/lb1: write-leader', 'write-record');
    expect({ known, leader }).toMatchObject({ known: { sync: { num: 1, listed: [2, 3] } }, leader: 1 });
    for (const name of ['lb1-replica2', 'lb1-replica3']) {
      const target = targets.find(({ container }) => container === `id-shop-${name}`);
      expect(target?.config?.role.is).toBe('follow');
      expect([...waitsOf(made, `node/${name}: reload`)]).toContain('group/lb1: write-leader');
    }
  });

  it('one that is behind is not listed while enough are equal: it may lack what was acknowledged', () => {
    const made = promotion(three, [detached(1000), detached(1000), detached(999)]);
    expect(begins(made)).toEqual({
      leader: 1,
      listed: { num: 1, listed: [2] },
      waitsFor: { num: 1, names: ['lb1-replica2'] },
    });
    expect(formatSteps(made)).not.toMatch(chain);
  });

  it('where too few are equal nobody is listed, and commits are held until enough have all that the new leader has', () => {
    const made = promotion(two, [detached(1000), detached(1000), detached(999)], {
      sync: { num: 2, listed: [1, 2, 3] },
    });
    expect(begins(made)).toEqual({
      leader: 1,
      listed: { num: 2, listed: [] },
      waitsFor: { num: 2, names: [] },
    });
    expect(find(made, 'group/lb1: await-caught-up', 'await-caught-up').names).toEqual(['lb1-replica2', 'lb1-replica3']);
    expect(find(made, 'group/lb1: write-quorum', 'write-record').known.sync).toEqual({ num: 2, listed: [2, 3] });
    expect(formatSteps(made)).toContain('group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits');
  });

  it('one on another timeline is never listed, wherever it is there', () => {
    for (const other of [onTimeline(1, 1000), onTimeline(1, 900), onTimeline(1, 2000)]) {
      const made = promotion(three, [onTimeline(2, 1000), other, onTimeline(2, 1000)]);
      expect(begins(made)).toMatchObject({ leader: 1, listed: { num: 1, listed: [3] } });
      const alone = promotion(quorum, [onTimeline(2, 1000), other]);
      expect(begins(alone)).toMatchObject({ leader: 1, listed: { listed: [] }, waitsFor: { names: [] } });
      expect(formatSteps(alone)).not.toMatch(chain);
    }
  });

  it('one that is ahead is never listed, where a human has another one lead all the same', () => {
    const handover = { kind: 'failover-lossy', to: 1 } as const;
    for (const other of [detached(1001), onTimeline(2, 1000), onTimeline(2, 900)]) {
      const made = promotion(three, [detached(1000), other, detached(1000)], { handover });
      expect(begins(made)).toMatchObject({ leader: 1, listed: { num: 1, listed: [3] } });
      const alone = promotion(quorum, [detached(1000), other], { handover });
      expect(begins(alone)).toMatchObject({ leader: 1, listed: { listed: [] }, waitsFor: { names: [] } });
      expect(formatSteps(alone)).not.toMatch(chain);
    }
  });

  it('nor is one that has ended since it said how far it had come', () => {
    const gone: Change = (node) => ended(detached(1000)(node));
    const made = promotion(three, [detached(1000), detached(1000), gone]);
    expect(begins(made)).toMatchObject({ leader: 1, listed: { num: 1, listed: [2] } });
  });

  it('without a quorum in the file nobody is listed, and nobody waited for', () => {
    const made = promotion(file, [detached(1000), detached(1000)], { sync: undefined });
    expect(begins(made)).toEqual({ leader: 1, listed: undefined, waitsFor: undefined });
    expect(formatSteps(made)).not.toMatch(chain);
  });
});

describe('after a promotion with a quorum where too few are equal', () => {
  const promotion = (change: (snapshot: Snapshot) => Snapshot = (each) => each, text = quorum): Plan =>
    plan(change(heirs(text, { sync: { num: 1, listed: [1, 2] } })), text);

  it('commits wait until those follow that were seen not to be ahead, and have all that the new leader has', () => {
    const made = promotion();
    expect(formatSteps(made)).toContain(
      lines(`
        group/lb1: await-caught-up <- node/lb1-replica2: promote
        group/lb1: write-quorum <- group/lb1: await-caught-up
        group/lb1: write-commits <- group/lb1: write-leader
        group/lb1: load-commits <- group/lb1: write-quorum, group/lb1: write-commits
      `),
    );
    expect(find(made, 'group/lb1: write-leader', 'write-record').targets).toMatchObject([
      { container: 'id-shop-lb1-replica2', config: { role: { is: 'lead', commits: { num: 1, names: [] } } } },
      { container: 'id-shop-lb1-replica1', config: { role: { is: 'follow' } } },
    ]);
    expect(find(made, 'group/lb1: write-commits', 'write-config').role).toMatchObject({
      is: 'lead',
      commits: { num: 1, names: ['lb1-replica1'] },
    });
  });

  it('what releases them is written meanwhile, and not in force before the record lists whom they wait for', () => {
    const made = promotion();
    const commits = find(made, 'group/lb1: write-commits', 'write-config');
    // A server that starts anew must not go by it either.
    expect(commits.atStart).toBe(false);
    const revision = nodeRevision({ ...commits.settings, role: commits.role }, commits.node.layout).name;
    expect(find(made, 'group/lb1: load-commits', 'reload').revision).toBe(revision);
    expect(find(made, 'node/lb1-replica2: promote', 'promote').revision).not.toBe(revision);
  });

  it('who does not come is waited for no longer than a moment: then it is looked at anew who is left', () => {
    expect(find(promotion(), 'group/lb1: await-caught-up', 'await-caught-up')).toMatchObject({
      names: ['lb1-replica1'],
      seconds: 15,
    });
  });

  it('the list is empty from the record on that names the new leader, until then', () => {
    const made = promotion();
    const leaderRecord = find(made, 'group/lb1: write-leader', 'write-record');
    expect(leaderRecord.known).toMatchObject({ sync: { num: 1, listed: [] } });
    const quorumRecord = find(made, 'group/lb1: write-quorum', 'write-record');
    expect(quorumRecord.known).toMatchObject({ sync: { num: 1, listed: [1] } });
    expect(quorumRecord.leader).toBe(2);
    expect(quorumRecord.source.record.version).toBe(leaderRecord.source.record.version + 1);
  });

  it('they go on waiting where too few are left', () => {
    const text = quorum.replace('mode: quorum', 'mode: quorum, sync_replicas: 2');
    expect(formatSteps(promotion(undefined, text))).not.toContain('load-commits');
  });

  it('one that was ahead, or on another timeline, is not among them', () => {
    const other: Change = (node) => withFacts(node, { detached: { timeline: 1, lsn: 900, shut: false } });
    const later: Change = (node) => withFacts(node, { detached: { timeline: 2, lsn: 1000, shut: false } });
    const made = promotion((snapshot) => on(on(snapshot, 1, other), 2, later));
    expect(find(made, 'group/lb1: write-leader', 'write-record').leader).toBe(2);
    expect(formatSteps(made)).not.toContain('load-commits');
  });
});
