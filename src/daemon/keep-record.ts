import { messageOf, PgherdError } from '../base/error.ts';
import type { Outcome } from '../reconcile/execute.ts';
import type { Progress } from '../reconcile/work.ts';
import type { Journal, NewEntry } from './journal.ts';

/** Whose run it is. */
export type RunName = { readonly cluster: string; readonly run: string; readonly by: string };

/** Writes what a run does into the journal: why, what, and how it went. Waits change nothing and are left out. */
export function keepRecord(journal: Journal, name: RunName): (progress: Progress) => void {
  const successions = new Successions();
  return (progress) => {
    const entries = [
      toEntry(progress),
      progress.type === 'step-ended' ? successions.note(progress.outcome) : undefined,
    ];
    for (const entry of entries) if (entry !== undefined) void journal.append({ ...name, ...entry });
  };
}

type Step = Outcome['step'];

/** Phases of a change of leaders, in their order. */
const phases: ReadonlySet<Step['action']['do']> = new Set([
  'fence',
  'detach',
  'write-record',
  'write-config',
  'promote',
]);

/** Follows changes of leaders, and tells of each when another node leads: why, who, what is lost, and how long it took. */
class Successions {
  readonly #milliseconds = new Map<string, number>();
  #change: Extract<Step['action'], { do: 'write-record' }>['change'];

  note(outcome: Outcome): Entry | undefined {
    if (outcome.result !== 'done') return undefined;
    const { step, milliseconds } = outcome;
    const { action } = step;
    if (action.do === 'fence') this.#milliseconds.clear();
    if (action.do === 'write-record' && action.change !== undefined) this.#change = action.change;
    if (!phases.has(action.do)) return undefined;
    this.#milliseconds.set(action.do, Math.max(milliseconds, this.#milliseconds.get(action.do) ?? 0));
    const change = this.#change;
    if (action.do !== 'promote' || change === undefined) return undefined;
    this.#change = undefined;
    const took = [...phases].flatMap((phase) => {
      const spent = this.#milliseconds.get(phase);
      return spent === undefined ? [] : [`${phase} ${String(Math.round(spent))} ms`];
    });
    const { kind, cause, from, to, timeline, lsn, lostBytes } = change;
    const lost =
      lostBytes === null ? 'whether anything is lost, nobody knows' : `${String(lostBytes)} bytes of WAL lost`;
    const message = `${to} leads, ${from} did: ${cause}; from ${formatLsn(lsn)} on timeline ${String(timeline)}, ${lost}; ${took.join(', ')}`;
    return { type: kind, resource: `node/${to}`, reason: cause, message, milliseconds: Math.round(milliseconds) };
  }
}

/** As PostgreSQL writes it, e.g. `0/3000148`. */
function formatLsn(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 32).toString(16)}/${(bytes % 2 ** 32).toString(16)}`.toUpperCase();
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
