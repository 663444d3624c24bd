import { messageOf, PgherdError } from '../base/error.ts';
import { nodeResource } from '../reconcile/names.ts';
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
type Promotion = Extract<Step['action'], { do: 'promote' }>;
type LeaderChange = NonNullable<Extract<Step['action'], { do: 'write-record' }>['change']>;

/** Follows changes of leaders, and tells of each when another node leads: why, who, what is lost, and how long it took. */
class Successions {
  /** By step. */
  readonly #milliseconds = new Map<string, number>();
  /** By resource of who is to lead. */
  readonly #changes = new Map<string, { readonly change: LeaderChange; readonly step: string }>();
  /** Resources of those that lead by this run. */
  readonly #led = new Set<string>();

  note(outcome: Outcome): Entry | undefined {
    if (outcome.result !== 'done') return undefined;
    const { step, milliseconds } = outcome;
    const { action } = step;
    this.#milliseconds.set(step.id, milliseconds);
    if (action.do === 'write-record' && action.change !== undefined) {
      this.#changes.set(nodeResource(action.change.to), { change: action.change, step: step.id });
    }
    if (action.do !== 'promote') return undefined;
    const found = this.#changes.get(step.resource);
    const isTold = this.#led.has(step.resource);
    this.#led.add(step.resource);
    this.#changes.delete(step.resource);
    if (found !== undefined) return this.#describe(found.change, found.step, step.resource);
    return isTold ? undefined : finished(action, step.resource, milliseconds);
  }

  #describe(change: LeaderChange, record: string, leader: string): Entry {
    const { kind, cause, from, to, timeline, lsn, lostBytes } = change;
    const phases = [
      ['fence', `${nodeResource(from)}: fence`],
      ['detach', `${leader}: detach`],
      ['record', record],
      ['promote', `${leader}: promote`],
    ] as const;
    const times = phases.flatMap(([phase, id]) => {
      const spent = this.#milliseconds.get(id);
      return spent === undefined ? [] : [{ phase, spent: Math.round(spent) }];
    });
    const took = times.map(({ phase, spent }) => `${phase} ${String(spent)} ms`).join(', ');
    const lost = describeLoss(kind, lostBytes);
    const message = `${to} leads instead of ${from}: ${cause}; from ${formatLsn(lsn)} on timeline ${String(timeline)}, ${lost}; ${took}`;
    const total = times.reduce((sum, { spent }) => sum + spent, 0);
    return { type: kind, resource: leader, message, milliseconds: total };
  }
}

// What a leader that ended had written since its last report, half a second before at most, nobody knows.
function describeLoss(kind: LeaderChange['kind'], lostBytes: LeaderChange['lostBytes']): string {
  if (lostBytes === null) return 'whether anything is lost, nobody knows';
  if (kind === 'switchover') return `${String(lostBytes)} bytes of WAL lost`;
  return `${String(lostBytes)} bytes of WAL lost that are known of, by its last report`;
}

// What an earlier run had written down, and did not come to the end of: why, and what is lost, its own entry would say.
function finished({ name, kind, fork }: Promotion, resource: string, milliseconds: number): Entry {
  const from = fork === undefined ? '' : `; from ${formatLsn(fork.lsn)} on timeline ${String(fork.timeline)}`;
  const message = `${name} leads, as a run that was cut short had written down${from}; promote ${milliseconds.toFixed(0)} ms`;
  return { type: kind, resource, message, milliseconds: Math.round(milliseconds) };
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
    const reason = error instanceof PgherdError ? error.code : 'bug';
    return { type: 'step-failed', resource: step.resource, reason, message: `${message}: ${messageOf(error)}` };
  }
  if (outcome.result === 'skipped' || step.action.do.startsWith('await')) return undefined;
  return { type: 'step', resource: step.resource, message, milliseconds: Math.round(outcome.milliseconds) };
}
