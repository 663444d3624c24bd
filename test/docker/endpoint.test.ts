import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findEndpoint } from '../../src/docker/endpoint.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-endpoint-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A docker context as the docker command keeps it. */
async function addContext(name: string, host: string | undefined, tls = false): Promise<void> {
  const id = createHash('sha256').update(name).digest('hex');
  const meta = join(folder, 'contexts', 'meta', id);
  await mkdir(meta, { recursive: true });
  const content = { Name: name, Endpoints: { docker: host === undefined ? {} : { Host: host } } };
  await writeFile(join(meta, 'meta.json'), JSON.stringify(content));
  if (tls) await addCertificates(join(folder, 'contexts', 'tls', id, 'docker'));
}

async function addCertificates(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  for (const name of ['ca', 'cert', 'key']) await writeFile(join(path, `${name}.pem`), name);
}

const useContext = (currentContext: string): Promise<void> =>
  writeFile(join(folder, 'config.json'), JSON.stringify({ currentContext }));

const tls = { ca: 'ca', cert: 'cert', key: 'key' };

describe('the engine', () => {
  it('is the one the flag names, before the environment', async () => {
    const env = { DOCKER_HOST: 'unix:///other.sock', DOCKER_CONFIG: folder };
    expect(await findEndpoint('tcp://flag:2375', env)).toEqual({ host: 'tcp://flag:2375' });
    expect(await findEndpoint(undefined, env)).toEqual({ host: 'unix:///other.sock' });
  });

  it('is the one of DOCKER_HOST, before a context', async () => {
    await addContext('far', 'tcp://far:2376');
    const env = { DOCKER_HOST: 'unix:///x.sock', DOCKER_CONTEXT: 'far', DOCKER_CONFIG: folder };
    expect(await findEndpoint(undefined, env)).toEqual({ host: 'unix:///x.sock' });
  });

  it('speaks TLS over TCP with the certificates of DOCKER_CERT_PATH, or of the docker folder', async () => {
    await addCertificates(folder);
    const host = 'tcp://far:2376';
    expect(await findEndpoint(host, { DOCKER_CERT_PATH: folder })).toEqual({ host, tls });
    expect(await findEndpoint(host, { DOCKER_TLS_VERIFY: '1', DOCKER_CONFIG: folder })).toEqual({ host, tls });
    expect(await findEndpoint(host, { DOCKER_TLS_VERIFY: '', DOCKER_CONFIG: folder })).toEqual({ host });
    expect(await findEndpoint('unix:///x', { DOCKER_CERT_PATH: folder })).toEqual({ host: 'unix:///x' });
  });

  it('is the one of the context in the environment, else of the current one', async () => {
    await addContext('near', 'unix:///near.sock');
    await addContext('far', 'tcp://far:2376', true);
    await useContext('near');
    expect(await findEndpoint(undefined, { DOCKER_CONFIG: folder })).toEqual({ host: 'unix:///near.sock' });
    const far = { host: 'tcp://far:2376', tls };
    expect(await findEndpoint(undefined, { DOCKER_CONFIG: folder, DOCKER_CONTEXT: 'far' })).toEqual(far);
    expect(await findEndpoint('', { DOCKER_CONFIG: folder, DOCKER_CONTEXT: 'far' })).toEqual(far);
  });

  it.each(['', 'default'])('is behind the standard socket with context %j', async (context) => {
    await useContext(context);
    expect((await findEndpoint(undefined, { DOCKER_CONFIG: folder })).host).toMatch(/^unix:\/\/.*docker\.sock$/);
  });

  it('of a context that is not there, or names none, is not guessed', async () => {
    await addContext('empty', undefined);
    const find = (DOCKER_CONTEXT: string): Promise<unknown> =>
      findEndpoint(undefined, { DOCKER_CONFIG: folder, DOCKER_CONTEXT });
    await expect(find('none')).rejects.toThrow('the docker context "none" does not exist');
    await expect(find('empty')).rejects.toThrow('the docker context "empty" names no engine');
  });
});

describe('what cannot be read', () => {
  it('a configuration that is not JSON', async () => {
    await writeFile(join(folder, 'config.json'), '{');
    await expect(findEndpoint(undefined, { DOCKER_CONFIG: folder })).rejects.toThrow(
      'config.json, which says where the engine is, is not JSON',
    );
  });

  it('certificates that are not there', async () => {
    const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
    await expect(findEndpoint('tcp://host:2376', env)).rejects.toMatchObject({
      code: 'engine-tls',
      remedy: expect.stringContaining('DOCKER_CERT_PATH') as string,
    });
  });
});
