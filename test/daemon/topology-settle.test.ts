import { describe, expect, it } from 'vitest';
import {
  addDoubts,
  clearDoubts,
  findSettleTime,
  unsettled,
  weigh,
  type Reading,
  type Settling,
} from '../../src/daemon/topology-settle.ts';
import { absorb } from '../../src/daemon/topology-state.ts';
import type { LoadResult } from '../../src/topology/load.ts';
import { parseSound } from '../topology/support.ts';

const times = { short: 200, long: 2000 };

function write(replicas: number, cluster = 'shop'): LoadResult {
  const text = `cluster_name: ${cluster}\nbalancers: [{ name: lb1, replicas: ${replicas} }]`;
  return { topologies: [parseSound(text, {}, `${cluster}.yaml`)], diagnostics: [] };
}

function breakFile(file = 'shop.yaml'): LoadResult {
  const place = { file, line: 1, column: 1, path: '' };
  return { topologies: [], diagnostics: [{ ...place, code: 'syntax', message: 'broken', severity: 'error' }] };
}

describe('how long content has to stand still', () => {
  const { sources } = absorb(new Map(), write(2));
  const timeAfter = (seen: readonly LoadResult[], now: LoadResult): number => {
    const settling = [...seen, now].reduce((doubts, loaded) => addDoubts(doubts, sources, loaded), unsettled);
    return findSettleTime(settling, sources, now, times);
  };

  it.each([
    ['a change', [], write(3), times.short],
    ['a file that is broken', [], breakFile(), times.short],
    ['a new cluster', [], write(0, 'bank'), times.short],
    ['what removes a node', [], write(1), times.long],
    ['a change of what was broken', [breakFile()], write(3), times.long],
    ['a change of what was gone', [{ topologies: [], diagnostics: [] }], write(3), times.long],
    ['a change of what was broken some readings ago', [breakFile(), write(4)], write(3), times.long],
    ['a new cluster whose file was broken', [breakFile('bank.yaml')], write(0, 'bank'), times.long],
    ['what is as it was before it broke', [breakFile()], write(2), times.short],
    [
      'a change beside a broken file',
      [{ ...write(2), diagnostics: breakFile('bank.yaml').diagnostics }],
      write(3),
      times.short,
    ],
  ])('%s', (_, seen, now, expected) => expect(timeAfter(seen, now)).toBe(expected));

  it('doubts end when the file is taken in as good', () => {
    const doubting = addDoubts(unsettled, sources, breakFile());
    const clear = clearDoubts(doubting, sources, write(2));
    expect(findSettleTime(clear, sources, write(3), times)).toBe(times.short);
  });
  it('and last while it stays broken', () => {
    const known = clearDoubts(addDoubts(unsettled, sources, breakFile()), sources, breakFile());
    expect(findSettleTime(known, sources, write(3), times)).toBe(times.long);
  });
});

describe('what stood still', () => {
  const read = (loaded: LoadResult, began: number, events = 0, eventsAfter = events): Reading => ({
    loaded,
    began,
    ended: began + 10,
    eventsBefore: events,
    eventsAfter,
  });
  /** The verdicts on one reading after the other, each of which has to stand still for 200 ms. */
  const judge = (...readings: readonly Reading[]): string[] => {
    let settling: Settling = weigh(unsettled, read(write(1), 0), 0).settling;
    return readings.map((reading) => {
      const weighed = weigh(settling, reading, 200);
      settling = weighed.settling;
      return weighed.verdict.type === 'wait' ? `wait ${weighed.verdict.milliseconds}` : weighed.verdict.type;
    });
  };

  it('is taken in when it is read again after that time', () =>
    expect(judge(read(write(2), 1000), read(write(2), 1210))).toEqual(['wait 200', 'take']));
  it('is not taken in before', () =>
    expect(judge(read(write(2), 1000), read(write(2), 1100), read(write(2), 1209))).toEqual([
      'wait 200',
      'wait 100',
      'wait 1',
    ]));
  it('is not what is different in between', () =>
    expect(judge(read(write(2), 1000), read(write(3), 1300), read(write(2), 1600))).toEqual([
      'wait 200',
      'wait 200',
      'wait 200',
    ]));
  it('is not what was touched since', () =>
    expect(judge(read(write(2), 1000, 1), read(write(2), 1300, 2), read(write(2), 1510, 2))).toEqual([
      'wait 200',
      'wait 200',
      'take',
    ]));
  it('is not what was touched while it was read, first or last', () =>
    expect(judge(read(write(2), 1000, 1, 2), read(write(2), 1300, 2, 3), read(write(2), 1600, 3))).toEqual([
      'wait 200',
      'wait 200',
      'wait 200',
    ]));
  it('is known where it was taken in before, whatever was read in between', () =>
    expect(judge(read(write(1), 1000), read(write(2), 1300, 1), read(write(1), 1600, 2))).toEqual([
      'known',
      'wait 200',
      'known',
    ]));
  it('is known after it was taken in', () =>
    expect(judge(read(write(2), 1000), read(write(2), 1300), read(write(2), 1600, 1))).toEqual([
      'wait 200',
      'take',
      'known',
    ]));
});
