import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import {
  changedConditions,
  deriveConditions,
  notAsked,
  type Condition,
  type Facts,
} from '../../src/daemon/conditions.ts';
import type { ClusterSource } from '../../src/daemon/topology-state.ts';
import type { Container } from '../../src/docker/types.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import type { Result } from '../../src/reconcile/work.ts';
import { changeBalancer, changeNode, convergedSnapshot, topologyOf, withContainer } from '../reconcile/support.ts';
import type { Diagnostic } from '../../src/topology/load.ts';

const topology = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1, replicas: 2 }]');
const converged = convergedSnapshot(topology);

const source: ClusterSource = {
  cluster: 'shop',
  file: 'shop.yaml',
  topology,
  generation: 3,
  valid: true,
  diagnostics: [],
};

const leads: Heard = {
  recovery: false,
  timeline: 1,
  lsn: 5000,
  receiver: null,
  slots: { pgherd_1: 'reserved', pgherd_2: 'reserved' },
  oldest: null,
  at: 0,
  isStill: false,
};
const streams: Heard = { ...leads, recovery: true, receiver: 'streaming', slots: {} };

const well = { primary: leads, replica1: streams, replica2: streams };

function heard(servers: Readonly<Record<string, Heard>>): Facts['reports'] {
  return new Map(Object.entries(servers).map(([name, report]) => [`id-shop-lb1-${name}`, report]));
}

const done: Result = {
  cluster: 'shop',
  converged: true,
  done: 0,
  blocked: [],
  failures: [],
  held: [],
  stopped: undefined,
};

/** A cluster that is as its file says. */
const ready: Facts = {
  source,
  engineDown: undefined,
  standby: undefined,
  isWorking: false,
  snapshot: converged,
  reports: heard(well),
  isAwaited: () => false,
  result: done,
  failure: undefined,
};

/** What a daemon knows when it begins. */
const unknown: Facts = {
  ...ready,
  engineDown: notAsked,
  snapshot: undefined,
  reports: new Map(),
  result: undefined,
};

const noon = new Date('2026-01-01T12:00:00.000Z');
const later = new Date('2026-01-01T12:05:00.000Z');

/** A condition as `Type Status Reason: message`. */
function show({ type, status, reason, message }: Condition): string {
  return `${type} ${status} ${reason}${message === '' ? '' : `: ${message}`}`;
}

function conditionsOf(facts: Partial<Facts>): readonly string[] {
  return deriveConditions({ ...ready, ...facts }, [], noon).map(show);
}

function conditionOf(type: string, facts: Partial<Facts>): string {
  return conditionsOf(facts).find((line) => line.startsWith(`${type} `)) ?? 'none';
}

const replica1 = (change: Partial<Container>): Snapshot =>
  changeNode(converged, 'lb1', 1, (node) => withContainer(node, change));
const primary = (change: Partial<Container>): Snapshot =>
  changeNode(converged, 'lb1', 0, (node) => withContainer(node, change));
const balancer = (change: Partial<Container>): Snapshot =>
  changeBalancer(converged, 'lb1', (each) => ({ ...each, container: { ...each.container, ...change } }));

describe('the conditions', () => {
  it('of a cluster that is as its file says', () => {
    expect(conditionsOf({})).toEqual([
      'Ready True AsTheFileSays',
      'Reconciling False Idle',
      'Stalled False Nothing',
      'TopologyValid True Loaded',
      'EngineReachable True Answers',
      'LeaderAvailable True AsExpected',
      'ReplicasReady True AsExpected',
      'BalancerReady True AsExpected',
    ]);
  });

  it('are unknown before the engine was asked, but for what the file says', () => {
    expect(conditionsOf(unknown)).toEqual([
      'Ready Unknown EngineReachable: EngineReachable, LeaderAvailable, ReplicasReady, BalancerReady',
      'Reconciling False Idle',
      'Stalled False Nothing',
      'TopologyValid True Loaded',
      'EngineReachable Unknown NoAnswer: not asked yet',
      'LeaderAvailable Unknown NotLookedYet',
      'ReplicasReady Unknown NotLookedYet',
      'BalancerReady Unknown NotLookedYet',
    ]);
  });

  it('are unknown before the first look at an engine that answers', () => {
    const unlooked = conditionsOf({ ...unknown, engineDown: undefined });
    expect(unlooked.filter((line) => line.includes('Unknown'))).toEqual([
      'Ready Unknown LeaderAvailable: LeaderAvailable, ReplicasReady, BalancerReady',
      'LeaderAvailable Unknown NotLookedYet',
      'ReplicasReady Unknown NotLookedYet',
      'BalancerReady Unknown NotLookedYet',
    ]);
  });
});

