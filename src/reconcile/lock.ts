import { hostname, userInfo } from 'node:os';
import { PgherdError, hasCode } from '../base/error.ts';
import type { Attachment, Engine } from '../docker/engine.ts';
import type { Container } from '../docker/types.ts';
import { formatLabels, labelNames, lockName } from './names.ts';

/** Who holds a lock, for the message of who waits. */
const holderLabel = 'pgherd.holder';

/**
 * Milliseconds for which a lock must have been seen not to run before it counts as nobody's: its maker died between
 * creating and starting it. Counted by the clock of who waits, since the engine's may be another.
 */
const staleAfter = 3000;

/** Exclusive right to change a cluster. It is lost with this process, or with the engine. */
export type Lock = {
  /** Epoch milliseconds by the engine's clock: when it was taken. */
  readonly since: number;
  /** Throws `lock-lost` where the lock is no longer held. */
  readonly verify: () => Promise<void>;
  readonly release: () => Promise<void>;
  /** Settles when it is known to be lost or released; the engine's word may come later. */
  readonly lost: Promise<void>;
};

/** Who has the lock instead. */
export type Holder = {
  readonly id: string;
  /** For people: who, where and since when. */
  readonly who: string;
  /** It does not run: its maker is between making and starting it, or died there. */
  readonly isIdle: boolean;
};

export type LockSeekerOptions = {
  readonly cluster: string;
  /** Any image of the cluster with a shell in it. */
  readonly image: string;
  /** What the holder is to be called beside its user, host and process, e.g. `daemon`. */
  readonly title?: string | undefined;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
};

export type LockOptions = LockSeekerOptions & {
  readonly signal: AbortSignal;
  /** Told once for each holder that is waited for. */
  readonly onWait: (holder: string) => void;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
};

/** Milliseconds between two lines by which the holder shows that it lives. */
const beatInterval = 5000;

/** Seconds without one after which the lock ends: its holder was suspended, or its machine is gone without a word. */
const silentSeconds = 30;

/** Reads lines until there are none for so long, or no more. `read -t` is not in every sh: without it a lock ends with its holder only. */
const lockScript = `for sh in bash sh; do
  echo | "$sh" -c 'read -r -t 10 _' 2>/dev/null && exec "$sh" -c 'while read -r -t ${String(silentSeconds)} _; do :; done'
done
exec cat >/dev/null`;

/** Milliseconds between two attempts at a lock that is held. */
export const lockPollMilliseconds = 200;

/**
 * Takes the lock of a cluster where it is free: a container of a name that only one can have, which reads an input that this
 * process holds open. When this process dies, the input closes; when it is suspended, nothing comes: either way the reader
 * ends, and the engine removes the container.
 */
export class LockSeeker {
  readonly #engine: Engine;
  readonly #options: LockSeekerOptions;
  #idle = { id: '', since: 0 };

