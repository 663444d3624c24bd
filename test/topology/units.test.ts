import { expect, it } from 'vitest';
import { parseDuration, parseSize } from '../../src/topology/units.ts';

it.each([
  ['512MB', 536_870_912],
  ['1g', 1_073_741_824],
  ['64 MiB', 67_108_864],
  ['1.5k', 1536],
  ['2TB', 2_199_023_255_552],
  ['100b', 100],
  ['4096', 4096],
  [4096, 4096],
])('the size %s is %i bytes', (size, bytes) => expect(parseSize(size)).toBe(bytes));

it.each([
  ['500ms', 0.5],
  ['5s', 5],
  ['1m30s', 90],
  ['1.5h', 5400],
  ['0.1s', 0.1],
  ['7', 7],
  [0.25, 0.25],
])('the duration %s is %d seconds', (duration, seconds) => expect(parseDuration(duration)).toBe(seconds));
