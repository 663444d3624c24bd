import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, digest, type Json } from '../../src/base/canonical.ts';

it('equal values have equal text, in whatever order their keys were written', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).toReversed());
      expect(canonicalJson(reversed as Json)).toBe(canonicalJson(value as Json));
    }),
  );
});

it('keys are sorted at every depth, lists keep their order, and what is undefined is left out', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }, 2], a: undefined, A: 'x' })).toBe('{"A":"x","b":[{"c":null,"d":1},2]}');
});

it('a digest is short, the same every time, and another for another text', () => {
  expect(digest('')).toBe('e3b0c44298fc');
  expect(digest('a')).not.toBe(digest('b'));
});
