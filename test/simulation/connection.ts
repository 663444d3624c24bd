import { PgherdError } from '../../src/base/error.ts';
import type { Engine, ExecCommand } from '../../src/docker/engine.ts';
import type { FakeClient } from '../bench/fake-engine.ts';
import { between, type Random } from '../chaos/random.ts';
import type { VirtualClock } from './clock.ts';
import { toFailure } from '../../src/docker/failure.ts';

/** What befalls a call: its answer is lost, before it was done or after, or comes late. */
export type CallMishap = 'lost' | 'answer-lost' | { readonly late: number };

export type ConnectionOptions = {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly connect: () => FakeClient;
  readonly mishapOf: (method: string) => CallMishap | undefined;
  readonly trace: ((text: string) => void) | undefined;
  /** Told of each call as it is made. */
  readonly watch: (method: string, args: readonly unknown[]) => void;
};

type Method = Exclude<keyof Engine, 'host'>;

/** Those that hold something open. */
const holding: ReadonlySet<string> = new Set(['attachInput', 'execStream', 'watchEvents']);

const reads: ReadonlySet<string> = new Set([
  ...['listContainers', 'inspectContainer', 'findPortHolder', 'listNetworks', 'inspectNetwork', 'listVolumes'],
  ...['inspectVolume', 'listVolumeUsers', 'inspectImage', 'readLink', 'readArchive', 'readLogs', 'watchEvents'],
  ...['execStream', 'pathExists'],
]);

/** The connection of one process to the engine, which takes time, breaks, and is left alone while the process is suspended. */
export class Connection {
  readonly engine: Engine;
  readonly #options: ConnectionOptions;
  readonly #client: FakeClient;
  isDead = false;
  /** The engine is away. */
  isDown = false;
  #resumed: Promise<void> | undefined;
  #resume: (() => void) | undefined;
  /** Calls made so far. */
  calls = 0;
  /** Told before each call. */
  onCall: ((method: string, args: readonly unknown[]) => void) | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#client = options.connect();
    const raw = this.#client.engine;
    const methods = (Object.keys(raw) as (keyof Engine)[]).filter((name): name is Method => name !== 'host');
    const calls = methods.map((method) => {
      const call = raw[method] as (...args: unknown[]) => Promise<unknown>;
      return [method, (...args: unknown[]) => this.#call(method, args, () => call(...args))] as const;
    });
    this.engine = { host: raw.host, ...(Object.fromEntries(calls) as Omit<Engine, 'host'>) };
  }

  get name(): string {
    return this.#options.name;
  }

  get isSuspended(): boolean {
    return this.#resumed !== undefined;
  }

  /** Nothing of it happens until `resume`; what it has asked for is done. */
  suspend(): void {
    this.#resumed ??= new Promise((resolve) => (this.#resume = resolve));
  }

  resume(): void {
    this.#resumed = undefined;
    this.#resume?.();
  }

  die(): void {
    this.isDead = true;
    this.#client.die();
    this.resume();
  }

  /** The engine went away, or came back. */
  setDown(isDown: boolean): void {
    this.isDown = isDown;
    if (isDown) this.#client.disconnect();
  }

  async #call(method: string, args: readonly unknown[], call: () => Promise<unknown>): Promise<unknown> {
    const { clock, random, name, mishapOf, trace } = this.#options;
    this.calls += 1;
    this.onCall?.(method, args);
    await this.#gate();
    const mishap = mishapOf(method);
    this.#options.watch(method, args);
    if (trace !== undefined && !reads.has(method)) trace(`${name}: ${method} ${describe(args)}`);
    await clock.sleep(reads.has(method) ? 0.2 + random() * 2 : 1 + random() * 15);
    this.#assertUp();
    if (mishap === 'lost') throw lost(method);
    // What is under way when a process dies may still be done.
    if (this.isDead && !holding.has(method) && random() < 0.5) return this.#callAsGhost(method, args);
    if (this.isDead) return new Promise(() => undefined);
    const answer = await (method === 'exec' ? this.#wait(args, call) : call()).catch(async (error: unknown) => {
      await this.#gate();
      throw error;
    });
    if (mishap !== undefined) {
      trace?.(`${name}: the answer to ${method} is ${mishap === 'answer-lost' ? 'lost' : 'late'}`);
      if (mishap === 'answer-lost') throw lost(method);
      await clock.sleep(mishap.late);
    }
    await this.#gate();
    this.#assertUp();
    return answer;
  }

  // The wait for a command ends with its deadline or its signal; the command does not.
  async #wait(args: readonly unknown[], call: () => Promise<unknown>): Promise<unknown> {
    const { clock } = this.#options;
    const { deadline = 60_000, signal } = args[1] as ExecCommand;
    const failure = (): PgherdError => toFailure(signal?.reason, { what: 'exec', host: 'the simulation' });
    if (signal?.aborted === true) throw failure();
    return new Promise((resolve, reject) => {
      const timer = clock.after(deadline, () => {
        reject(new PgherdError('engine-timeout', 'exec: no answer in time', { retry: true }));
      });
      const callOff = (): void => {
        reject(failure());
      };
      signal?.addEventListener('abort', callOff, { once: true });
      call()
        .then(resolve, reject)
        .finally(() => {
          timer.call = undefined;
          signal?.removeEventListener('abort', callOff);
        });
    });
  }

  async #gate(): Promise<void> {
    while (this.#resumed !== undefined) await this.#resumed;
    // Nothing comes back to who is dead.
    if (this.isDead) await new Promise(() => undefined);
  }

  #assertUp(): void {
    if (this.isDown) throw new PgherdError('engine-unreachable', 'no engine answers', { retry: true });
  }

  async #callAsGhost(method: string, args: readonly unknown[]): Promise<unknown> {
    const { engine } = this.#options.connect();
    this.#options.trace?.(`${this.#options.name}: ${method} is done though it died`);
    await (engine[method as Method] as (...all: readonly unknown[]) => Promise<unknown>)(...args).catch(
      () => undefined,
    );
    return new Promise(() => undefined);
  }
}

function lost(method: string): PgherdError {
  return new PgherdError('reply-lost', `${method}: the connection broke`, { retry: true });
}

function describe(args: readonly unknown[]): string {
  return args
    .map((arg) => {
      if (typeof arg === 'string') return arg.length > 20 && /^[0-9a-f]+$/.test(arg) ? arg.slice(0, 6) : arg;
      if (Array.isArray(arg)) {
        return arg.flatMap((entry: { type?: string; path?: string; target?: string }) =>
          entry.type === 'link' ? [`${entry.path ?? ''}->${entry.target ?? ''}`] : [],
        );
      }
      if (arg === null || typeof arg !== 'object') return String(arg);
      if ('command' in arg)
        return (arg.command as readonly string[])
          .map((word) => word.slice(-60))
          .slice(-5)
          .join(' ');
      if ('name' in arg) return String(arg.name);
      return JSON.stringify(arg);
    })
    .join(' ');
}

/** A moment that a process is suspended for. */
export function moment(random: Random): number {
  return random() < 0.5 ? between(random, 50, 1500) : between(random, 1500, 9000);
}
