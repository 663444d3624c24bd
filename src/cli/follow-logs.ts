import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, PgherdError } from '../base/error.ts';
import type { LogLine, LogOptions, OperatorEngine } from '../docker/operator.ts';
import type { Container } from '../docker/types.ts';
import type { Server } from '../reconcile/find.ts';
import { labelNames } from '../reconcile/names.ts';
import { createResume } from './log-resume.ts';

type LogEngine = Pick<OperatorEngine, 'inspectContainer' | 'streamLogs' | 'watchEvents'>;

export type Following = {
  readonly engine: LogEngine;
  /** Those that are wanted, as they are now. */
  readonly list: () => Promise<readonly Server[]>;
  readonly options: Pick<LogOptions, 'since' | 'tail'>;
  readonly print: (server: Server, line: LogLine) => void;
};

/** Milliseconds; a log may end a moment before the engine says that its container has. */
const pause = 100;

/**
 * Prints the logs of containers until the signal, each line once: those of a container that is started again go on, and
 * those of one that is new begin. Fails where the engine goes away.
 */
export async function followLogs(following: Following, signal: AbortSignal): Promise<void> {
  const { engine, list, options } = following;
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  // First, so that nothing that starts after the list is missed.
  const filter = { types: ['container'], label: labelNames.cluster, actions: ['start', 'destroy'] } as const;
  const events = await engine.watchEvents(filter, until);
  const bells = new Map<string, Bell>();
  const failed = new Promise<never>((_, reject) => {
    const meet = (server: Server, from: Following['options']): void => {
      const bell = createBell(until);
      bells.set(server.container.id, bell);
      followOne({ ...following, options: from }, server, bell, until).catch(reject);
    };
    const watch = async (): Promise<void> => {
      for (const server of await list()) meet(server, options);
      for await (const { id, action } of events) {
        bells.get(id)?.ring();
        if (action !== 'start' || bells.has(id)) continue;
        // All that it wrote is new.
        for (const server of await list()) if (!bells.has(server.container.id)) meet(server, {});
      }
      if (until.aborted) return;
      throw new PgherdError('engine-unreachable', 'the engine went away', {
        remedy: 'run the command again when it is back',
      });
    };
    watch().catch(reject);
  });
  try {
    await Promise.race([failed, aborted(signal)]);
  } finally {
    stop.abort();
  }
}

async function followOne(
  { engine, options, print }: Following,
  server: Server,
  bell: Bell,
  signal: AbortSignal,
): Promise<void> {
  const { id } = server.container;
  const resume = createResume();
  let { startedAt } = server.container;
  let from = options;
  for (;;) {
    try {
      for await (const line of await engine.streamLogs(id, { ...from, follow: true }, signal)) {
        if (resume.isNew(line)) print(server, line);
      }
    } catch (error) {
      // It is being removed, or the connection was cut: another look tells.
      if (!hasCode(error, 'not-found', 'reply-lost', 'in-progress', 'interrupted')) throw error;
    }
    const container = await untilRunning(engine, id, bell, signal);
    if (container === undefined) return;
    const since = resume.since();
    // Where no line has come yet, all of a new run is to be told.
    if (since !== undefined) from = { since };
    else if (container.startedAt !== startedAt) from = { since: String(container.startedAt / 1000) };
    startedAt = container.startedAt;
    resume.reopen();
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** The container when it runs; undefined: it is gone, or the wait was called off. */
async function untilRunning(
  engine: LogEngine,
  id: string,
  bell: Bell,
  signal: AbortSignal,
): Promise<Container | undefined> {
  for (;;) {
    if (signal.aborted) return undefined;
    const container = await engine.inspectContainer(id);
    if (container === undefined || container.state === 'running' || container.state === 'paused') return container;
    await bell.wait();
  }
}

/** Something may have changed. */
type Bell = {
  readonly ring: () => void;
  /** Settles with the first ring since the last time, or with the signal. */
  readonly wait: () => Promise<void>;
};

function createBell(signal: AbortSignal): Bell {
  let hasRung = false;
  let wake = (): void => undefined;
  const ring = (): void => {
    hasRung = true;
    wake();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    wait: async () => {
      if (!hasRung) await new Promise<void>((resolve) => (wake = resolve));
      hasRung = signal.aborted;
    },
  };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
