import { createHash } from 'node:crypto';
import { readFile, access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PgherdError } from '../base/error.ts';

/** Where an engine is, and what it takes to talk to it. */
export type Endpoint = {
  /** As a user writes it: unix:///var/run/docker.sock, tcp://host:2376, ssh://user@host. */
  readonly host: string;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
};

/**
 * Finds the engine as the docker command does: the flag, DOCKER_HOST, DOCKER_CONTEXT or the current context of
 * `~/.docker/config.json`, the standard socket.
 * Source: https://docs.docker.com/engine/manage-resources/contexts/
 */
export async function findEndpoint(flag: string | undefined, env: NodeJS.ProcessEnv): Promise<Endpoint> {
  const host = flag ?? env['DOCKER_HOST'];
  if (host !== undefined && host !== '') {
    const wantsTls = env['DOCKER_TLS_VERIFY'] !== undefined && env['DOCKER_TLS_VERIFY'] !== '';
    const certificates = env['DOCKER_CERT_PATH'] ?? (wantsTls ? dockerFolder(env) : undefined);
    return certificates === undefined || !host.startsWith('tcp://')
      ? { host }
      : { host, tls: await readCertificates(certificates) };
  }
  const context = env['DOCKER_CONTEXT'] ?? (await currentContext(env));
  if (context !== undefined && context !== 'default') return readContext(context, env);
  return { host: await defaultSocket() };
}

function dockerFolder(env: NodeJS.ProcessEnv): string {
  return env['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
}

async function currentContext(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const text = await readFile(join(dockerFolder(env), 'config.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const name = member(parseJson(text, join(dockerFolder(env), 'config.json')), 'currentContext');
  return typeof name === 'string' && name !== '' ? name : undefined;
}

async function readContext(name: string, env: NodeJS.ProcessEnv): Promise<Endpoint> {
  const id = createHash('sha256').update(name).digest('hex');
  const meta = join(dockerFolder(env), 'contexts', 'meta', id, 'meta.json');
  const text = await readFile(meta, 'utf8').catch((cause: unknown) => {
    throw new PgherdError('engine-unreachable', `the docker context "${name}" does not exist`, {
      cause,
      remedy: 'see `docker context ls`, or name the engine with -H',
    });
  });
  const host = member(member(member(parseJson(text, meta), 'Endpoints'), 'docker'), 'Host');
  if (typeof host !== 'string') {
    throw new PgherdError('engine-unreachable', `the docker context "${name}" names no engine`, {
      remedy: `see \`docker context inspect ${name}\`, or name the engine with -H`,
    });
  }
  const certificates = join(dockerFolder(env), 'contexts', 'tls', id, 'docker');
  return (await exists(join(certificates, 'key.pem'))) ? { host, tls: await readCertificates(certificates) } : { host };
}

async function readCertificates(folder: string): Promise<NonNullable<Endpoint['tls']>> {
  const read = (file: string): Promise<string> =>
    readFile(join(folder, file), 'utf8').catch((cause: unknown) => {
      throw new PgherdError('engine-tls', `the certificate ${join(folder, file)} cannot be read`, {
        cause,
        remedy: 'put ca.pem, cert.pem and key.pem there, or give their folder as DOCKER_CERT_PATH',
      });
    });
  const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')]);
  return { ca, cert, key };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PgherdError('engine-unreachable', `${file}, which says where the engine is, is not JSON`, {
      cause,
      remedy: 'mend it, or name the engine with -H or DOCKER_HOST',
    });
  }
}

async function defaultSocket(): Promise<string> {
  const standard = '/var/run/docker.sock';
  const desktop = join(homedir(), '.docker', 'run', 'docker.sock');
  return `unix://${!(await exists(standard)) && (await exists(desktop)) ? desktop : standard}`;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function member(value: unknown, key: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  return Object.entries(value).find(([name]) => name === key)?.[1];
}