describe('Ready', () => {
  it.each<readonly [string, Partial<Facts>, string]>([
    ['before a run has converged', { result: undefined }, 'Ready False NotConverged'],
    ['after one that has not', { result: { ...done, converged: false } }, 'Ready False NotConverged'],
    ['while one is under way', { result: undefined, isWorking: true }, 'Ready False Working'],
    ['without the engine', { engineDown: 'gone' }, 'Ready False EngineReachable: EngineReachable'],
    [
      'without a server',
      { snapshot: replica1({ state: 'exited' }), reports: heard({ primary: leads, replica2: streams }) },
      'Ready False ReplicasReady: ReplicasReady',
    ],
    ['with a file that is broken now, which changes nothing', { source: { ...source, valid: false } }, 'Ready True'],
  ])('%s', (_, facts, expected) => expect(conditionOf('Ready', facts)).toMatch(new RegExp(`^${expected}`)));
});

describe('Reconciling', () => {
  it.each<readonly [string, Partial<Facts>, string]>([
    ['while steps are done', { isWorking: true }, 'Reconciling True Working'],
    ['otherwise', {}, 'Reconciling False Idle'],
    ['while another keeps it', { standby: 'root@b' }, 'Reconciling False Standby: it is kept by root@b'],
  ])('%s', (_, facts, expected) => expect(conditionOf('Reconciling', facts)).toBe(expected));
});

describe('a turn that failed before it had a result', () => {
  it('shows as Reconciling where it is tried again, and as Stalled where a human is needed', () => {
    const again = new PgherdError('engine-timeout', 'inspect container lb1: no answer in time', { retry: true });
    expect(conditionOf('Reconciling', { failure: again })).toBe(`Reconciling True Retrying: ${again.message}`);
    expect(conditionOf('Stalled', { failure: again })).toBe('Stalled False Nothing');
    const forGood = new PgherdError('secret-missing', 'the variable PASSWORD is not set', { remedy: 'set it' });
    expect(conditionOf('Stalled', { failure: forGood })).toBe(
      `Stalled True secret-missing: ${forGood.message} (set it)`,
    );
  });
});

describe('Stalled', () => {
  const blocked: Result['blocked'][number] = {
    resource: 'group/lb1',
    reason: { code: 'leader-data-gone', detail: 'its data volume is gone' },
    remedy: 'put it back',
  };
  const waiting: Result['blocked'][number] = {
    resource: 'group/lb1',
    reason: { code: 'change-waits', detail: 'it waits' },
    remedy: 'mend it',
  };
  const failure: Result['failures'][number] = {
    resource: 'node/lb1-replica1',
    error: new PgherdError('image-missing', 'no image', { remedy: 'build it' }),
  };
  const held: Result['held'][number] = { resource: 'node/lb1-replica2', message: 'it ended' };

  it.each<readonly [string, Partial<Result>, string]>([
    [
      'by what only a human can decide, with what to do',
      { blocked: [blocked] },
      'leader-data-gone: group/lb1: its data volume is gone (put it back)',
    ],
    ['by what failed', { failures: [failure] }, 'image-missing: node/lb1-replica1: no image (build it)'],
    [
      'by what waits for something else, after what that is',
      { blocked: [waiting], held: [held] },
      'restart-held: node/lb1-replica2: it ended; group/lb1: it waits (mend it)',
    ],
    ['by what is not restarted for now', { held: [held] }, 'restart-held: node/lb1-replica2: it ended'],
    [
      'by all of them: the reason is that of the first',
      { blocked: [blocked], failures: [failure], held: [held] },
      'leader-data-gone: group/lb1: its data volume is gone (put it back); node/lb1-replica2: it ended; node/lb1-replica1: no image (build it)',
    ],
  ])('%s', (_, result, expected) =>
    expect(conditionOf('Stalled', { result: { ...done, converged: false, ...result } })).toBe(
      `Stalled True ${expected}`,
    ),
  );
});

