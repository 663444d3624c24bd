import { messageOf, PgherdError } from '../base/error.ts';
import type { Outcome } from '../reconcile/execute.ts';
import type { Progress } from '../reconcile/work.ts';
import type { Journal, NewEntry } from './journal.ts';

/** Whose run it is. */
export type RunName = { readonly cluster: string; readonly run: string; readonly by: string };

/** Writes what a run does into the journal: why, what, and how it went. Waits change nothing and are left out. */
export function keepRecord(journal: Journal, name: RunName): (progress: Progress) => void {
  return (progress) => {
    const entry = toEntry(progress);
    if (entry !== undefined) void journal.append({ ...name, ...entry });
  };
}

type Entry = Omit<NewEntry, 'cluster' | 'run' | 'by'>;

function toEntry(progress: Progress): Entry | undefined {
  if (progress.type === 'waiting-for-lock') {
    return { type: 'lock', message: `waiting: the cluster is being changed by ${progress.holder}` };
  }
  if (progress.type === 'planned' && progress.plan.steps.length > 0) {
    const reasons = progress.plan.changes.map(({ resource, actions, reason }) => {
      return `${resource} ${actions.join(' and ')}: ${reason.detail}`;
    });
    return { type: 'planned', message: reasons.join('; ') || `${String(progress.plan.steps.length)} steps` };
  }
  return progress.type === 'step-ended' ? toStepEntry(progress.outcome) : undefined;
}

function toStepEntry(outcome: Outcome): Entry | undefined {
  const { step } = outcome;
  const message = step.id.slice(step.resource.length + 2);
  if (outcome.result === 'failed') {
    const { error } = outcome;
    if (error instanceof PgherdError && error.code === 'interrupted') return undefined;
    const reason = error instanceof PgherdError ? error.code : 'bug';
    return { type: 'step-failed', resource: step.resource, reason, message: `${message}: ${messageOf(error)}` };
  }
  if (outcome.result === 'skipped' || step.action.do.startsWith('await')) return undefined;
  return { type: 'step', resource: step.resource, message, milliseconds: Math.round(outcome.milliseconds) };
}
