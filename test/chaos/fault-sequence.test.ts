import { describe, expect, it } from 'vitest';
import { describeFault } from './describe-fault.ts';
import { faultKinds, faultSequence, type Fault } from './fault-sequence.ts';

it('is the same for the same seed, and another for another', () => {
  expect(faultSequence(7, 50)).toEqual(faultSequence(7, 50));
  expect(faultSequence(7, 50)).not.toEqual(faultSequence(8, 50));
});

it('begins the same way however long it is', () => {
  expect(faultSequence(7, 50).slice(0, 13)).toEqual(faultSequence(7, 13));
});

it('has every kind as often as every other', () => {
  const kinds = faultSequence(1, 5 * faultKinds.length).map(({ fault }) => fault.kind);
  for (const kind of faultKinds) expect(kinds.filter((each) => each === kind)).toHaveLength(5);
});

it('has only the kinds that are asked for', () => {
  const kinds = faultSequence(1, 20, ['kill', 'restart-engine']).map(({ fault }) => fault.kind);
  expect(new Set(kinds)).toEqual(new Set(['kill', 'restart-engine']));
});

it('has nobody fail over from a leader that goes on', () => {
  const stalled = faultSequence(2, 40, ['stalled-failover', 'stalled-pause']).map(({ fault }) => fault);
  const dying = (kind: string): readonly boolean[] =>
    stalled.flatMap((fault) => (fault.kind === kind && 'death' in fault ? [fault.death !== undefined] : []));
  expect(new Set(dying('stalled-failover'))).toEqual(new Set([true]));
  expect(new Set(dying('stalled-pause'))).toEqual(new Set([true, false]));
});

describe('a fault can be told', () => {
  it('by its kind and what was drawn for it', () => {
    expect(
      faultSequence(3, 4, ['kill', 'kill-two'])
        .map(({ fault }) => describeFault(fault))
        .toSorted(),
    ).toEqual(['kill', 'kill', 'kill-two, with replica 1 of 2', 'kill-two, with replica 2 of 2']);
  });

  it.each<[Fault, string]>([
    [
      { kind: 'crash-twice', process: 'checkpointer', apartMs: 120, isKilledThen: true },
      'crash-twice, checkpointer, again after 0.1 s, then kill',
    ],
    [
      { kind: 'stalled-pause', stallMs: 2000, death: { how: 'kill', afterMs: 500 }, pausedMs: 1000 },
      'stalled-pause, for 2.0 s, kill after 0.5 s, resumed after 1.0 s',
    ],
    [{ kind: 'stalled-switchover', stallMs: 2000, death: undefined, pausedMs: 1000 }, 'stalled-switchover, for 2.0 s'],
    [
      { kind: 'stalled-failover', stallMs: 2000, death: { how: 'kill', afterMs: 200 }, pausedMs: 0 },
      'stalled-failover, for 2.0 s, 0.2 s after kill',
    ],
    [
      { kind: 'suspend-controller', ms: 3000, at: 'promote', during: 'switchover' },
      'suspend-controller, for 3.0 s, at promote after switchover',
    ],
  ])('%o', (fault, expected) => {
    expect(describeFault(fault)).toBe(expected);
  });

  it('so that two that differ are told apart', () => {
    const faults = faultSequence(5, 30 * faultKinds.length).map(({ fault }) => fault);
    const texts = new Set(faults.map(describeFault));
    expect(texts.size).toBeGreaterThan(15 * faultKinds.length);
  });
});
