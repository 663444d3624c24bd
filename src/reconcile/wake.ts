import { once } from 'node:events';
import { InterruptedError } from '../base/error.ts';

/** Calls off the waits of a run when the world has changed, so that it is looked at again. */
export class Wake {
  #controller = new AbortController();

  /** Of the round that `renew` began. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  fire(): void {
    this.#controller.abort(new InterruptedError('something changed meanwhile'));
  }

  /** What was fired before is seen by the look that follows. */
  renew(): AbortSignal {
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    return this.#controller.signal;
  }
}

/** Resolves when a signal is aborted. */
export async function calledOff(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
