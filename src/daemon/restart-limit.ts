import type { Container } from '../docker/types.ts';
import { balancerResource, nodeResource } from '../reconcile/names.ts';
import { nodeName } from '../reconcile/kinds/group.ts';
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

/** Milliseconds that a container must have been well for its earlier ends not to count any more. */
const provenAfter = 10_000;

/** What a step that only brings a container up may be. */
const bringingUp: ReadonlySet<Step['action']['do']> = new Set([
  'start',
  'unpause',
  'await-node',
  'await-balancer',
  'write-readers',
]);

/** Keeps count of starts, so that what ends at once is not started again and again at full speed. */
export class RestartLimit {
  /** By resource: the times of starts since it was last proven well. */
  readonly #starts = new Map<string, number[]>();

  noteStart(resource: string, now: number): void {
    this.#starts.set(resource, [...(this.#starts.get(resource) ?? []), now]);
  }

  noteWell(resource: string, now: number): void {
    const last = this.#starts.get(resource)?.at(-1);
    if (last !== undefined && now - last > provenAfter) this.#starts.delete(resource);
  }

  /** The file has changed: what is started now is something else. */
  forget(): void {
    this.#starts.clear();
  }

  /** What is to be left alone for now. Whoever has more to be done to than a start is not: that may help. */
  find({ snapshot, plan }: Looked, now: number): readonly Restart[] {
    return named(snapshot).flatMap(([resource, container]): readonly Restart[] => {
      const steps = plan.steps.filter((each) => each.resource === resource);
      if (steps.length === 0 || steps.some(({ action }) => !bringingUp.has(action.do))) return [];
      const common = { resource, container: container.id, name: container.name };
      const ended = `it ended with exit code ${String(container.exitCode)}`;
      if (container.state === 'restarting') {
        const times = String(container.restartCount);
        const message = `${ended}, and the engine restarts it (${times} times so far)`;
        return [{ ...common, message, until: undefined }];
      }
      const until = this.#allowedAt(resource);
      if (container.state !== 'exited' || until <= now) return [];
      const message = `${ended} soon after each of ${String(this.#starts.get(resource)?.length ?? 0)} starts`;
      return [{ ...common, message, until }];
    });
  }

  #allowedAt(resource: string): number {
    const starts = this.#starts.get(resource) ?? [];
    const last = starts.at(-1);
    if (last === undefined || starts.length < freeStarts) return 0;
    return last + Math.min(longestPause, firstPause * 2 ** (starts.length - freeStarts));
  }
}

function named({ nodes, balancers }: Snapshot): readonly (readonly [string, Container])[] {
  return [
    ...nodes.map((node) => [nodeResource(nodeName(node)), node.container] as const),
    ...balancers.map(({ group, container }) => [balancerResource(group), container] as const),
  ];
}
