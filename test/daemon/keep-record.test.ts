import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { NewEntry } from '../../src/daemon/journal.ts';
import { keepRecord } from '../../src/daemon/keep-record.ts';
import type { RecordName } from '../../src/postgres/layout.ts';
import type { Outcome } from '../../src/reconcile/execute.ts';
import { step, type Change, type Plan, type Step } from '../../src/reconcile/plan.ts';
import type { Progress } from '../../src/reconcile/work.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import { convergedSnapshot, topologyOf } from '../reconcile/support.ts';

/** What is written of what happens. */
function record(...progress: readonly Progress[]): readonly NewEntry[] {
  const entries: NewEntry[] = [];
  const journal = {
    append: async (entry: NewEntry): Promise<void> => {
      entries.push(entry);
    },
    close: () => Promise.resolve(),
  };
  const tell = keepRecord(journal, { cluster: 'shop', run: 'abcd', by: 'reconcile --once' });
  for (const each of progress) tell(each);
  return entries;
}

const start = step('node/lb1-replica1', { do: 'start', container: 'c1' });
const topology = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1 }]');
const nothing: Plan = planCluster(topology, convergedSnapshot(topology), {});

const change = (resource: string, detail: string, actions: Change['actions'] = ['start']): Change => ({
  resource,
  kind: 'node',
  actions,
  reason: { code: 'stopped', detail },
  fields: [],
});

const ended = (outcome: Outcome): Progress => ({ type: 'step-ended', outcome });
const failed = (error: unknown): Progress => ended({ step: start, result: 'failed', error });
const done = (action: Step['action']): Progress =>
  ended({ step: step('node/lb1-replica1', action), result: 'done', milliseconds: 12.4 });

describe('what a run does is written down', () => {
  it('with the cluster, the run, and who runs it', () => {
    expect(record(done({ do: 'start', container: 'c1' }))).toEqual([
      {
        cluster: 'shop',
        run: 'abcd',
        by: 'reconcile --once',
        type: 'step',
        resource: 'node/lb1-replica1',
        message: 'start',
        milliseconds: 12,
      },
    ]);
  });

  it('with the reasons of its plan', () => {
    const changes = [
      change('node/lb1-replica1', 'its container is exited'),
      change('balancer/lb1', 'it is new', ['delete', 'create']),
    ];
    const plan = { ...nothing, changes, steps: [start] };
    expect(record({ type: 'planned', plan, round: 1 })).toMatchObject([
      {
        type: 'planned',
        message: 'node/lb1-replica1 start: its container is exited; balancer/lb1 delete and create: it is new',
      },
    ]);
  });

  it('with the number of its steps where a plan gives no reason', () => {
    const plan = { ...nothing, changes: [], steps: [start] };
    expect(record({ type: 'planned', plan, round: 1 })).toMatchObject([{ type: 'planned', message: '1 steps' }]);
  });

  it('with who has the lock', () => {
    expect(record({ type: 'waiting-for-lock', holder: 'ann@b' })).toMatchObject([
      { type: 'lock', message: 'waiting: the cluster is being changed by ann@b' },
    ]);
  });

  it('with the code of what failed', () => {
    expect(record(failed(new PgherdError('port-taken', 'the port is in use')))).toMatchObject([
      {
        type: 'step-failed',
        resource: 'node/lb1-replica1',
        reason: 'port-taken',
        message: 'start: the port is in use',
      },
    ]);
  });

  it('with a bug as such', () => {
    expect(record(failed(new TypeError('undefined is not a function')))).toMatchObject([
      { type: 'step-failed', reason: 'bug', message: 'start: undefined is not a function' },
    ]);
  });
});

const placed = { container: 'c1', layout: { mount: '/m', home: '/m/pgherd', data: '/m/pgdata' } };
const voted = {
  group: 'lb1',
  source: { ...placed, record: { epoch: 1, version: 2, leader: 1, members: [0, 1] } },
  voters: [],
  votes: 2,
};

