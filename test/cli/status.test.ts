import { describe, expect, it } from 'vitest';
import { painter } from '../../src/cli/output.ts';
import { findNextSteps } from '../../src/cli/render/next-steps.ts';
import { renderStatus, type FullStatus } from '../../src/cli/render/status.ts';
import type { BalancerStatus, NodeStatus } from '../../src/reconcile/status-model.ts';

const now = Date.parse('2026-11-23T12:00:00Z');

const balancer: BalancerStatus = {
  name: 'lb1',
  state: 'running',
  health: 'Healthy',
  ip: '172.24.1.10',
  port: 19999,
  started_at: '2026-11-23T11:55:00.000Z',
  restarts: 0,
  message: null,
};

const primary: NodeStatus = {
  name: 'lb1-primary',
  role: 'leader',
  state: 'running',
  health: 'Healthy',
  replication: null,
  timeline: 1,
  ip: '172.24.1.20',
  port: null,
  volume: 'shop_lb1_0_1',
  started_at: '2026-11-23T08:48:00.000Z',
  restarts: 0,
  message: null,
};

const replica: NodeStatus = {
  ...primary,
  name: 'lb1-replica1',
  role: 'replica',
  replication: { state: 'streaming', lag_bytes: 12_288 },
  ip: '172.24.1.21',
};

const gone = { state: 'missing', health: 'Degraded', started_at: null, timeline: null, ip: null } as const;

function statusOf(nodes: readonly NodeStatus[] = [primary, replica], changes: Partial<FullStatus> = {}): FullStatus {
  return {
    name: 'shop',
    file: 'shop.yaml',
    sync: 'InSync',
    health: 'Healthy',
    conditions: [],
    blocked: [],
    groups: [{ name: 'lb1', leader: 'lb1-primary', commits: null, nodes, balancer }],
    leftovers: [],
    daemon: null,
    events: [],
    ...changes,
  };
}

function draw(status: FullStatus, width?: number): readonly string[] {
  const next = findNextSteps(status, ['shop.yaml']);
  return renderStatus(status, { paint: painter(false), width, now, next }).split('\n');
}

function commandsFor(status: FullStatus, paths: readonly string[] = ['shop.yaml']): readonly string[] {
  return findNextSteps(status, paths).map(({ command }) => command);
}

describe('a cluster that is well', () => {
  it('is a table, and nothing else', () => {
    expect(draw(statusOf())).toEqual([
      'shop: Healthy, InSync',
      '  NODE          ROLE      STATE    HEALTH   TL  REPLICATION  LAG    ADDRESS      PORT   UPTIME',
      '  lb1           balancer  running  Healthy                          172.24.1.10  19999  5m',
      '  lb1-primary   leader    running  Healthy  1                       172.24.1.20         3h12m',
      '  lb1-replica1  replica   running  Healthy  1   streaming    12 kB  172.24.1.21         3h12m',
    ]);
  });

  it('keeps names, roles and health on a narrow terminal', () => {
    expect(draw(statusOf(), 40)).toEqual([
      'shop: Healthy, InSync',
      '  NODE          ROLE      HEALTH',
      '  lb1           balancer  Healthy',
      '  lb1-primary   leader    Healthy',
      '  lb1-replica1  replica   Healthy',
    ]);
  });
});

describe('what is amiss', () => {
  it('is said of each node beside it, with how often it was started again', () => {
    const failing = { ...replica, health: 'Degraded', message: 'does not stream', restarts: 3 } as const;
    const row = draw(statusOf([primary, failing])).find((line) => line.includes('lb1-replica1'));
    expect(row).toMatch(/ {2}does not stream; started again 3 times$/);
  });

  it('is not said twice: a note that only names the state is left out', () => {
    const missing = { ...replica, ...gone, message: 'missing' };
    expect(draw(statusOf([primary, missing])).find((line) => line.includes('lb1-replica1'))).not.toMatch(
      /missing.*missing/,
    );
  });

  it('is told with its reason, and what is blocked with its remedy', () => {
    const lines = draw(
      statusOf([primary, replica], {
        sync: 'OutOfSync',
        health: 'Blocked',
        conditions: [
          { type: 'Ready', status: 'False', reason: 'OutOfSync', message: 'node/lb1-replica1' },
          { type: 'Stalled', status: 'True', reason: 'Blocked', message: 'network/shop: overlaps' },
        ],
        blocked: [
          {
            resource: 'network/shop',
            reason: { code: 'subnet-overlap', detail: 'overlaps with bridge' },
            remedy: 'give another subnet',
          },
        ],
      }),
    );
    expect(lines.slice(5)).toEqual([
      '  ! Ready (OutOfSync): node/lb1-replica1',
      '  ! network/shop is blocked: overlaps with bridge [subnet-overlap]',
      '      remedy: give another subnet',
      '  next: `pgherd plan shop.yaml` (what is to be done)',
    ]);
  });
});

describe('what to do next', () => {
  it('is nothing where all is well', () => {
    expect(commandsFor(statusOf())).toEqual([]);
  });

  it('is to bring it up where nothing of it runs', () => {
    const status = statusOf([{ ...primary, ...gone }], { sync: 'OutOfSync' });
    const down = {
      ...status,
      groups: status.groups.map((group) => ({ ...group, balancer: { ...balancer, ...gone } })),
    };
    expect(commandsFor(down)).toEqual(['pgherd reconcile --once shop.yaml']);
  });

  it('is to see the plan, and to have it done', () => {
    const status = statusOf([primary, { ...replica, ...gone }], { sync: 'OutOfSync' });
    expect(commandsFor(status)).toEqual(['pgherd plan shop.yaml', 'pgherd reconcile --once shop.yaml']);
  });

  it('is to see what the daemon does, where there is one', () => {
    const daemon = { pid: 7 } as FullStatus['daemon'];
    expect(commandsFor(statusOf([primary], { sync: 'OutOfSync', daemon }))).toEqual(['pgherd events --follow shop']);
  });

  it('is nothing but the end of the pause, which the remedy says, where it is paused', () => {
    const blocked = [
      { resource: 'cluster/shop', reason: { code: 'paused', detail: 'it is paused' }, remedy: 'resume' },
    ] as const;
    expect(commandsFor(statusOf([primary, { ...replica, ...gone }], { sync: 'OutOfSync', blocked }))).toEqual([]);
  });

  it('is to read what a server says that runs and is not well', () => {
    expect(commandsFor(statusOf([primary, { ...replica, health: 'Degraded' }]))).toEqual([
      'pgherd logs --tail 20 lb1-replica1',
    ]);
  });

  it('is to remove what is kept and not needed, once all is as the file says', () => {
    const leftovers = ['shop_lb1_1_1'];
    expect(commandsFor(statusOf(undefined, { leftovers }))).toEqual(['pgherd prune shop_lb1_1_1']);
    expect(commandsFor(statusOf(undefined, { leftovers, sync: 'OutOfSync' }))).not.toContain(
      'pgherd prune shop_lb1_1_1',
    );
  });

  it('names the file only where the user did, quoted as a shell needs it', () => {
    const status = statusOf([primary, { ...replica, ...gone }], { sync: 'OutOfSync', file: "my shop's.yaml" });
    expect(commandsFor(status, [])).toContain('pgherd plan');
    expect(commandsFor(status, ["my shop's.yaml"])).toContain("pgherd plan 'my shop'\\''s.yaml'");
  });
});
