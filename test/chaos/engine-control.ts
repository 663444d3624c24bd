import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { engineHost } from '../e2e/support/engine.ts';
import { PrivateEngine } from '../e2e/support/private-engine.ts';
import type { EngineControl } from './stage.ts';

type Order = 'kill' | 'stop' | 'start';

/** Says to this program that it runs beside a private engine, by its parent. */
const marker = 'CHAOS_PRIVATE_ENGINE';

/**
 * Runs this program again, beside an engine of its own, and gives its exit code. It has to be another process, in the
 * engine's network: neither nodes nor published ports can be reached from elsewhere. That process gives the orders.
 */
export async function runOnPrivateEngine(images: readonly string[]): Promise<number> {
  const shared = await engineHost();
  const engine = await PrivateEngine.create();
  try {
    await engine.start();
    await engine.load(images, shared);
    const network = `--net=/proc/${await findEngineProcess(engine.host)}/ns/net`;
    const child = spawn('nsenter', [network, process.execPath, ...process.argv.slice(1)], {
      env: { ...process.env, DOCKER_HOST: engine.host, [marker]: '1' },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (order: Order) => {
      void obey(engine, order).then(
        () => child.send({ done: order }),
        (error: unknown) => child.send({ failed: String(error) }),
      );
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await engine.cleanup();
  }
}

/** The engine that the parent of this process has started for it; undefined where there is none. */
export function parentsEngine(): EngineControl | undefined {
  if (process.env[marker] === undefined) return undefined;
  return { end: (by) => order(by), start: () => order('start') };
}

async function obey(engine: PrivateEngine, order: Order): Promise<void> {
  switch (order) {
    case 'kill':
      return engine.kill();
    case 'stop':
      return engine.stop();
    case 'start':
      return engine.start();
  }
}

async function order(what: Order): Promise<void> {
  const answered = once(process, 'message');
  process.send?.(what);
  const [{ failed }] = (await answered) as [{ readonly failed?: string }];
  if (failed !== undefined) throw new Error(failed);
}

/** The engine that listens there, not the program in our own network that has started it. */
async function findEngineProcess(host: string): Promise<number> {
  const own = await readlink('/proc/self/ns/net');
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (!command.startsWith('dockerd\0') || !command.includes(host)) continue;
    if ((await readlink(`/proc/${name}/ns/net`).catch(() => own)) !== own) return Number(name);
  }
  throw new Error(`no engine listens at ${host}`);
}
