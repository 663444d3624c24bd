import { expect, it } from 'vitest';
import { describeFault, faultKinds, faultSequence } from './fault-sequence.ts';

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

it('can be told', () => {
  expect(
    faultSequence(3, 4, ['kill', 'kill-two'])
      .map(({ fault }) => describeFault(fault))
      .toSorted(),
  ).toEqual(['kill', 'kill', 'kill-two, with replica 1 of 2', 'kill-two, with replica 2 of 2']);
});
