import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { connectDocker } from '../../src/docker/connect.ts';

it('what a call is made with can be described without all other calls', async () => {
  const server = createServer((_, response) => {
    response.setHeader('Api-Version', '1.41').end('OK');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const docker = await connectDocker({ host: `tcp://127.0.0.1:${String(port)}` });
  await docker.ping();
  // docker-modem describes the options of each call like this.
  const described = inspect(docker.modem, { showHidden: true, depth: null });
  expect(described).toContain('agent: agent');
  expect(described).not.toContain('Socket');
});
