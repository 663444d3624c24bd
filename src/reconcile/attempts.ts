import type { Step } from './plan.ts';

/** What was tried again and again without success. */
export type InVain = { readonly resource: string; readonly container: string; readonly what: string };

/** Clones of a node that may be cut short, and starts after which it never answered, before a run gives up. */
const mostClones = 4;
const mostStarts = 4;

/** Counts what a run tries that nobody follows up; a daemon waits longer and longer instead. */
export class Attempts {
  /** By resource. */
  readonly #clones = new Map<string, number>();
  readonly #starts = new Map<string, number>();

  noteDone({ resource, action }: Step): void {
    if (action.do === 'start' || action.do === 'restart') increase(this.#starts, resource);
    if (action.do !== 'discard-clone') return;
    increase(this.#clones, resource);
    this.#starts.delete(resource);
  }

  /** It has answered: its earlier ends do not count any more. */
  noteWell(resource: string): void {
    this.#starts.delete(resource);
  }

  /** What these steps would try once too often. */
  find(steps: readonly Step[]): readonly InVain[] {
    return steps.flatMap(({ resource, action }) => {
      if (action.do === 'discard-clone' && (this.#clones.get(resource) ?? 0) >= mostClones) {
        const what = `its clone was cut short ${String(mostClones + 1)} times`;
        return [{ resource, container: action.node.container, what }];
      }
      if (action.do === 'start' && (this.#starts.get(resource) ?? 0) >= mostStarts) {
        const what = `it ended soon after each of ${String(mostStarts)} starts`;
        return [{ resource, container: action.container, what }];
      }
      return [];
    });
  }
}

function increase(counts: Map<string, number>, resource: string): void {
  counts.set(resource, (counts.get(resource) ?? 0) + 1);
}
