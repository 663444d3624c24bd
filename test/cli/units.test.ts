import { describe, expect, it } from 'vitest';
import { formatAge, formatDuration } from '../../src/cli/render/duration.ts';
import { formatSize } from '../../src/cli/render/size.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

describe('how long something has lasted', () => {
  it.each([
    [0, '0s'],
    [-5 * second, '0s'],
    [59.9 * second, '59s'],
    [minute, '1m'],
    [59 * minute + 59 * second, '59m'],
    [hour, '1h'],
    [3 * hour + 12 * minute, '3h12m'],
    [day, '1d'],
    [2 * day + 4 * hour + 30 * minute, '2d4h'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(formatAge(milliseconds)).toBe(text);
  });
});

describe('how long something took', () => {
  it.each([
    [7.4, '7 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [61_500, '61.5 s'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe('a size', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 kB'],
    [12_288, '12 kB'],
    [1.5 * 2 ** 30, '1.5 GB'],
    [3 * 2 ** 50, '3072 TB'],
  ])('of %d bytes is %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
