import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectEngine } from '../../src/docker/dockerode.ts';

let folder: string;
let server: Server;
/** What the engine answers to removals, one after the other. */
let answers: { readonly status: number; readonly message?: string }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-removal-'));
  server = createServer((request, response) => {
    if (request.url === '/_ping') response.setHeader('api-version', '1.43').end('OK');
    else if (request.method !== 'DELETE') response.setHeader('content-type', 'application/json').end('{}');
    else {
      const { status, message } = answers.shift() ?? { status: 500, message: 'asked once more than expected' };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(message === undefined ? undefined : JSON.stringify({ message }));
    }
  });
  await new Promise<void>((resolve) => void server.listen(join(folder, 'docker.sock'), resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function remove(): Promise<void> {
  const engine = await connectEngine({ host: `unix://${folder}/docker.sock` });
  await engine.removeContainer('lb1');
}

it('a container that ends while the engine is about to kill it is removed at the next attempt', async () => {
  const message = 'Could not kill running container 1e82, cannot remove - Container 1e82 is not running';
  answers = [{ status: 409, message }, { status: 204 }];
  await remove();
  expect(answers).toEqual([]);
});

it('a container that the engine is removing already is waited for until it is gone', async () => {
  const message = 'removal of container lb1 is already in progress';
  answers = [
    { status: 409, message },
    { status: 409, message },
    { status: 404, message: 'No such container: lb1' },
  ];
  await remove();
  expect(answers).toEqual([]);
});

it('what the engine refuses for another reason is said at once', async () => {
  answers = [{ status: 500, message: 'driver "overlay2" failed to remove root filesystem' }];
  await expect(remove()).rejects.toMatchObject({ code: 'engine-error' });
  expect(answers).toEqual([]);
});
