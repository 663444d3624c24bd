import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { advance, noProgress, type ProgressEvent, type ProgressState } from '../../src/cli/render/progress-state.ts';
import { viewTree, type View } from '../../src/cli/render/progress-tree.ts';
import { widthOf } from '../../src/cli/text-width.ts';
import type { Plan, Step } from '../../src/reconcile/plan.ts';
import type { Progress } from '../../src/reconcile/work.ts';
import { nothing, planOf } from './progress-support.ts';

const plans = [planOf('shop', 2), planOf('shop', 7), { ...planOf('shop', 0), steps: [] }];
const steps = plans.flatMap((plan) => plan.steps);

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    'port 5432 is in use',
    '日本語の長い説明が続きます',
    '👨‍👩‍👧 🇩🇪 e\u0301',
    'two\nlines\r\n',
    '\u001b[31mred\u001b[39m\t\u0007',
  ),
);
const error = fc
  .record({ message: text, retry: fc.boolean(), code: fc.constant('engine-error' as const) })
  .map(({ message, retry, code }) => new PgherdError(code, message, { retry }));
const step: fc.Arbitrary<Step> = fc.constantFrom(...steps);
const plan: fc.Arbitrary<Plan> = fc.constantFrom(...plans);

const progress: fc.Arbitrary<Progress> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ type: 'looking' } as const) },
  {
    weight: 1,
    arbitrary: plan.map((each) => ({ type: 'looked', looked: { snapshot: nothing, plan: each } }) as const),
  },
  { weight: 2, arbitrary: plan.map((each) => ({ type: 'planned', plan: each, round: 1 }) as const) },
  { weight: 1, arbitrary: text.map((holder) => ({ type: 'waiting-for-lock', holder }) as const) },
  { weight: 8, arbitrary: step.map((each) => ({ type: 'step-started', step: each }) as const) },
  {
    weight: 8,
    arbitrary: fc
      .record({ step, error, result: fc.constantFrom('done', 'failed', 'skipped'), milliseconds: fc.nat() })
      .map((outcome) => ({ type: 'step-ended', outcome }) as const),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('retrying' as const), milliseconds: fc.nat(), error }) },
);

const cluster = fc.oneof(fc.constantFrom('shop', 'billing', '群れ', '🐘🐘🐘'), text);
const event: fc.Arbitrary<ProgressEvent> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ type: fc.constant('progress' as const), cluster, progress }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('ended' as const), cluster, converged: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ type: 'stopping' } as const) },
);
const view: fc.Arbitrary<View> = fc.record({
  columns: fc.integer({ min: 1, max: 120 }),
  rows: fc.integer({ min: 1, max: 60 }),
  colour: fc.boolean(),
  unicode: fc.boolean(),
});

type Moment = { readonly state: ProgressState; readonly now: number };

const moment: fc.Arbitrary<Moment> = fc
  .array(fc.record({ event, after: fc.nat({ max: 100_000 }) }), { maxLength: 60 })
  .map((told) => {
    let now = 0;
    const state = told.reduce<ProgressState>((known, each) => {
      now += each.after;
      return advance(known, each.event, now);
    }, noProgress);
    return { state, now };
  });

it('never draws more lines than the terminal has less one, nor wider ones than it is, nor what is no text', () => {
  fc.assert(
    fc.property(moment, view, ({ state, now }, size) => {
      const lines = viewTree(state, now, size);
      expect(lines.length).toBeLessThanOrEqual(size.rows - 1);
      for (const line of lines) {
        expect(widthOf(line)).toBeLessThan(size.columns);
        expect(stripVTControlCharacters(line)).not.toMatch(/\p{Cc}/u);
      }
    }),
  );
});

it('shows or counts everything that failed, and shows it where there is room for it', () => {
  fc.assert(
    fc.property(moment, fc.integer({ min: 2, max: 40 }), ({ state, now }, rows) => {
      const lines = viewTree(state, now, { columns: 120, rows, colour: false, unicode: true });
      const failed = state.clusters.map(
        ({ resources }) =>
          resources.filter(({ steps: own }) => {
            const [running] = own.filter((each) => each.progress.is === 'running');
            return running === undefined && own.some((each) => each.progress.is === 'failed');
          }).length,
      );
      const wanted = failed.reduce((sum, count) => sum + count, 0);
      const shown = lines.filter((line) => line.startsWith('  ✖ ')).length;
      const counted = Number(/(\d+) more failed/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
      expect(shown + counted).toBe(wanted);
      const broken = state.clusters.filter(({ phase }, index) => {
        return (failed[index] ?? 0) > 0 || (phase.is === 'ended' && !phase.converged);
      }).length;
      if (wanted + broken < rows - 1) expect(shown).toBe(wanted);
    }),
  );
});