describe('a change of leaders is written down', () => {
  const known = { kind: 'failover', cause: 'lb1-primary, which led, has ended', from: 'lb1-primary' } as const;
  const name: RecordName = { epoch: 1, version: 3, leader: 0, members: [0, 1] };
  type Change = NonNullable<Extract<Step['action'], { do: 'write-record' }>['change']>;

  const took = (milliseconds: number, action: Step['action'], resource = 'node/lb1-replica1'): Progress =>
    ended({ step: step(resource, action), result: 'done', milliseconds });
  const fence = took(
    90.4,
    {
      do: 'fence',
      node: placed,
      image: 'postgres:17',
      name: 'lb1-primary',
      stopSeconds: undefined,
      cause: 'ended',
      superuser: 'postgres',
    },
    'node/lb1-primary',
  );
  const detach = (milliseconds: number, resource?: string): Progress =>
    took(milliseconds, { do: 'detach', node: placed, name: 'shop-lb1-replica1', seconds: 3 }, resource);
  const write = (change?: Partial<Change>): Progress =>
    took(20, {
      do: 'write-record',
      group: 'lb1',
      source: { ...placed, record: name },
      leader: 1,
      members: [0, 1],
      systemIdentifier: '7',
      renewPassword: false,
      known: {},
      targets: [],
      ...(change === undefined
        ? {}
        : { change: { ...known, to: 'lb1-replica1', timeline: 1, lsn: 0x3000148, lostBytes: 0, ...change } }),
    });
  const promote = took(110, {
    do: 'promote',
    node: placed,
    name: 'lb1-replica1',
    revision: 'rev.a.b',
    followers: [0],
    kind: 'switchover',
    fork: { timeline: 1, lsn: 0x3000148 },
    ...voted,
  });
  /** What is written of it beside its steps. */
  const changes = (...progress: readonly Progress[]): readonly NewEntry[] =>
    record(...progress).filter(({ type }) => type !== 'step' && type !== 'step-failed');

  it('when the new leader leads: who, why, from where on, what is lost, and how long each phase took', () => {
    expect(changes(fence, detach(30), write({}), promote)).toMatchObject([
      {
        cluster: 'shop',
        type: 'failover',
        resource: 'node/lb1-replica1',
        message:
          'lb1-replica1 leads instead of lb1-primary: lb1-primary, which led, has ended; ' +
          'from 0/3000148 on timeline 1, 0 bytes of WAL lost that are known of, by its last report; ' +
          'fence 90 ms, detach 30 ms, record 20 ms, promote 110 ms',
        milliseconds: 250,
      },
    ]);
  });

  it('also where a run that was cut short had written it down: from where on', () => {
    expect(changes(fence, promote, promote)).toMatchObject([
      {
        type: 'switchover',
        resource: 'node/lb1-replica1',
        message:
          'lb1-replica1 leads, as a run that was cut short had written down; from 0/3000148 on timeline 1; promote 110 ms',
        milliseconds: 110,
      },
    ]);
  });

  it('as a switchover where it is one', () => {
    const cause = 'a switchover was asked for';
    expect(changes(fence, write({ kind: 'switchover', cause }), promote)).toMatchObject([
      { type: 'switchover', message: expect.stringContaining(`: ${cause};`) as unknown },
    ]);
  });

  it('beside the steps that it is made of', () => {
    expect(record(fence, write({}), promote).map(({ type }) => type)).toEqual(['step', 'step', 'step', 'failover']);
  });

  it.each<readonly [number | null, string]>([
    [0, '0 bytes of WAL lost'],
    [4096, '4096 bytes of WAL lost'],
    [null, 'whether anything is lost, nobody knows'],
  ])('with %s bytes lost', (lostBytes, text) => {
    expect(changes(write({ lostBytes }), promote)[0]?.message).toContain(text);
  });

  it('with positions of 4 GiB and more as PostgreSQL writes them', () => {
    expect(changes(write({ lsn: 0x1f_0a00_0028 }), promote)[0]?.message).toContain('from 1F/A000028 on');
  });

  it('with what the new leader took, and not another one', () => {
    const [entry] = changes(fence, detach(30), detach(800, 'node/lb1-replica2'), write({}), promote);
    expect(entry?.message).toContain('detach 30 ms');
  });

  it('with what this change took, and not the one before', () => {
    const entries = changes(fence, detach(800), write({}), promote, fence, detach(30), write({}), promote);
    expect(entries.map(({ message }) => /detach \d+ ms/.exec(message)?.[0])).toEqual(['detach 800 ms', 'detach 30 ms']);
  });

  it('once, and not where the promotion failed or was left out', () => {
    expect(changes(write({}), promote, promote)).toHaveLength(1);
    const action = {
      do: 'promote',
      node: placed,
      name: 'n',
      revision: 'r',
      followers: [],
      kind: 'failover',
      fork: undefined,
      ...voted,
    } as const;
    const undone = step('node/lb1-replica1', action);
    const error = new PgherdError('node-failed', 'no');
    expect(changes(write({}), ended({ step: undone, result: 'failed', error }))).toEqual([]);
    expect(changes(write({}), ended({ step: undone, result: 'skipped' }))).toEqual([]);
    expect(changes(write({}), ended({ step: undone, result: 'failed', error }), promote)).toHaveLength(1);
  });

  it('and a record that says something else is none', () => {
    expect(changes(fence, write())).toEqual([]);
  });
});

describe('nothing is written of', () => {
  it.each<readonly [string, Progress]>([
    ['a look', { type: 'looking' }],
    ['what it saw', { type: 'looked', looked: { snapshot: convergedSnapshot(topology), plan: nothing } }],
    ['a plan with nothing to do', { type: 'planned', plan: nothing, round: 1 }],
    ['the begin of a step', { type: 'step-started', step: start }],
    ['a step that was left out', ended({ step: start, result: 'skipped' })],
    ['a wait, which changes nothing', done({ do: 'await-node', node: placed, name: 'n', revision: 'r' })],
    ['a pause', { type: 'retrying', milliseconds: 500, error: new PgherdError('reply-lost', 'cut', { retry: true }) }],
  ])('%s', (_, progress) => expect(record(progress)).toEqual([]));
});
