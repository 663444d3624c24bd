import { describe, expect, it } from 'vitest';
import { findComplaints, formatResults, percentile, type RoundResult } from './results.ts';
import { judge, type Attempt, type Verdict } from './verdict.ts';

it('gives the value that a share does not exceed', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([50, 99, 100]);
  expect([0, 0.5, 0.99].map((share) => percentile([7], share))).toEqual([7, 7, 7]);
  expect(percentile([], 0.5)).toBeUndefined();
});

it('has a line for each kind, and one for all', () => {
  const result = (kind: string, writeMs: number, more: Partial<RoundResult> = {}): RoundResult => ({
    kind,
    writeMs,
    readyMs: undefined,
    moved: false,
    lost: 0,
    doubles: 0,
    ...more,
  });
  const table = formatResults([
    result('pause', 1000),
    result('kill', 700, { readyMs: 2500, moved: true }),
    result('kill', 900, { readyMs: 3500, lost: 2, doubles: 1 }),
  ]);
  expect(table.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
    'seconds to count moved write p50 p99 max ready p50 p99 max lost doubles',
    'kill 2 1 0.70 0.90 0.90 2.50 3.50 3.50 2 1',
    'pause 1 0 1.00 1.00 1.00 - - - 0 0',
    'all 3 1 0.90 1.00 1.00 2.50 3.50 3.50 2 1',
    '',
  ]);
});

describe('a run fails', () => {
  const attempt: Attempt = {
    value: 1,
    path: 'balancer',
    isNewSession: false,
    answer: 'done',
    outcome: 'acknowledged',
    begin: 0,
    end: 1,
  };
  const ran = { begin: 0, end: 10 };
  const good = judge({ ran, attempts: [attempt], probes: [], values: new Set([1]) });
  const lossy = judge({ ran, attempts: [attempt], probes: [], values: new Set() });
  const risen = judge({
    ran,
    attempts: [attempt, { ...attempt, outcome: 'failed' }],
    probes: [],
    values: new Set([1]),
  });
  const probe = { way: 'socket', timeline: 1, begin: 0, end: 1 } as const;
  const double = judge({
    ran,
    attempts: [attempt],
    probes: [
      { ...probe, node: 'A' },
      { ...probe, node: 'B' },
    ],
    values: new Set([1]),
  });
  const idle = judge({ ran, attempts: [], probes: [], values: new Set() });

  it.each<[string, Verdict | undefined, string | undefined, number, number]>([
    ['not, where all is well', good, undefined, 0, 0],
    ['where it ended early', good, 'why', 1, 1],
    ['where what was acknowledged is lost, in quorum mode', lossy, undefined, 1, 0],
    ['where there were two primaries', double, undefined, 1, 1],
    ['where the checker contradicts itself', risen, undefined, 1, 1],
    ['where nothing was written', idle, undefined, 1, 1],
    ['where there is nobody to ask at the end', undefined, 'why', 2, 2],
  ])('%s', (_, verdict, failure, quorum, async) => {
    expect(findComplaints({ mode: 'quorum', verdict, failure })).toHaveLength(quorum);
    expect(findComplaints({ mode: 'async', verdict, failure })).toHaveLength(async);
  });
});
