import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCall, type Call, type OpenCall } from './calls.ts';
import { relay } from './relay.ts';
import type { EventFate } from './relay-events.ts';
import { Rules, type Injection, type Rule } from './rules.ts';

export type { Call, CallKind } from './calls.ts';
export type { EventFate } from './relay-events.ts';
export type { Injection, Rule } from './rules.ts';

export type ProxyOptions = {
  /** Socket of the real engine: a path, or a DOCKER_HOST (`unix://…`, `tcp://host:port`). */
  readonly upstream: string;
  /** Where to listen; a new temporary directory unless given. */
  readonly socketPath?: string;
  /** What becomes of each event that the engine tells; they pass unless given. */
  readonly fateOf?: () => EventFate;
};

export type Proxy = {
  readonly socketPath: string;
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Every call since the start or the last reset, in order of arrival. */
  readonly calls: readonly Call[];
  /** The calls that change something; with `exec` also the execs. */
  mutating(options?: { readonly exec?: boolean }): readonly Call[];
  /** Forgets all calls and rules; calls under way go on unrecorded. */
  reset(): void;
  inject(rule: Rule): Injection;
  /** Cuts every connection; new ones are accepted. */
  cut(): void;
  close(): Promise<void>;
};

/** Starts a recording proxy before a Docker engine. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const directory = options.socketPath === undefined ? await mkdtemp(join(tmpdir(), 'pgherd-proxy-')) : undefined;
  const socketPath = options.socketPath ?? join(directory ?? '', 'docker.sock');
  const calls: OpenCall[] = [];
  const rules = new Rules();
  const sockets = new Set<Socket>();

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const recorder = {
    arrive: (head: Parameters<typeof openCall>[0]): OpenCall => {
      const call = openCall(head, calls.length);
      calls.push(call);
      return call;
    },
    claim: (call: OpenCall) => rules.claim(call, calls),
    fateOf: options.fateOf,
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const engine = connect({ ...address(options.upstream), allowHalfOpen: true });
    pair(client, engine, sockets);
    relay(client, engine, recorder).catch((error: unknown) => {
      process.stderr.write(`proxy: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));

  return {
    socketPath,
    host: `unix://${socketPath}`,
    calls,
    mutating: ({ exec = false } = {}) => calls.filter((call) => call.mutating || (exec && call.kind === 'exec')),
    reset: () => {
      calls.length = 0;
      rules.clear();
    },
    inject: (rule) => rules.add(rule),
    cut,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Ties the two ends of a relay together: when one is gone or fails, so is the other. */
function pair(client: Socket, engine: Socket, sockets: Set<Socket>): void {
  for (const [socket, other] of [
    [client, engine],
    [engine, client],
  ] as const) {
    sockets.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => sockets.delete(socket));
  }
  client.on('close', () => engine.destroy());
}

function address(upstream: string): { path: string } | { host: string; port: number } {
  if (!/^(?:tcp|http):\/\//.test(upstream)) return { path: upstream.replace(/^unix:\/\//, '') };
  const url = new URL(upstream.replace(/^tcp:/, 'http:'));
  return { host: url.hostname, port: Number(url.port === '' ? '2375' : url.port) };
}
