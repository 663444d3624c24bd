import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectEngine } from '../../src/docker/dockerode.ts';
import type { Engine } from '../../src/docker/engine.ts';

describe('the stream of a command', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** An engine that runs one command, by hand. */
  async function serve(): Promise<{ readonly engine: Engine; readonly hijacked: Promise<Socket> }> {
    let hijack = (socket: Socket): void => void socket.destroy();
    const hijacked = new Promise<Socket>((resolve) => (hijack = resolve));
    const server = createServer((request, response) => {
      response.setHeader('Api-Version', '1.41');
      request.resume();
      if (request.url?.includes('_ping') === true) response.end('OK');
      else response.writeHead(201, { 'Content-Type': 'application/json' }).end('{"Id":"e1"}');
    });
    server.on('upgrade', (_, socket: Socket) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      closers.push(() => void socket.destroy());
      socket.once('end', () => socket.end());
      // What was not read is answered with a reset.
      socket.on('error', () => undefined);
      socket.resume();
      hijack(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return { engine: await connectEngine({ host: `tcp://127.0.0.1:${String(port)}` }), hijacked };
  }

  function frame(kind: number, text: string): Buffer {
    const body = Buffer.from(text);
    return Buffer.concat([Buffer.from([kind, 0, 0, 0, 0, 0, body.length >> 8, body.length & 255]), body]);
  }

  const command = { command: ['sh'] };

  it('keeps the end of what came on standard error', async () => {
    const { engine, hijacked } = await serve();
    const stream = await engine.execStream('c1', command, new AbortController().signal);
    const socket = await hijacked;
    socket.write(Buffer.concat([frame(2, 'x'.repeat(1500)), frame(2, 'y'.repeat(1500)), frame(1, 'one\ntwo')]));
    const lines = stream.lines[Symbol.asyncIterator]();
    expect(await lines.next()).toEqual({ done: false, value: 'one' });
    expect(stream.stderr()).toBe('x'.repeat(500) + 'y'.repeat(1500));
    socket.end();
    expect(await lines.next()).toEqual({ done: false, value: 'two' });
    expect(await lines.next()).toEqual({ done: true, value: undefined });
  });

  it('ends with a connection that breaks as with one that closes', async () => {
    const { engine, hijacked } = await serve();
    const stream = await engine.execStream('c1', command, new AbortController().signal);
    const lines = stream.lines[Symbol.asyncIterator]();
    const socket = await hijacked;
    socket.write(frame(1, 'one\n'));
    expect(await lines.next()).toEqual({ done: false, value: 'one' });
    socket.resetAndDestroy();
    expect(await lines.next()).toEqual({ done: true, value: undefined });
  });

  it.each(['closed', 'called off', 'no longer read'])(
    'leaves nothing on its signal, and nothing open, when it is %s',
    async (how) => {
      const { engine, hijacked } = await serve();
      const aborter = new AbortController();
      const stream = await engine.execStream('c1', command, aborter.signal);
      const socket = await hijacked;
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(frame(1, 'one\n'));
      if (how === 'closed') stream.close();
      else if (how === 'called off') aborter.abort();
      else for await (const line of stream.lines) if (line === 'one') break;
      await closed;
      expect(getEventListeners(aborter.signal, 'abort')).toEqual([]);
      for await (const line of stream.lines) expect(line).toBe('one');
    },
  );
});
