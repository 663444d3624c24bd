import { messageOf } from '../base/error.ts';
import type { Progress } from '../reconcile/work.ts';
import type { Log } from './log.ts';

/** Logs what a run is to do and has done: a line for each plan with steps, and for each step that has ended. */
export function logProgress(log: Log, fields: Readonly<Record<string, unknown>>, progress: Progress): void {
  if (progress.type === 'planned' && progress.plan.steps.length > 0) {
    const { changes, steps } = progress.plan;
    const reasons = changes.map(({ resource, reason }) => `${resource}: ${reason.detail}`);
    log.info({ ...fields, reasons, steps: steps.map(({ id }) => id) }, 'not as the file says');
  }
  if (progress.type !== 'step-ended') return;
  const { outcome } = progress;
  const step = outcome.step.id;
  if (outcome.result === 'done') {
    log.info({ ...fields, step, milliseconds: Math.round(outcome.milliseconds) }, 'done');
  } else if (outcome.result === 'failed') {
    log.warn({ ...fields, step }, messageOf(outcome.error));
  }
}
