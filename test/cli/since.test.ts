import { describe, expect, it } from 'vitest';
import { parseSince } from '../../src/cli/since.ts';
import { splitAtDashes } from '../../src/cli/program/run.ts';

const now = new Date('2026-11-23T12:00:00Z');

describe('--since', () => {
  it.each([
    ['90s', '2026-11-23T11:58:30.000Z'],
    ['10m', '2026-11-23T11:50:00.000Z'],
    ['2h', '2026-11-23T10:00:00.000Z'],
    ['3d', '2026-11-20T12:00:00.000Z'],
    ['2026-11-23T12:45:02Z', '2026-11-23T12:45:02.000Z'],
    ['2026-11-23 12:45+01:00', '2026-11-23T11:45:00.000Z'],
  ])('%s', (text, expected) => {
    expect(parseSince(text, now)?.toISOString()).toBe(expected);
  });

  it('without a zone is local time', () => {
    expect(parseSince('2026-11-23', now)).toEqual(new Date(2026, 10, 23));
    expect(parseSince('2026-11-23T13:45', now)).toEqual(new Date(2026, 10, 23, 13, 45));
  });

  it.each(['', '10', 'm', '10 m', 'yesterday', '2026-13-01', '2026-11-23T25:00'])('is not %j', (text) => {
    expect(parseSince(text, now)).toBeUndefined();
  });
});

describe('operands', () => {
  const split = (operands: readonly string[], ...argv: readonly string[]) => splitAtDashes(operands, argv);

  it('after -- are told from those before', () => {
    const after = ['-c', 'select 1'];
    expect(split(['lb1', ...after], 'psql', 'lb1', '--', ...after)).toEqual({ before: ['lb1'], after });
    expect(split(after, 'psql', '--', ...after)).toEqual({ before: [], after });
    expect(split(['lb1'], 'psql', 'lb1')).toEqual({ before: ['lb1'], after: [] });
    expect(split(['lb1'], 'psql', 'lb1', '--')).toEqual({ before: ['lb1'], after: [] });
  });

  it('keep a second --', () => {
    expect(split(['n', 'a', '--', 'b'], 'exec', 'n', '--', 'a', '--', 'b')).toEqual({
      before: ['n'],
      after: ['a', '--', 'b'],
    });
  });
});