describe('TopologyValid', () => {
  it('tells why the file is not used', () => {
    const place = { file: 'shop.yaml', line: 2, column: 4, path: 'balancers' };
    const diagnostics: readonly Diagnostic[] = [
      { ...place, code: 'missing', message: 'is required', severity: 'error' },
    ];
    expect(conditionOf('TopologyValid', { source: { ...source, valid: false, diagnostics } })).toMatch(
      /^TopologyValid False missing: the last good topology is kept: .*shop\.yaml.*is required/,
    );
  });
});

describe('EngineReachable', () => {
  it.each<readonly [string, Partial<Facts>, string]>([
    ['tells why it is not', { engineDown: 'connection refused' }, 'False NoAnswer: connection refused'],
    ['is unknown before it is asked', unknown, 'Unknown NoAnswer: not asked yet'],
    ['is so when it answers', {}, 'True Answers'],
  ])('%s', (_, facts, expected) => expect(conditionOf('EngineReachable', facts)).toBe(`EngineReachable ${expected}`));
});

describe('LeaderAvailable', () => {
  it.each<readonly [string, Partial<Facts>, string]>([
    ['it does not answer', { reports: heard({ replica1: streams, replica2: streams }) }, 'lb1-primary does not answer'],
    ['it has ended', { snapshot: primary({ state: 'exited' }), reports: new Map() }, 'lb1-primary is exited'],
    ['it is in recovery', { reports: heard({ ...well, primary: streams }) }, 'lb1-primary is in recovery'],
    [
      'its container is gone',
      {
        snapshot: changeNode(converged, 'lb1', 0, () => undefined),
        reports: heard({ replica1: streams, replica2: streams }),
      },
      'lb1-primary is missing',
    ],
    [
      'its volume is gone too',
      {
        snapshot: changeNode(
          { ...converged, volumes: converged.volumes.filter(({ slot }) => slot !== 0) },
          'lb1',
          0,
          () => undefined,
        ),
      },
      'lb1 has none',
    ],
    ['nobody leads yet', { snapshot: { ...converged, nodes: [], volumes: [], balancers: [] } }, 'lb1 has none'],
  ])('is not so where %s', (_, facts, expected) => {
    expect(conditionOf('LeaderAvailable', facts)).toBe(`LeaderAvailable False NoLeader: ${expected}`);
  });
});

describe('ReplicasReady', () => {
  it('is not known while one that was just found has said nothing yet', () => {
    const facts: Partial<Facts> = {
      reports: heard({ primary: leads, replica2: streams }),
      isAwaited: (container) => container === 'id-shop-lb1-replica1',
    };
    expect(conditionOf('ReplicasReady', facts)).toBe('ReplicasReady Unknown NotHeardYet');
    expect(conditionOf('Ready', facts)).toBe('Ready Unknown ReplicasReady: ReplicasReady');
    const streamless = { ...facts, reports: heard({ primary: leads, replica2: { ...streams, receiver: null } }) };
    expect(conditionOf('ReplicasReady', streamless)).toBe(
      'ReplicasReady False NotStreaming: lb1-replica2 does not stream',
    );
  });

  it('is not asked of one that a run has just promoted, until it is looked at again', () => {
    const promoted = { isWorking: true, reports: heard({ ...well, replica2: { ...leads, at: 1 } }) };
    expect(conditionOf('ReplicasReady', promoted)).toBe('ReplicasReady True AsExpected');
    const seen = { ...promoted, snapshot: { ...converged, reports: promoted.reports } };
    expect(conditionOf('ReplicasReady', seen)).toContain('lb1-replica2 takes writes, and does not lead');
  });

  it.each<readonly [string, Partial<Facts>, string]>([
    ['one does not answer', { reports: heard({ primary: leads, replica2: streams }) }, 'lb1-replica1 does not answer'],
    [
      'one has ended',
      { snapshot: replica1({ state: 'exited' }), reports: heard({ primary: leads, replica2: streams }) },
      'lb1-replica1 is exited',
    ],
    [
      'one is gone',
      {
        snapshot: changeNode(converged, 'lb1', 1, () => undefined),
        reports: heard({ primary: leads, replica2: streams }),
      },
      'lb1-replica1 is missing',
    ],
    [
      'one does not stream, and one leads as well',
      { reports: heard({ ...well, replica1: { ...streams, receiver: null }, replica2: leads }) },
      'lb1-replica1 does not stream; lb1-replica2 takes writes, and does not lead',
    ],
  ])('is not so where %s', (_, facts, expected) => {
    expect(conditionOf('ReplicasReady', facts)).toBe(`ReplicasReady False NotStreaming: ${expected}`);
  });

  it('says nothing of a leader, also while the volume of another waits to be read', () => {
    const snapshot = changeNode(converged, 'lb1', 1, () => undefined);
    expect(conditionOf('LeaderAvailable', { snapshot })).toBe('LeaderAvailable True AsExpected');
  });

  it('is so where none is wanted', () => {
    const alone = topologyOf('cluster_name: shop\nbalancers: [{ name: lb1 }]');
    const facts = { source: { ...source, topology: alone }, snapshot: convergedSnapshot(alone) };
    expect(conditionOf('ReplicasReady', facts)).toBe('ReplicasReady True AsExpected');
  });
});

