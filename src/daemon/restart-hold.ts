import type { Engine } from '../docker/engine.ts';
import type { Looked } from '../reconcile/look.ts';
import type { Held, Result } from '../reconcile/work.ts';
import { RestartLimit } from './restart-limit.ts';

/** Lines of a container's log that are shown of one that is not started for now. */
const lines = 5;

/** Says of a cluster what is not to be started for now, with its last words. */
export class RestartHold {
  readonly #limit = new RestartLimit();
  readonly #now: () => number;
  /** By container id. */
  readonly #words = new Map<string, string>();
  #until: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** When the first of what was held last may be started; undefined: nobody waits for a time. */
  get until(): number | undefined {
    return this.#until;
  }

  noteStart(resource: string): void {
    this.#limit.noteStart(resource, this.#now());
  }

  noteWell(resource: string): void {
    this.#limit.noteWell(resource);
  }

  /** The file has changed: what is started now is something else. */
  forget(): void {
    this.#limit.forget();
  }

  find(looked: Looked, engine: Engine): readonly Held[] {
    const now = this.#now();
    const restarts = this.#limit.find(looked, now);
    const times = restarts.flatMap(({ until }) => (until === undefined ? [] : [until]));
    this.#until = times.length === 0 ? undefined : Math.min(...times);
    // Told from the next look on: nothing waits for a log.
    for (const id of this.#words.keys())
      if (!restarts.some(({ container }) => container === id)) this.#words.delete(id);
    for (const { container } of restarts) void this.#readWords(engine, container);
    return restarts.map(({ resource, container, message, until }) => {
      const wait = until === undefined ? '' : `; the next start is in ${String(Math.ceil((until - now) / 1000))} s`;
      const words = this.#words.get(container);
      return { resource, message: `${message}${wait}${words === undefined ? '' : `; it said: ${words}`}` };
    });
  }

  async #readWords(engine: Engine, container: string): Promise<void> {
    const log = await engine.readLogs(container, lines).catch(() => '');
    if (log !== '') this.#words.set(container, log.trim().split('\n').join(' | '));
  }
}

/** A turn that is to try again has come to no end: what was held, and has failed in it once more, is in the way as before. */
export function withStillHeld(result: Result, before: Result | undefined): Result {
  if (result.stopped !== 'retry' || before === undefined) return result;
  const isStill = ({ resource }: Held): boolean =>
    result.failures.some((each) => each.resource === resource) &&
    !result.held.some((each) => each.resource === resource);
  return { ...result, held: [...result.held, ...before.held.filter(isStill)] };
}
