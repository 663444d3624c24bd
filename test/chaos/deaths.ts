import { writeFile } from 'node:fs/promises';
import { docker, dockerResult } from '../e2e/support/engine.ts';
import { findPostmaster, isThere, type Process } from '../e2e/support/postmaster.ts';
import { until } from '../e2e/support/until.ts';
import type { DeathKind } from './fault-sequence.ts';

/** Has a server die, unless it has ended by then, to hand over; gives since when it was about to, where that took a while. */
export async function die(how: DeathKind, container: string): Promise<{ readonly began: number } | undefined> {
  try {
    return await end(how, container);
  } catch (error) {
    const { stdout } = await dockerResult(['inspect', '--format', '{{.State.Running}}', container]);
    if (stdout.trim() === 'true') throw error;
    return undefined;
  }
}

async function end(how: DeathKind, container: string): Promise<{ readonly began: number } | undefined> {
  switch (how) {
    case 'kill':
      await docker('kill', container);
      return undefined;
    case 'kill-postmaster':
      return killPostmaster(container);
    case 'remove':
      await docker('rm', '--force', container);
      return undefined;
    case 'out-of-memory':
      return runOutOfMemory(container);
  }
}

async function killPostmaster(container: string): Promise<{ readonly began: number }> {
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
async function runOutOfMemory(container: string): Promise<{ readonly began: number }> {
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
