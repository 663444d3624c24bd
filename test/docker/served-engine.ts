import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { connectEngine } from '../../src/docker/dockerode.ts';
import type { Engine } from '../../src/docker/engine.ts';

/** The host of an engine whose answers a test gives by hand, and what it was asked, until the test has ended. */
export async function serveHost(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly host: string; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(decodeURIComponent(request.url ?? ''));
    response.setHeader('Api-Version', '1.41');
    if (request.url?.includes('_ping') === true) response.end('OK');
    else answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { host: `tcp://127.0.0.1:${String(port)}`, asked };
}

/** The same, connected. */
export async function serveEngine(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly engine: Engine; readonly asked: readonly string[] }> {
  const { host, asked } = await serveHost(answer);
  return { engine: await connectEngine({ host }), asked };
}
