import { describe, expect, it } from 'vitest';
import { findInexcusable, reportsLoss, type Circumstances } from './losses.ts';
import { DegradedLog, isDegraded } from './status-watch.ts';
import type { Attempt } from './verdict.ts';

function acknowledged(begin: number, end: number): Attempt {
  return { value: begin, path: 'balancer', isNewSession: false, answer: 'done', outcome: 'acknowledged', begin, end };
}

describe('of acknowledged writes that are lost', () => {
  const lost = [acknowledged(1000, 1010), acknowledged(20_000, 20_010), acknowledged(29_000, 29_010)];
  const degraded = [{ begin: 21_000, end: 24_000 }];

  it.each<[string, Partial<Circumstances>, readonly number[]]>([
    ['none may be in quorum mode', { mode: 'quorum', degraded, isReported: true }, [1000, 20_000, 29_000]],
    [
      'those may be that came while there were no replicas, as was said',
      { mode: 'preferred', degraded },
      [1000, 29_000],
    ],
    ['none may be where replicas are preferred and were there', { mode: 'preferred' }, [1000, 20_000, 29_000]],
    ['the last may be in async mode, where that is reported', { mode: 'async', isReported: true }, [1000, 20_000]],
    ['none may be in async mode where nothing is said', { mode: 'async' }, [1000, 20_000, 29_000]],
  ])('%s', (_, circumstances, expected) => {
    const all = { mode: 'quorum', began: 30_000, degraded: [], isReported: false, ...circumstances } as const;
    expect(findInexcusable(lost, all).map(({ value }) => value)).toEqual(expected);
  });
});

describe('the journal reports a loss', () => {
  const since = new Date('2026-01-01T00:00:10.000Z');

  it.each([
    ['of so many bytes', '00:00:11', 'b leads instead of a: it ended; 120 bytes of WAL lost that are known of', true],
    ['that nobody knows', '00:00:11', 'b leads instead of a: whether anything is lost, nobody knows; fence 3 ms', true],
    ['not where there is none', '00:00:11', 'b leads instead of a: it ended; 0 bytes of WAL lost', false],
    ['not by what was before', '00:00:09', 'b leads instead of a: it ended; 120 bytes of WAL lost', false],
  ])('%s', (_, time, message, expected) => {
    expect(reportsLoss([{ at: `2026-01-01T${time}.000Z`, message }], since)).toBe(expected);
  });
});

describe('the times of commits without a replica', () => {
  it('last from the first look that finds them to the first that does not', () => {
    const log = new DegradedLog();
    for (const [at, is] of [false, true, true, false, false, true].entries()) log.note(is, at * 10);
    expect(log.intervals).toEqual([
      { begin: 10, end: 30 },
      { begin: 50, end: 50 },
    ]);
  });

  it('are those of which the daemon says so', () => {
    expect(isDegraded([{ type: 'CommitsDurable', reason: 'Degraded' }])).toBe(true);
    expect(isDegraded([{ type: 'CommitsDurable', reason: 'Waiting' }])).toBe(false);
    expect(isDegraded([{ type: 'ReplicasReady', reason: 'Degraded' }])).toBe(false);
  });
});
