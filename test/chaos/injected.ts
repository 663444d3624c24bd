import { setTimeout as delay } from 'node:timers/promises';
import { docker } from '../e2e/support/engine.ts';
import { die } from './deaths.ts';
import type { LateDeath } from './fault-sequence.ts';

/** A fault that is in force. */
export type Injected = {
  /** On the monotonic clock: when it was about to be done, and when it was done. */
  readonly began: number;
  readonly inForce: number;
  /**
   * Does what belongs to it later, while somebody waits for the next write, and gives what is worth a word. To be called
   * at once. Throws if pgherd has not done what it said.
   */
  finish(): Promise<string | undefined>;
  /** Undoes what would never end, once there was a write, or none for too long. */
  release(): Promise<void>;
};

/** What was done may have harmed nothing until later. */
export type Began = { readonly began: number };

export type Afterwards = {
  readonly finish?: () => Promise<string | undefined>;
  readonly release?: () => Promise<void>;
};

/** Does it; `act` may say that it took a while until it harmed anything. */
export async function harm(
  act: () => Promise<Began | undefined>,
  { finish, release }: Afterwards = {},
): Promise<Injected> {
  const called = performance.now();
  const { began = called } = (await act()) ?? {};
  return {
    began,
    inForce: performance.now(),
    finish: finish ?? (() => Promise.resolve(undefined)),
    release: release ?? (() => Promise.resolve()),
  };
}

/** What was set up is undone where it comes to no fault. */
export async function orUndo<T>(act: () => Promise<T>, undo: () => Promise<void>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    await undo();
    throw error;
  }
}

/** The leader dies after a while, or goes on. */
export async function dieLater(death: LateDeath | undefined, container: string): Promise<Began | undefined> {
  if (death === undefined) return undefined;
  await delay(death.afterMs);
  const began = performance.now();
  return (await die(death.how, container)) ?? { began };
}

export async function run(...command: readonly string[]): Promise<undefined> {
  await docker(...command);
}
