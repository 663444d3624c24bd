import { setTimeout as delay } from 'node:timers/promises';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { engineHost } from '../e2e/support/engine.ts';
import type { Result, Running } from '../e2e/support/cluster.ts';
import type { Fault, StalledKind } from './fault-sequence.ts';
import { dieLater, harm, type Injected } from './injected.ts';
import { signal } from './processes.ts';
import type { Stage } from './stage.ts';

type Stalled = Extract<Fault, { kind: StalledKind }>;

/** Seconds that a command is given, and milliseconds in which it has to have ended, however it was held up. */
const patienceSeconds = '20';
const limitMs = 60_000;

/**
 * Runs a command that asks something of whoever keeps the cluster, and suspends it when it is about to write for the
 * first time: what it has read is old by then. Meanwhile the leader may die.
 */
export async function stallCommand(fault: Stalled, stage: Stage, leader: string): Promise<Injected> {
  const isFailover = fault.kind === 'stalled-failover';
  // Nobody fails over from a leader that answers: it dies first.
  const began = isFailover ? await dieBefore(fault, leader) : undefined;
  const command = await Command.start(stage, argumentsOf(fault, stage), fault.stallMs);
  await command.isAtItsWrite;
  const die = isFailover ? () => Promise.resolve(began) : () => dieLater(fault.death, leader);
  return harm(die, { finish: () => finish(fault, stage, command) });
}

async function dieBefore({ death }: Stalled, leader: string): Promise<{ readonly began: number }> {
  const called = performance.now();
  const { began = called } = (await dieLater(death && { ...death, afterMs: 0 }, leader)) ?? {};
  await delay(death?.afterMs ?? 0);
  return { began };
}

function argumentsOf({ kind }: Stalled, { cluster, group }: Stage): readonly string[] {
  if (kind === 'stalled-pause') return ['pause', cluster.name];
  const command = kind === 'stalled-switchover' ? 'switchover' : 'failover';
  return [command, group, cluster.file, '--timeout', patienceSeconds];
}

/** Gives what the command said. A cluster that was paused is resumed. */
async function finish(fault: Stalled, stage: Stage, command: Command): Promise<string> {
  const { code, stdout, stderr } = await command.end();
  const said = `exit ${String(code)}: ${lastLine(stderr) || lastLine(stdout)}`;
  if (code === null) throw new Error(`${fault.kind} has not ended within ${limitMs} ms: ${said}`);
  if (fault.kind !== 'stalled-pause') return said;
  if (code === 0) await expectPaused(stage);
  await delay(fault.pausedMs);
  const resumed = await stage.tell(['resume', stage.cluster.name]);
  if (resumed.code !== 0) throw new Error(`resume exits ${String(resumed.code)}: ${resumed.stderr}`);
  return said;
}

async function expectPaused(stage: Stage): Promise<void> {
  const { stdout, stderr } = await stage.tell(['status', '--format', 'json', stage.cluster.file]);
  if (!stdout.includes('"paused"'))
    throw new Error(`pause said that it was done, and status knows of none: ${stdout}${stderr}`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** A pgherd that is suspended once, before the first of its calls that changes anything. */
class Command {
  /** Or has ended. */
  readonly isAtItsWrite: Promise<unknown>;
  readonly #running: Running;
  readonly #proxy: Proxy;

  private constructor(running: Running, proxy: Proxy, stalled: Promise<unknown>) {
    this.#running = running;
    this.#proxy = proxy;
    this.isAtItsWrite = Promise.race([stalled, running.done]);
  }

  static async start(stage: Stage, args: readonly string[], stallMs: number): Promise<Command> {
    const proxy = await startProxy({ upstream: await engineHost() });
    const running = await stage.spawnPgherd(args, { host: proxy.host, timeoutMs: limitMs });
    let suspended: Promise<void> | undefined;
    const stalled = new Promise<void>((resolve) => {
      // What it had sent already when it was suspended is held back as long.
      const hold = (): Promise<void> => {
        suspended ??= suspend(running, stallMs);
        resolve();
        return suspended;
      };
      proxy.inject({ when: ({ mutating }) => mutating, act: 'delay', ms: 0, times: Infinity, onHit: hold });
    });
    return new Command(running, proxy, stalled);
  }

  async end(): Promise<Result> {
    try {
      return await this.#running.done;
    } finally {
      await this.#proxy.close();
    }
  }
}

async function suspend({ child: { pid } }: Running, ms: number): Promise<void> {
  if (pid === undefined) return;
  signal(pid, 'SIGSTOP');
  await delay(ms);
  signal(pid, 'SIGCONT');
}
