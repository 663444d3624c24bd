import { InterruptedError } from '../../src/base/error.ts';
import type { EngineEvent, EventFilter, ExecStream, StreamCommand } from '../../src/docker/engine.ts';
import { baseName } from './fake-engine-files.ts';
import { reportOf, runCommand, type Surroundings } from './fake-engine-programs.ts';
import type { FakeContainer } from './fake-engine-state.ts';

/** What holds a client's connections: each is called when the client dies. */
type Connections = Set<() => void>;

/** Things that are waited for one by one. */
export class FakeQueue<T> {
  readonly #items: T[] = [];
  #hasEnded = false;
  #wake = (): void => undefined;

  push(...items: readonly T[]): void {
    if (!this.#hasEnded) this.#items.push(...items);
    this.#wake();
  }

  /** What is there already is still given. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  close(): void {
    if (!this.#hasEnded) this.#items.length = 0;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const next = this.#items.shift();
      if (next !== undefined) yield next;
      else if (this.#hasEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** What the engine tells of what it does. */
export class FakeEvents {
  readonly #watchers = new Set<(event: EngineEvent) => void>();

  tell(event: EngineEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  watch(filter: EventFilter, signal: AbortSignal, connections: Connections): AsyncIterable<EngineEvent> {
    const queue = new FakeQueue<EngineEvent>();
    const watcher = (event: EngineEvent): void => {
      if (passes(event, filter)) queue.push(event);
    };
    this.#watchers.add(watcher);
    holdOpen(signal, connections, () => {
      this.#watchers.delete(watcher);
      queue.close();
    });
    return queue;
  }
}

function passes({ type, action, attributes }: EngineEvent, { types, label, actions }: EventFilter): boolean {
  const [name = '', ...value] = label?.split('=') ?? [];
  const bears = label === undefined || (value.length === 0 ? name in attributes : attributes[name] === value.join('='));
  return bears && types.some((each) => each === type) && (actions?.includes(action) ?? true);
}

/** A script of `sh -c` goes on from its `cat` when its standard input closes; any other command has ended at once. */
export function streamCommand(
  container: FakeContainer,
  { command, user }: StreamCommand,
  around: Surroundings,
  signal: AbortSignal,
  connections: Connections,
): ExecStream {
  const lines = new FakeQueue<string>();
  let stderr = '';
  const run = (...words: readonly string[]): void => {
    const ran = runCommand(container, { command: words, ...(user === undefined ? {} : { user }) }, around);
    if ('waiting' in ran) return;
    lines.push(...ran.stdout.split('\n').slice(0, -1));
    stderr = (stderr + ran.stderr).slice(-2000);
  };
  const [program = '', flag = '', script = ''] = command;
  if (program === 'sh' && baseName(flag) === 'heartbeat' && container.view.read(flag) !== undefined) {
    return streamReports(container, flag, around, signal, connections);
  }
  const statements = program === 'sh' && flag === '-c' ? script.split(';').map((each) => each.trim()) : [];
  const held = statements.indexOf('cat');
  if (program !== 'cat' && held < 0) {
    run(...command);
    lines.end();
    return { lines, stderr: () => stderr, close: () => undefined };
  }
  run('sh', '-c', statements.slice(0, Math.max(held, 0)).join(';'));
  const release = holdOpen(signal, connections, () => {
    container.attached.delete(killed);
    if (container.state === 'running') run('sh', '-c', statements.slice(held + 1).join(';'));
    lines.close();
  });
  const killed = (): void => {
    lines.end();
    release();
  };
  container.attached.add(killed);
  return { lines, stderr: () => stderr, close: release };
}

/** Milliseconds; of real time too, by which listeners judge silence. */
const beat = 500;

/** src/postgres/scripts/heartbeat.sh: a report at once and after every change, and again and again meanwhile. */
function streamReports(
  container: FakeContainer,
  script: string,
  around: Surroundings,
  signal: AbortSignal,
  connections: Connections,
): ExecStream {
  const lines = new FakeQueue<string>();
  let last = '';
  const print = (isDue: boolean): void => {
    const report = reportOf(container, script, around);
    if (report === undefined) return;
    const line = JSON.stringify(report);
    if (isDue || line !== last) lines.push(line);
    last = line;
  };
  const tell = (passed: number): void => {
    print(passed >= beat);
  };
  const release = holdOpen(signal, connections, () => {
    clearInterval(timer);
    container.attached.delete(killed);
    container.heartbeats.delete(tell);
    lines.close();
  });
  const timer = setInterval(() => {
    print(true);
  }, beat).unref();
  const killed = (): void => {
    lines.end();
    release();
  };
  container.attached.add(killed);
  container.heartbeats.add(tell);
  tell(0);
  return { lines, stderr: () => '', close: release };
}

/** Calls `close` once, when the signal aborts, the client dies, or what is given back is called. */
export function holdOpen(signal: AbortSignal, connections: Connections, close: () => void): () => void {
  if (signal.aborted) throw new InterruptedError('called off');
  const release = (): void => {
    if (!connections.delete(release)) return;
    signal.removeEventListener('abort', release);
    close();
  };
  connections.add(release);
  signal.addEventListener('abort', release);
  return release;
}
