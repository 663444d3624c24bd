import type { Container } from '../docker/types.ts';
import { balancerResource, nodeResource } from '../reconcile/names.ts';
import { nodeName } from '../reconcile/kinds/find-node.ts';
import type { Looked } from '../reconcile/look.ts';
import type { Step } from '../reconcile/plan.ts';
import type { Snapshot } from '../reconcile/snapshot.ts';

/** A container that ends as often as it is started, and when it may be started again. */
export type Restart = {
  readonly resource: string;
  readonly container: string;
  readonly name: string;
  readonly message: string;
  /** By the clock of `now`; undefined: the engine's own restart is waited for. */
  readonly until: number | undefined;
};

/** Starts that nobody has to wait for. */
const freeStarts = 4;
const firstPause = 2000;
const longestPause = 300_000;

/** Starts within a minute that one gets which is well after each of them, and ends all the same. */
const mostInAMinute = 20;
const minute = 60_000;

/** What a step that only brings a container up may be. */
const bringingUp: ReadonlySet<Step['action']['do']> = new Set([
  'start',
  'unpause',
  'await-node',
  'await-balancer',
  'write-readers',
]);

type Count = {
  /** Starts after which it was never well. */
  readonly failed: number;
  /** When it was started, the last minute's at least. */
  readonly times: readonly number[];
  /** When it was first seen to have failed after the last of them. */
  readonly failedAt?: number;
};

type FailedCount = Count & { readonly failedAt: number };

/** Keeps count of starts, so that what ends at once is not started again and again at full speed. */
export class RestartLimit {
  /** By resource. */
  readonly #counts = new Map<string, Count>();

  noteStart(resource: string, now: number): void {
    const { failed, times } = this.#counts.get(resource) ?? { failed: 0, times: [] };
    // Without when it failed: it has not yet.
    this.#counts.set(resource, { failed: failed + 1, times: [...times.slice(1 - mostInAMinute), now] });
  }

  /** It answers as it should: its earlier ends do not count any more. */
  noteWell(resource: string): void {
    const count = this.#counts.get(resource);
    if (count !== undefined && count.failed > 0) this.#counts.set(resource, { ...count, failed: 0 });
  }

  /** The file has changed: what is started now is something else. */
  forget(): void {
    this.#counts.clear();
  }

  /** What is to be left alone for now. Whoever has more to be done to than a start is not: that may help. */
  find({ snapshot, plan }: Looked, now: number): readonly Restart[] {
    return named(snapshot).flatMap(([resource, container]): readonly Restart[] => {
      const steps = plan.steps.filter((each) => each.resource === resource);
      // A clone that begins again in another volume may be cut short again as well as a start may fail again.
      const isClone = steps.some(({ action }) => action.do === 'discard-clone');
      if (!isClone && (steps.length === 0 || steps.some(({ action }) => !bringingUp.has(action.do)))) return [];
      const common = { resource, container: container.id, name: container.name };
      const ended = `it ended with exit code ${String(container.exitCode)}`;
      if (container.state === 'restarting' && !isClone) {
        const times = String(container.restartCount);
        const message = `${ended}, and the engine restarts it (${times} times so far)`;
        return [{ ...common, message, until: undefined }];
      }
      if (container.state !== 'exited' && !isClone) return [];
      const count = this.#noteFailed(resource, now);
      if (count === undefined) return [];
      const until = allowedAt(count);
      if (until <= now) return [];
      const { failed, times } = count;
      const starts = failed >= freeStarts ? `${String(failed)} starts` : `the last ${String(times.length)} starts`;
      const message = isClone
        ? `its clone was cut short after each of ${starts}`
        : `${ended} soon after each of ${starts}`;
      return [{ ...common, message, until }];
    });
  }

  /** Its count, with when it was first seen to have failed; undefined: nobody has started it. */
  #noteFailed(resource: string, now: number): FailedCount | undefined {
    const count = this.#counts.get(resource);
    if (count === undefined) return undefined;
    const noted = { ...count, failedAt: count.failedAt ?? now };
    this.#counts.set(resource, noted);
    return noted;
  }
}

function allowedAt({ failed, times, failedAt }: FailedCount): number {
  // Not from its start: a large clone takes longer than any pause to fail.
  const pause = Math.min(longestPause, firstPause * 2 ** (failed - freeStarts));
  const first = times.at(-mostInAMinute);
  return Math.max(failed < freeStarts ? 0 : failedAt + pause, first === undefined ? 0 : first + minute);
}

function named({ nodes, balancers }: Snapshot): readonly (readonly [string, Container])[] {
  return [
    ...nodes.map((node) => [nodeResource(nodeName(node)), node.container] as const),
    ...balancers.map(({ group, container }) => [balancerResource(group), container] as const),
  ];
}
