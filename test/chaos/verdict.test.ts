import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findDoubles,
  joinVerdicts,
  judge,
  longestGap,
  type AcceptedProbe,
  type Attempt,
  type Outcome,
  type Path,
} from './verdict.ts';

/** `A1 0-10`: node A took a write on timeline 1 that began at 0 and ended at 10. */
function probes(...texts: readonly string[]): readonly AcceptedProbe[] {
  return texts.map((text) => {
    const [, node = '', timeline, begin, end] = /^([A-Z])(\d+) (\d+)-(\d+)$/.exec(text) ?? [];
    return { node, way: 'socket', timeline: Number(timeline), begin: Number(begin), end: Number(end) };
  });
}

/** The doubles that are found in these probes. */
function doubles(...texts: readonly string[]): readonly string[] {
  return findDoubles(probes(...texts)).map(
    ({ kind, old, other }) =>
      `${kind}: ${old.node}${old.timeline} ${old.begin}, ${other.node}${other.timeline} ${other.end}`,
  );
}

function attempt(value: number, outcome: Outcome, path: Path = 'balancer', begin = value, end = value + 1): Attempt {
  return { value, outcome, path, isNewSession: false, answer: 'done', begin, end };
}

describe('two writable primaries', () => {
  it('are none where one node leads all the time', () => {
    expect(doubles('A1 0-10', 'A1 20-30', 'A1 5-25')).toEqual([]);
  });

  it('are none where another takes over', () => {
    expect(doubles('A1 0-10', 'B2 20-30')).toEqual([]);
  });

  it('are none where leadership goes back and forth, on a newer timeline each time', () => {
    expect(doubles('A1 0-10', 'B2 20-30', 'A3 40-50', 'B4 60-70', 'A5 80-90')).toEqual([]);
  });

  it('are found where the old leader takes a write that began after the new one had taken one', () => {
    expect(doubles('A1 0-10', 'B2 20-30', 'A1 31-40')).toEqual(['older-after-newer: A1 31, B2 30']);
  });

  it('are found whatever comes in between, and in whatever order the writes are known', () => {
    const texts = ['A1 100-101', 'B2 20-30', 'C3 40-50', 'A1 0-10', 'B2 60-70'];
    expect(doubles(...texts).toSorted()).toEqual([
      'older-after-newer: A1 100, B2 30',
      'older-after-newer: A1 100, C3 50',
      'older-after-newer: B2 60, C3 50',
    ]);
  });

  it('are not proven by writes that overlap: the old leader may have taken its own first', () => {
    expect(doubles('A1 0-10', 'B2 20-30', 'A1 29-50')).toEqual([]);
    expect(doubles('A1 0-10', 'B2 20-30', 'A1 30-50')).toEqual([]);
  });

  it('are not proven by an answer that comes late to a write begun before', () => {
    expect(doubles('B2 20-30', 'A1 15-1000')).toEqual([]);
  });

  it('are found where two nodes wrote on one timeline, however far apart', () => {
    expect(doubles('A2 0-10', 'B2 500-510')).toEqual(['same-timeline: A2 0, B2 510']);
    expect(doubles('B2 0-10', 'A2 0-10')).toEqual(['same-timeline: A2 0, B2 10']);
  });

  it('are told once for a pair of nodes and timelines, with the writes that lie farthest apart', () => {
    const found = doubles('B2 20-30', 'B2 21-32', 'A1 40-50', 'A1 60-70', 'A1 50-80');
    expect(found).toEqual(['older-after-newer: A1 60, B2 30']);
  });

  it('agree with the rule, write by write', () => {
    const probe = fc.record({
      node: fc.constantFrom('A', 'B', 'C'),
      way: fc.constant('socket' as const),
      timeline: fc.integer({ min: 1, max: 4 }),
      begin: fc.integer({ min: 0, max: 50 }),
      length: fc.integer({ min: 0, max: 10 }),
    });
    fc.assert(
      fc.property(fc.array(probe, { maxLength: 12 }), (drawn) => {
        const all = drawn.map(({ length, ...each }) => ({ ...each, end: each.begin + length }));
        const isDouble = all.some((a) =>
          all.some(
            (b) => a.node !== b.node && (a.timeline === b.timeline || (a.timeline < b.timeline && a.begin > b.end)),
          ),
        );
        expect(findDoubles(all).length > 0).toBe(isDouble);
      }),
    );
  });
});

describe('a verdict', () => {
  const ran = { begin: 0, end: 100 };

  it('counts what came of each attempt', () => {
    const attempts = [attempt(1, 'acknowledged'), attempt(2, 'failed'), attempt(3, 'unknown'), attempt(4, 'unknown')];
    const verdict = judge({ ran, attempts, probes: probes('A1 0-10'), values: new Set([1, 3]) });
    expect(verdict).toMatchObject({ attempts: 4, acknowledged: 1, failed: 1, unknown: 2, probes: 1 });
    expect(verdict).toMatchObject({ lost: [], risen: [], doubles: [] });
  });

  it('names what was acknowledged and is not there, and nothing else', () => {
    const attempts = [attempt(1, 'acknowledged'), attempt(2, 'acknowledged', 'direct'), attempt(3, 'unknown')];
    const { lost } = judge({ ran, attempts, probes: [], values: new Set([1]) });
    expect(lost.map(({ value }) => value)).toEqual([2]);
  });

  it('names what had failed and is there: the checker itself is not right then', () => {
    const { risen } = judge({ ran, attempts: [attempt(7, 'failed')], probes: [], values: new Set([7]) });
    expect(risen.map(({ value }) => value)).toEqual([7]);
  });

  it('measures the longest time without an acknowledgement through the balancer', () => {
    const attempts = [
      attempt(1, 'acknowledged', 'balancer', 0, 10),
      attempt(2, 'acknowledged', 'direct', 20, 40),
      attempt(3, 'unknown', 'balancer', 20, 50),
      attempt(4, 'acknowledged', 'balancer', 60, 95),
    ];
    expect(judge({ ran, attempts, probes: [], values: new Set([1, 2, 4]) }).longestGapMs).toBe(85);
  });
});

it('of several clusters is the sum of theirs, and the longest gap of all', () => {
  const ran = { begin: 0, end: 100 };
  const one = judge({ ran, attempts: [attempt(1, 'acknowledged')], probes: [], values: new Set() });
  const two = judge({ ran, attempts: [attempt(50, 'failed')], probes: probes('A1 0-9'), values: new Set([50]) });
  const both = joinVerdicts([one, two]);
  expect(both).toMatchObject({ attempts: 2, acknowledged: 1, failed: 1, probes: 1, longestGapMs: 100 });
  expect([both.lost.length, both.risen.length]).toEqual([1, 1]);
});

describe('the longest gap', () => {
  it.each([
    ['between two', [10, 30, 90], 60],
    ['before the first', [70, 90], 70],
    ['after the last', [10, 20], 80],
    ['everything, where there is none', [], 100],
    ['in any order', [90, 10, 30], 60],
  ])('%s', (_, moments, expected) => {
    expect(longestGap(moments, { begin: 0, end: 100 })).toBe(expected);
  });
});
