import { PgherdError, messageOf } from '../../base/error.ts';
import type { Outcome } from '../../reconcile/execute.ts';
import type { Progress } from '../../reconcile/work.ts';

/** Progress as --format json prints it; undefined: nobody is told. */
export function toEvent(progress: Progress): Readonly<Record<string, unknown>> | undefined {
  switch (progress.type) {
    case 'looking':
    case 'looked':
      return undefined;
    case 'planned':
      return { event: 'planned', round: progress.round, steps: progress.plan.steps.map(({ id }) => id) };
    case 'waiting-for-lock':
      return { event: 'waiting-for-lock', holder: progress.holder };
    case 'step-started':
      return { event: 'step-started', step: progress.step.id };
    case 'step-ended':
      return { event: 'step-ended', ...outcomeEvent(progress.outcome) };
    case 'retrying':
      return { event: 'retrying', milliseconds: progress.milliseconds, error: errorEvent(progress.error) };
  }
}

function outcomeEvent(outcome: Outcome): Readonly<Record<string, unknown>> {
  const { step, result } = outcome;
  if (result === 'done') return { step: step.id, result, milliseconds: Math.round(outcome.milliseconds) };
  if (result === 'failed') return { step: step.id, result, error: errorEvent(outcome.error) };
  return { step: step.id, result };
}

/** An error as --format json prints it. */
export function errorEvent(error: unknown): Readonly<Record<string, unknown>> {
  return error instanceof PgherdError
    ? { code: error.code, message: error.message, remedy: error.remedy }
    : { code: 'bug', message: messageOf(error), remedy: null };
}