  constructor(engine: Engine, options: LockSeekerOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** The lock, or who has it. One that is seen not to run for long enough, over several calls, is taken over. */
  async seek(): Promise<Lock | Holder> {
    const name = lockName(this.#options.cluster);
    for (;;) {
      const id = await create(this.#engine, name, this.#options);
      if (id !== undefined) {
        const lock = await hold(this.#engine, id, name);
        if (lock !== undefined) return lock;
        continue;
      }
      const container = await this.#engine.inspectContainer(name);
      if (container === undefined) continue;
      assertLock(container, this.#options.cluster);
      const isIdle = container.state !== 'running' && container.state !== 'removing';
      if (await this.#removeStale(container.id, isIdle)) continue;
      return { id: container.id, who: describeHolder(container), isIdle };
    }
  }

  async #removeStale(id: string, isIdle: boolean): Promise<boolean> {
    const now = this.#options.now();
    if (!isIdle) this.#idle = { id: '', since: 0 };
    else if (this.#idle.id !== id) this.#idle = { id, since: now };
    else if (now - this.#idle.since > staleAfter) {
      await remove(this.#engine, id);
      return true;
    }
    return false;
  }
}

export function isLock(found: Lock | Holder): found is Lock {
  return 'verify' in found;
}

/** Who has the lock of a cluster now, as a person reads it; undefined: nobody. */
export async function findHolder(engine: Engine, cluster: string): Promise<string | undefined> {
  const container = await engine.inspectContainer(lockName(cluster));
  return container?.state === 'running' ? describeHolder(container) : undefined;
}

/** Takes the lock of a cluster, and waits for it as long as the signal lets it. */
export async function takeLock(engine: Engine, options: LockOptions): Promise<Lock> {
  const seeker = new LockSeeker(engine, options);
  let told = '';
  for (;;) {
    options.signal.throwIfAborted();
    const found = await seeker.seek();
    if (isLock(found)) return found;
    if (told !== found.id) options.onWait(found.who);
    told = found.id;
    await options.sleep(lockPollMilliseconds, options.signal);
  }
}

function describeHolder({ labels, createdAt }: Container): string {
  return `${labels[holderLabel] ?? 'someone'}, since ${new Date(createdAt).toISOString()}`;
}

async function create(
  engine: Engine,
  name: string,
  { cluster, image, title }: LockSeekerOptions,
): Promise<string | undefined> {
  const volumes = (await engine.inspectImage(image))?.volumes ?? [];
  const what = title === undefined ? '' : `${title}, `;
  const who = `${userInfo().username}@${hostname()} (${what}process ${String(process.pid)})`;
  return engine
    .createContainer({
      name,
      image,
      entrypoint: ['sh', '-c', lockScript],
      labels: { ...formatLabels({ cluster, kind: 'lock' }), [holderLabel]: who },
      network: 'none',
      // As the first process of its container a shell minds no other: an engine that stops would wait for it for 10 s.
      stopSignal: 'SIGKILL',
      stdinOnce: true,
      autoRemove: true,
      readOnly: true,
      dropCapabilities: true,
      // Over the places the image declares as volumes, which would each become an anonymous one.
      tmpfs: Object.fromEntries(volumes.map((path) => [path, ''])),
    })
    .catch((error: unknown) => {
      // Of a lost reply the container may be there, unheld: it is then waited for as anyone's, and found stale.
      if (hasCode(error, 'name-taken', 'reply-lost')) return undefined;
      throw error;
    });
}

// Attached before it is started, so that there is no moment at which it runs and nobody holds it.
async function hold(engine: Engine, id: string, name: string): Promise<Lock | undefined> {
  let attachment: Attachment | undefined;
  let since: number;
  try {
    attachment = await engine.attachInput(id);
    await engine.startContainer(id);
    since = (await engine.inspectContainer(id))?.createdAt ?? 0;
  } catch (error) {
    attachment?.close();
    // Taken for stale by someone who waited: begin again.
    if (hasCode(error, 'not-found')) return undefined;
    await remove(engine, id);
    if (hasCode(error, 'reply-lost')) return undefined;
    throw error;
  }
  const held = attachment;
  const beat = setInterval(() => {
    held.write('\n');
  }, beatInterval);
  beat.unref();
  void held.closed.then(() => {
    clearInterval(beat);
  });
  return {
    since,
    lost: held.closed,
    verify: async () => {
      const container = await engine.inspectContainer(id);
      if (container?.state === 'running') return;
      throw new PgherdError('lock-lost', `the lock ${name} was lost; nothing more is changed`, {
        remedy: 'run the command again',
        retry: true,
      });
    },
    release: async () => {
      held.close();
      await remove(engine, id);
    },
  };
}

// It removes itself too, and so may others who found it stale; who comes first does not matter.
async function remove(engine: Engine, id: string): Promise<void> {
  await engine.removeContainer(id).catch((error: unknown) => {
    if (!hasCode(error, 'in-progress', 'not-found', 'reply-lost')) throw error;
  });
}

function assertLock(holder: Container, cluster: string): void {
  if (holder.labels[labelNames.cluster] === cluster && holder.labels[labelNames.kind] === 'lock') return;
  throw new PgherdError('name-taken', `the container ${holder.name} is not pgherd's, and has the name of its lock`, {
    remedy: `remove it with \`docker rm ${holder.name}\` if nobody needs it`,
  });
}
