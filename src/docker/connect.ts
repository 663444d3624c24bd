import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { PgherdError } from '../base/error.ts';
import type { Endpoint } from './endpoint.ts';
import { toFailure } from './failure.ts';
import { pingHeader } from './ping.ts';
import { explainRefusal, sshAgent } from './ssh.ts';
import type { EngineCall } from './types.ts';

// The API versions this code was tried with: 1.41 is what Engine 20.10 speaks, 1.44 the least that Engine 29 does.
const oldest = 41;
const newest = 44;

const pingDeadline = 10_000;

/** dockerode, connected to an endpoint and pinned to an API version both sides speak. */
export async function connectDocker(endpoint: Endpoint, onCall?: (call: EngineCall) => void): Promise<Docker> {
  const options = toOptions(endpoint);
  const first = new Docker(options);
  observeCalls(first, onCall);
  const minor = await negotiate(first, endpoint.host);
  const docker = new Docker({ ...options, version: `v1.${String(Math.min(minor, newest))}` });
  observeCalls(docker, onCall);
  return docker;
}

async function negotiate(docker: Docker, host: string): Promise<number> {
  const answer = pingHeader(docker, 'api-version', AbortSignal.timeout(pingDeadline));
  const offered = await answer.catch(async (thrown: unknown) => {
    const failure = toFailure(thrown, { what: 'ping', host });
    const isHeard = failure.code !== 'reply-lost' || !host.startsWith('ssh:');
    throw isHeard ? failure : ((await explainRefusal(parseHost(host))) ?? failure);
  });
  const minor = Number(/^1\.(\d+)$/.exec(offered ?? '')?.[1]);
  if (!(minor >= oldest)) {
    throw new PgherdError('engine-too-old', `the Docker engine at ${host} speaks API ${offered ?? ''}`, {
      remedy: 'upgrade it to Docker Engine 20.10 or later',
    });
  }
  return minor;
}

// dockerode hands the agent on to its modem, which its types leave out.
type Options = Docker.DockerOptions & { readonly agent?: HttpAgent | HttpsAgent };

function toOptions(endpoint: Endpoint): Options {
  const { host } = endpoint;
  if (/^unix:\/\/./.test(host)) return { socketPath: host.slice('unix://'.length), agent: keptAlive(HttpAgent) };
  if (host.startsWith('npipe://')) return { socketPath: host.slice('npipe://'.length) };
  const url = parseHost(host);
  // The name is the engine's to ignore: the agent knows where to go.
  if (url.protocol === 'ssh:') return { protocol: 'http', host: 'docker', port: 80, agent: brief(sshAgent(url)) };
  return endpoint.tls === undefined
    ? { protocol: 'http', host: url.hostname, port: url.port || 2375, agent: keptAlive(HttpAgent) }
    : { protocol: 'https', host: url.hostname, port: url.port || 2376, agent: keptAlive(HttpsAgent), ...endpoint.tls };
}

function parseHost(host: string): URL {
  if (!/^(?:tcp|http|https|ssh):\/\//.test(host) || !URL.canParse(host)) {
    throw new PgherdError('engine-unreachable', `"${host}" does not name a Docker engine`, {
      remedy: 'write it as unix:///path, tcp://host:2375 or ssh://user@host',
    });
  }
  return new URL(host);
}

function keptAlive<A extends object>(Agent: new (options: { keepAlive: boolean }) => A): A {
  return brief(new Agent({ keepAlive: true }));
}

/**
 * docker-modem has Node describe the options of every call for a debug log, also where that is off. Of the agent that would
 * be all its sockets, and by them all other calls: 22 ms of CPU for each of 60 calls at once, instead of 1.2.
 */
function brief<A extends object>(agent: A): A {
  return Object.assign(agent, { [inspect.custom]: () => 'agent' });
}

// All calls of dockerode pass through its modem, so this is where -v and logs learn of them.
function observeCalls(docker: Docker, onCall: ((call: EngineCall) => void) | undefined): void {
  if (onCall === undefined) return;
  const modem: { dial: (options: Dialled, callback: Dialling) => void } = docker.modem;
  const dial = modem.dial.bind(modem);
  modem.dial = (options, callback) => {
    const start = performance.now();
    const path = options.path.replace(/\?$/, '');
    dial(options, (error, data) => {
      const status = error === null || error === undefined ? 200 : readStatus(error);
      onCall({ method: options.method, path, status, milliseconds: performance.now() - start });
      callback(error, data);
    });
  };
}

type Dialled = { readonly path: string; readonly method: string };
type Dialling = (error: unknown, data: unknown) => void;

function readStatus(error: unknown): number {
  const isReply = error !== null && typeof error === 'object' && 'statusCode' in error;
  return isReply && typeof error.statusCode === 'number' ? error.statusCode : 0;
}