describe('BalancerReady', () => {
  it.each<readonly [string, Snapshot, string]>([
    ['has ended', balancer({ state: 'exited' }), 'False NotAnswering: lb1 is exited'],
    ['is gone', changeBalancer(converged, 'lb1', () => undefined), 'False NotAnswering: lb1 is missing'],
    [
      'is unhealthy',
      balancer({ health: { status: 'unhealthy', output: '' } }),
      'False NotAnswering: lb1 does not answer',
    ],
    ['has just started', balancer({ health: { status: 'starting', output: '' } }), 'True AsExpected'],
  ])('where it %s', (_, snapshot, expected) =>
    expect(conditionOf('BalancerReady', { snapshot })).toBe(`BalancerReady ${expected}`),
  );
});

describe('the time of a condition', () => {
  const before = deriveConditions(ready, [], noon);
  const sinceOf = (conditions: readonly Condition[]): Readonly<Record<string, string>> =>
    Object.fromEntries(conditions.map(({ type, since }) => [type, since]));

  it('is when it is first known', () => {
    expect(new Set(Object.values(sinceOf(before)))).toEqual(new Set([noon.toISOString()]));
  });

  it('stays while the status does, also where the reason changes', () => {
    const working = deriveConditions({ ...ready, standby: 'root@b' }, before, later);
    expect(working.find(({ type }) => type === 'Reconciling')?.reason).toBe('Standby');
    expect(sinceOf(working)).toEqual(sinceOf(before));
  });

  it('is when the status changed', () => {
    const since = sinceOf(deriveConditions({ ...ready, isWorking: true }, before, later));
    expect(since).toEqual({ ...sinceOf(before), Reconciling: later.toISOString() });
  });

  it('is when it became known', () => {
    const began = deriveConditions(unknown, [], noon);
    const since = sinceOf(deriveConditions(ready, began, later));
    const changed = ['Ready', 'EngineReachable', 'LeaderAvailable', 'ReplicasReady', 'BalancerReady'];
    expect(Object.keys(since).filter((type) => since[type] === later.toISOString())).toEqual(changed);
  });
});

describe('the generation of a condition', () => {
  it('is that of the file it was found for', () => {
    const found = deriveConditions({ ...ready, source: { ...source, generation: 7 } }, [], noon);
    expect(new Set(found.map(({ observedGeneration }) => observedGeneration))).toEqual(new Set([7]));
  });
});

describe('what has changed', () => {
  const before = deriveConditions(ready, [], noon);
  const change = (facts: Partial<Facts>): readonly string[] =>
    changedConditions(before, deriveConditions({ ...ready, ...facts }, before, later)).map(show);

  it('is nothing where only time has passed', () => expect(change({})).toEqual([]));
  it('is nothing where only the generation has changed', () =>
    expect(change({ source: { ...source, generation: 4 } })).toEqual([]));
  it('is everything at first', () => expect(changedConditions([], before)).toHaveLength(8));
  it('is a status', () => expect(change({ isWorking: true })).toEqual(['Reconciling True Working']));
  it('is a reason or a message', () =>
    expect(change({ standby: 'root@b' })).toEqual(['Reconciling False Standby: it is kept by root@b']));
  it('is whatever follows from it', () =>
    expect(change({ engineDown: 'gone' })).toEqual([
      'Ready False EngineReachable: EngineReachable',
      'EngineReachable False NoAnswer: gone',
    ]));
});
