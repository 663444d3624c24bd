import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { NewEntry } from '../../src/daemon/journal.ts';
import { keepRecord } from '../../src/daemon/keep-record.ts';
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

describe('nothing is written of', () => {
  const placed = { container: 'c1', layout: { mount: '/m', home: '/m/pgherd', data: '/m/pgdata' } };

  it.each<readonly [string, Progress]>([
    ['a look', { type: 'looking' }],
    ['what it saw', { type: 'looked', looked: { snapshot: convergedSnapshot(topology), plan: nothing } }],
    ['a plan with nothing to do', { type: 'planned', plan: nothing, round: 1 }],
    ['the begin of a step', { type: 'step-started', step: start }],
    ['a step that was left out', ended({ step: start, result: 'skipped' })],
    ['a step that was called off', failed(new PgherdError('interrupted', 'called off'))],
    ['a wait, which changes nothing', done({ do: 'await-node', node: placed, name: 'n', revision: 'r' })],
    ['a pause', { type: 'retrying', milliseconds: 500, error: new PgherdError('reply-lost', 'cut', { retry: true }) }],
  ])('%s', (_, progress) => expect(record(progress)).toEqual([]));
});
