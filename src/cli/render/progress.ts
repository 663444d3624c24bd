import { PgherdError, messageOf } from '../../base/error.ts';
import type { Outcome } from '../../reconcile/execute.ts';
import type { Progress } from '../../reconcile/work.ts';
import type { Output } from '../output.ts';
import { formatDuration } from './duration.ts';

/** Tells progress as it happens: a line for each transition, or an event a line with --format json. */
export function reportProgress(output: Output, cluster: string, startedAt: number): (progress: Progress) => void {
  const elapsed = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`;
  return (progress) => {
    if (progress.type === 'looking' || progress.type === 'looked') return;
    if (output.format === 'json') {
      output.print(JSON.stringify({ cluster, ...toEvent(progress) }));
      return;
    }
    const line = toLine(progress);
    if (line !== undefined) output.note(`${elapsed()}  ${cluster}  ${line}`);
  };
}

function toLine(progress: Progress): string | undefined {
  switch (progress.type) {
    case 'looking':
    case 'looked':
    case 'planned':
      return undefined;
    case 'waiting-for-lock':
      return `waiting: the cluster is being changed by ${progress.holder}`;
    case 'step-started':
      return undefined;
    case 'step-ended':
      return outcomeLine(progress.outcome);
    case 'retrying':
      return `trying again in ${String(progress.milliseconds / 1000)} s`;
  }
}

function outcomeLine(outcome: Outcome): string | undefined {
  switch (outcome.result) {
    case 'done':
      return `${outcome.step.id} (${formatDuration(outcome.milliseconds)})`;
    case 'failed':
      return `${outcome.step.id} failed: ${messageOf(outcome.error)}`;
    case 'skipped':
      return undefined;
  }
}

function toEvent(progress: Exclude<Progress, { type: 'looking' | 'looked' }>): Record<string, unknown> {
  switch (progress.type) {
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

function outcomeEvent(outcome: Outcome): Record<string, unknown> {
  const { step, result } = outcome;
  if (result === 'done') return { step: step.id, result, milliseconds: Math.round(outcome.milliseconds) };
  if (result === 'failed') return { step: step.id, result, error: errorEvent(outcome.error) };
  return { step: step.id, result };
}

export function errorEvent(error: unknown): Record<string, unknown> {
  return error instanceof PgherdError
    ? { code: error.code, message: error.message, remedy: error.remedy }
    : { code: 'bug', message: messageOf(error), remedy: null };
}
