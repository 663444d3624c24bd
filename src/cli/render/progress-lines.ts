import { messageOf } from '../../base/error.ts';
import type { Outcome } from '../../reconcile/execute.ts';
import type { Progress } from '../../reconcile/work.ts';
import { formatDuration } from './duration.ts';
import { runningSteps, type ClusterState } from './progress-state.ts';

/** Progress as a line where there is no terminal; undefined: it is no transition that anybody waits for. */
export function toLine(progress: Progress): string | undefined {
  switch (progress.type) {
    case 'looking':
    case 'looked':
    case 'planned':
    case 'step-started':
      return undefined;
    case 'waiting-for-lock':
      return `waiting: the cluster is being changed by ${progress.holder}`;
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

/** What a cluster has been waiting for, the longest first, and for how many milliseconds; undefined: for nothing. */
export type StillWaiting = { readonly steps: readonly string[]; readonly text: string; readonly milliseconds: number };

/** Steps named in a line; the others are counted. */
const mostNamed = 3;

export function findStillWaiting(cluster: ClusterState, now: number): StillWaiting | undefined {
  const { phase } = cluster;
  if (phase.is === 'waiting-for-lock') {
    const milliseconds = now - phase.since;
    const text = `still waiting: the cluster is being changed by ${phase.holder}, ${seconds(milliseconds)}`;
    return { steps: [], text, milliseconds };
  }
  const running = runningSteps(cluster);
  const [longest] = running;
  if (longest === undefined) return undefined;
  const named = running.slice(0, mostNamed).map(({ id, since }) => `${id}, ${seconds(now - since)}`);
  const more = running.length - named.length;
  const text = `still waiting: ${named.join('; ')}${more === 0 ? '' : `; and ${String(more)} more`}`;
  return { steps: running.map(({ id }) => id), text, milliseconds: now - longest.since };
}

function seconds(milliseconds: number): string {
  return `${String(Math.floor(milliseconds / 1000))} s`;
}
