import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createResume } from '../../src/cli/log-resume.ts';
import type { LogLine } from '../../src/docker/operator.ts';

const epoch = Date.parse('2026-11-23T13:45:00Z');

/** Milliseconds as the engine writes a time. */
function timeOf(milliseconds: number): string {
  return new Date(epoch + milliseconds).toISOString().replace('Z', '000000Z');
}

/** What the engine gives of a log from a moment on. */
function since(log: readonly LogLine[], from: string | undefined): readonly LogLine[] {
  if (from === undefined) return log;
  const [seconds = '', fraction = ''] = from.split('.');
  const at = `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
  return log.filter((line) => line.at >= at);
}

it('a log that breaks off anywhere, as often as it may, is told whole and once', () => {
  // Two streams may be written a little out of order; the same line may be there twice, at the same moment too.
  const steps = fc.array(fc.tuple(fc.integer({ min: -400, max: 3000 }), fc.constantFrom('a', 'b')), { maxLength: 40 });
  const breaks = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 5 });
  fc.assert(
    fc.property(steps, breaks, (moves, cuts) => {
      let now = 1000;
      let newest = now;
      const log = moves.map(([step, text]): LogLine => {
        now = Math.max(newest - 900, now + step);
        newest = Math.max(newest, now);
        return { at: timeOf(now), stream: 'stdout', text };
      });
      const resume = createResume();
      const told: LogLine[] = [];
      const take = (lines: readonly LogLine[]): void => {
        for (const line of lines) if (resume.isNew(line)) told.push(line);
      };
      for (const cut of [...cuts.toSorted((a, b) => a - b), log.length]) {
        take(since(log.slice(0, cut), resume.since()));
        resume.reopen();
      }
      expect(told).toEqual(log);
    }),
  );
});

it('nothing is known before the first line', () => {
  expect(createResume().since()).toBeUndefined();
});
