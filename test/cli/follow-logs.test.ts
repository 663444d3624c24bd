import { expect, it } from 'vitest';
import { followLogs } from '../../src/cli/follow-logs.ts';
import type { LogLine, LogOptions } from '../../src/docker/operator.ts';
import { listServers, type Server } from '../../src/reconcile/find.ts';
import { formatLabels } from '../../src/reconcile/names.ts';
import { FakeWorld } from '../bench/fake-engine.ts';
import { until } from '../e2e/support/until.ts';

const labels = (slot: number) => formatLabels({ cluster: 'shop', kind: 'node', group: 'lb1', slot });

/** Logs beside an engine in memory: what is there is given, and more as it comes until the container ends. */
class Logs {
  readonly asked: LogOptions[] = [];
  readonly #lines = new Map<string, LogLine[]>();
  readonly #open = new Map<string, Set<() => void>>();

  write(id: string, second: number): void {
    const at = `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z`;
    this.#lines.set(id, [...(this.#lines.get(id) ?? []), { at, stream: 'stdout', text: `line ${String(second)}` }]);
  }

  /** The connections to a container's log end. */
  end(id: string): void {
    for (const end of this.#open.get(id) ?? []) end();
  }

  /** Whether all that was written was taken, and more is waited for. */
  isFollowed(id: string): boolean {
    return (this.#open.get(id)?.size ?? 0) > 0;
  }

  async stream(id: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<LogLine>> {
    this.asked.push(options);
    const from = options.since === undefined ? 0 : Number(options.since) * 1000;
    const lines = (this.#lines.get(id) ?? []).filter(({ at }) => Date.parse(at) >= from);
    const open = this.#open.get(id) ?? new Set();
    this.#open.set(id, open);
    async function* give(): AsyncGenerator<LogLine> {
      yield* options.tail === undefined ? lines : lines.slice(lines.length - options.tail);
      await new Promise<void>((resolve) => {
        const end = (): void => {
          open.delete(end);
          resolve();
        };
        open.add(end);
        signal.addEventListener('abort', end);
      });
    }
    return give();
  }
}

async function start(): Promise<{
  readonly world: FakeWorld;
  readonly logs: Logs;
  readonly seen: string[];
  readonly run: (slot: number) => Promise<string>;
  readonly follow: (options?: Pick<LogOptions, 'since' | 'tail'>) => () => Promise<void>;
}> {
  const world = new FakeWorld();
  const { engine } = world.connect();
  const logs = new Logs();
  const seen: string[] = [];
  const run = async (slot: number): Promise<string> => {
    const name = `n${String(slot)}`;
    const spec = { name, image: 'postgres:17', entrypoint: ['sleep'], labels: labels(slot), network: 'none' } as const;
    const id = await engine.createContainer(spec);
    await engine.startContainer(id);
    return id;
  };
  const follow = (options: Pick<LogOptions, 'since' | 'tail'> = {}) => {
    const aborter = new AbortController();
    const print = ({ name }: Server, { text }: LogLine): void => void seen.push(`${name}: ${text}`);
    const streamLogs = logs.stream.bind(logs);
    const list = (): Promise<readonly Server[]> => listServers(engine);
    const done = followLogs({ engine: { ...engine, streamLogs }, list, options, print }, aborter.signal);
    return async () => {
      aborter.abort();
      await done;
    };
  };
  return { world, logs, seen, run, follow };
}

function lines(count: number, seen: readonly string[]): Promise<unknown> {
  return until(
    `${String(count)} lines are told`,
    () => seen.length,
    (length) => length >= count,
  );
}

it('goes on when the connection ends while the container runs, with no line lost or told twice', async () => {
  const { logs, seen, run, follow } = await start();
  const id = await run(1);
  logs.write(id, 1);
  const stop = follow();
  await lines(1, seen);
  await until(
    'the end is waited for',
    () => logs.isFollowed(id),
    (holds) => holds,
  );
  logs.write(id, 1);
  logs.write(id, 2);
  logs.end(id);
  await lines(3, seen);
  expect(seen).toEqual(['lb1-replica1: line 1', 'lb1-replica1: line 1', 'lb1-replica1: line 2']);
  await stop();
});

it('waits for the next run of a container that ended, and tells that', async () => {
  const { world, logs, seen, run, follow } = await start();
  const id = await run(1);
  const stop = follow({ tail: 0 });
  await until(
    'it is followed',
    () => logs.isFollowed(id),
    (holds) => holds,
  );
  const { engine } = world.connect();
  await engine.stopContainer(id, 0);
  logs.end(id);
  await engine.startContainer(id);
  logs.write(id, 30);
  await lines(1, seen);
  expect(seen).toEqual(['lb1-replica1: line 30']);
  const startedAt = (await engine.inspectContainer(id))?.startedAt ?? 0;
  expect(logs.asked).toEqual([
    { tail: 0, follow: true },
    { since: String(startedAt / 1000), follow: true },
  ]);
  await stop();
});

it('begins with all of a container that comes later', async () => {
  const { logs, seen, run, follow } = await start();
  const first = await run(1);
  const stop = follow({ tail: 0 });
  await until(
    'it is followed',
    () => logs.isFollowed(first),
    (holds) => holds,
  );
  logs.write(await run(2), 1);
  await lines(1, seen);
  expect(seen).toEqual(['lb1-replica2: line 1']);
  await stop();
});

it('fails where the engine goes away', async () => {
  const { world, logs, run } = await start();
  await run(1);
  const client = world.connect();
  const engine = { ...client.engine, streamLogs: logs.stream.bind(logs) };
  const list = (): Promise<readonly Server[]> => listServers(world.connect().engine);
  const following = followLogs({ engine, list, options: {}, print: () => undefined }, new AbortController().signal);
  const failed = expect(following).rejects.toMatchObject({ code: 'engine-unreachable' });
  await until(
    'it is followed',
    () => logs.asked.length,
    (count) => count === 1,
  );
  client.die();
  await failed;
});
