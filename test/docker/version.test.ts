import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { askVersion } from '../../src/docker/version.ts';

let folder: string;
let server: Server;
/** Whether it answers at all. */
let isSilent: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-version-'));
  isSilent = false;
  server = createServer((request, response) => {
    if (isSilent) return;
    if (request.url === '/_ping') response.setHeader('api-version', '1.43').end('OK');
    else if (request.url === '/v1.43/version') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ Version: '24.0.7', ApiVersion: '1.43', Os: 'linux', Arch: 'arm64' }));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => void server.listen(join(folder, 'docker.sock'), resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

it('an engine says its version, its API and what it runs on', async () => {
  expect(await askVersion({ host: `unix://${folder}/docker.sock` }, 10_000)).toEqual({
    version: '24.0.7',
    api: '1.43',
    platform: 'linux/arm64',
  });
});

it('one that hangs is waited for no longer than the deadline', async () => {
  isSilent = true;
  await expect(askVersion({ host: `unix://${folder}/docker.sock` }, 50)).rejects.toMatchObject({
    code: 'engine-timeout',
  });
});

it('one that is not there is told as everywhere', async () => {
  await expect(askVersion({ host: `unix://${folder}/none.sock` }, 10_000)).rejects.toMatchObject({
    code: 'engine-unreachable',
    message: expect.stringContaining(`no Docker engine answers at unix://${folder}/none.sock`) as unknown,
  });
});
