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

const pollEvery = 200;

/** Exclusive right to change a cluster. It is lost with this process, or with the engine. */
export type Lock = {
  /** Throws `lock-lost` where the lock is no longer held. */
  readonly verify: () => Promise<void>;
  readonly release: () => Promise<void>;
};

export type LockOptions = {
  readonly cluster: string;
  /** Any image of the cluster with `cat` in it. */
  readonly image: string;
  readonly signal: AbortSignal;
  /** Told once for each holder that is waited for. */
  readonly onWait: (holder: string) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
};

/**
 * Takes the lock of a cluster: a container of a name that only one can have, running `cat` on an input that this process
 * holds open. When this process dies, the input closes, `cat` ends and the engine removes the container.
 */
export async function takeLock(engine: Engine, options: LockOptions): Promise<Lock> {
  const name = lockName(options.cluster);
  let told = '';
  let idle = { id: '', since: 0 };
  for (;;) {
    options.signal.throwIfAborted();
    const id = await create(engine, name, options);
    if (id !== undefined) {
      const lock = await hold(engine, id, name);
      if (lock !== undefined) return lock;
      continue;
    }
    const holder = await engine.inspectContainer(name);
    if (holder === undefined) continue;
    assertLock(holder, options.cluster);
    const isIdle = holder.state !== 'running' && holder.state !== 'removing';
    if (!isIdle) idle = { id: '', since: 0 };
    else if (idle.id !== holder.id) idle = { id: holder.id, since: options.now() };
    else if (options.now() - idle.since > staleAfter) await remove(engine, holder.id);
    const who = holder.labels[holderLabel] ?? 'someone';
    if (told !== holder.id) options.onWait(`${who}, since ${new Date(holder.createdAt).toISOString()}`);
    told = holder.id;
    await options.sleep(pollEvery, options.signal);
  }
}

async function create(engine: Engine, name: string, { cluster, image }: LockOptions): Promise<string | undefined> {
  const volumes = (await engine.inspectImage(image))?.volumes ?? [];
  const who = `${userInfo().username}@${hostname()} (process ${String(process.pid)})`;
  return engine
    .createContainer({
      name,
      image,
      entrypoint: ['cat'],
      labels: { ...formatLabels({ cluster, kind: 'lock' }), [holderLabel]: who },
      network: 'none',
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
  try {
    attachment = await engine.attachInput(id);
    await engine.startContainer(id);
  } catch (error) {
    attachment?.close();
    // Taken for stale by someone who waited: begin again.
    if (hasCode(error, 'not-found')) return undefined;
    await remove(engine, id);
    if (hasCode(error, 'reply-lost')) return undefined;
    throw error;
  }
  const held = attachment;
  return {
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
