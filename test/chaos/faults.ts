import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { docker, dockerResult } from '../e2e/support/engine.ts';
import { findPostmaster, isThere, type Process } from '../e2e/support/postmaster.ts';
import { until } from '../e2e/support/until.ts';
import type { DeathKind, Fault } from './fault-sequence.ts';
import type { Stage } from './stage.ts';

/** A fault that is in force. */
export type Injected = {
  /** On the monotonic clock: when it was about to be done, and when it was done. */
  readonly began: number;
  readonly inForce: number;
  /** Does what belongs to it later, and undoes what would never end. To be called at once. */
  finish(): Promise<void>;
};

/** Does it to whoever leads. */
export async function inject(fault: Fault, stage: Stage): Promise<Injected> {
  const { container } = (await stage.awaitLeader(limitMs)).node;
  switch (fault.kind) {
    case 'kill':
    case 'kill-postmaster':
    case 'remove':
    case 'out-of-memory':
      return harm(() => die(fault.kind, container));
    case 'pause':
      return harm(
        () => run('pause', container),
        () => unpause(container, fault.ms),
      );
    case 'stop-postmaster': {
      const postmaster = await findPostmaster(container);
      return harm(
        async () => void process.kill(postmaster.pid, 'SIGSTOP'),
        () => continueProcess(postmaster, fault.ms),
      );
    }
    case 'disconnect':
      return harm(() => disconnect(stage, container, fault.from));
    case 'kill-controller':
      return harm(
        () => die(fault.during, container),
        () => replaceController(stage, fault),
      );
    case 'kill-next-leader':
      await docker('kill', container);
      return harmNextLeader(stage);
    case 'kill-two':
      return harm(() => killTwo(stage, container, fault.replica));
    case 'restart-engine':
      return harm(
        () => stage.engine.end(fault.by).then(() => undefined),
        async () => {
          await delay(fault.ms);
          await stage.engine.start();
        },
      );
  }
}

/** How long to wait for someone to lead. */
const limitMs = 60_000;

/** `act` may say that it took a while until it harmed anything. */
async function harm(
  act: () => Promise<Began | undefined>,
  finish: () => Promise<void> = () => Promise.resolve(),
): Promise<Injected> {
  const called = performance.now();
  const { began = called } = (await act()) ?? {};
  return { began, inForce: performance.now(), finish };
}

type Began = { readonly began: number };

async function run(...command: readonly string[]): Promise<undefined> {
  await docker(...command);
}

function die(how: DeathKind, container: string): Promise<Began | undefined> {
  switch (how) {
    case 'kill':
      return run('kill', container);
    case 'kill-postmaster':
      return killPostmaster(container);
    case 'remove':
      return run('rm', '--force', container);
    case 'out-of-memory':
      return runOutOfMemory(container);
  }
}

async function killPostmaster(container: string): Promise<Began> {
  const postmaster = await findPostmaster(container);
  const began = performance.now();
  process.kill(postmaster.pid, 'SIGKILL');
  await expectEnd(postmaster);
  return { began };
}

/**
 * The limit of the container is reached by a program in it that takes ever more memory, and the kernel has to kill
 * something. It would be that program, the largest there is, so the postmaster is marked as the one to be killed
 * first. (A limit lowered on the way would be refused where more is in use, and the daemon would put it right.)
 */
async function runOutOfMemory(container: string): Promise<Began> {
  const limit = await docker('inspect', '--format', '{{.HostConfig.Memory}}', container);
  if (limit === '0') throw new Error(`${container} has no limit, so that it would be the host that ran out of memory`);
  const postmaster = await findPostmaster(container);
  await writeFile(`/proc/${postmaster.pid}/oom_score_adj`, '1000');
  // It keeps all it reads, as there is no line to it, and goes down with the container: nobody waits for its client.
  const command = ['exec', container, 'sh', '-c', `head -c ${limit} /dev/zero | tail`];
  void dockerResult(command, { timeoutMs: 20_000 }).catch(() => undefined);
  return { began: await expectEnd(postmaster) };
}

/** Gives when it was last seen alive. */
async function expectEnd(postmaster: Process): Promise<number> {
  let alive = performance.now();
  await until(
    `process ${postmaster.pid} has ended`,
    async () => {
      const now = performance.now();
      const isAlive = await isThere(postmaster);
      if (isAlive) alive = now;
      return isAlive;
    },
    (isAlive) => !isAlive,
  );
  return alive;
}

/** Whoever else unpauses, kills or removes it does well. */
async function unpause(container: string, ms: number): Promise<void> {
  await delay(ms);
  await dockerResult(['unpause', container]);
}

/** It may have been killed by then. */
async function continueProcess(postmaster: Process, ms: number): Promise<void> {
  await delay(ms);
  if (await isThere(postmaster)) process.kill(postmaster.pid, 'SIGCONT');
}

async function disconnect(
  stage: Stage,
  container: string,
  from: (Fault & { kind: 'disconnect' })['from'],
): Promise<undefined> {
  const own = stage.cluster.name;
  const networks = [...(from === 'write network' ? [] : [own]), ...(from === 'own network' ? [] : [`${own}_rw`])];
  for (const network of networks) await docker('network', 'disconnect', '--force', network, container);
}

async function replaceController(stage: Stage, fault: Fault & { kind: 'kill-controller' }): Promise<void> {
  await delay(fault.afterMs);
  await stage.daemon.kill();
  await delay(fault.awayMs);
  await stage.startDaemon();
}

async function harmNextLeader(stage: Stage): Promise<Injected> {
  const next = await stage.awaitLeader(limitMs);
  return harm(() => run('kill', next.node.container));
}

async function killTwo(stage: Stage, leader: string, replica: 0 | 1): Promise<undefined> {
  const others = stage.nodes.filter(({ container }) => container !== leader);
  const other = others[replica];
  if (other === undefined) throw new Error(`there is no replica ${replica + 1}`);
  await Promise.all([leader, other.container].map((container) => docker('kill', container)));
}
