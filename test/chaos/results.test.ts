import { describe, expect, it } from 'vitest';
import { findComplaints, formatResults, percentile, type RoundResult, type RunOutcome } from './results.ts';
import { judge, type Attempt } from './verdict.ts';

it('gives the value that a share does not exceed', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([50, 99, 100]);
  expect([0, 0.5, 0.99].map((share) => percentile([7], share))).toEqual([7, 7, 7]);
  expect(percentile([], 0.5)).toBeUndefined();
});

const result = (kind: string, writeMs: number, more: Partial<RoundResult> = {}): RoundResult => ({
  kind,
  writeMs,
  readyMs: undefined,
  gapMs: writeMs + 100,
  moved: false,
  writes: 40,
  lost: 0,
  inexcusable: 0,
  doubles: 0,
  ...more,
});

it('has a line for each kind, and one for all', () => {
  const table = formatResults([
    result('pause', 1000),
    result('kill', 700, { readyMs: 2500, moved: true }),
    result('kill', 900, { readyMs: 3500, lost: 2, doubles: 1 }),
  ]);
  expect(table).toBe(
    [
      '| fault | count | another led | writes | lost | doubles | write p50 | write max | ready max | longest gap |',
      '| ----- | ----- | ----------- | ------ | ---- | ------- | --------- | --------- | --------- | ----------- |',
      '| kill  | 2     | 1           | 80     | 2    | 1       | 0.70      | 0.90      | 3.50      | 1.00        |',
      '| pause | 1     | 0           | 40     | 0    | 0       | 1.00      | 1.00      | -         | 1.10        |',
      '| all   | 3     | 1           | 120    | 2    | 1       | 0.90      | 1.00      | 3.50      | 1.10        |',
      '',
    ].join('\n'),
  );
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

  const whole: RunOutcome = { failures: [], results: [], lostLater: 0, verdict: good };
  const forgiven = { ...whole, verdict: lossy, results: [result('kill', 1, { lost: 1 })] };

  it.each<[string, RunOutcome, readonly string[]]>([
    ['not, where all is well', whole, []],
    ['not, where nothing was lost but what may be', forgiven, []],
    [
      'where it ended early',
      { ...whole, failures: ['#3 kill: why'] },
      ['it did not come back from a fault: #3 kill: why'],
    ],
    [
      'where what was acknowledged is lost and must not be',
      { ...forgiven, results: [result('kill', 1, { lost: 3, inexcusable: 2 }), result('kill', 1, { inexcusable: 1 })] },
      ['3 acknowledged writes are lost that must not be'],
    ],
    [
      'where something was lost that was there after its own round',
      { ...whole, lostLater: 1 },
      ['1 acknowledged writes were lost later than in their own round'],
    ],
    ['where there were two primaries', { ...whole, verdict: double }, ['two primaries were writable side by side']],
    [
      'where the checker contradicts itself',
      { ...whole, verdict: risen },
      ['writes that had failed are there: the checker is wrong'],
    ],
    ['where nothing was written', { ...whole, verdict: idle }, ['nothing was written']],
    [
      'where there is nobody to ask at the end',
      { ...whole, verdict: undefined },
      ['nobody knows what is lost: no server led at the end'],
    ],
  ])('%s', (_, outcome, complaints) => {
    expect(findComplaints(outcome)).toEqual(complaints);
  });
});
