import { getEventListeners, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { EngineEvent, EventFilter } from '../../src/docker/engine.ts';
import { parseEvent } from '../../src/docker/events.ts';
import { serveEngine } from './served-engine.ts';

const started = {
  Type: 'container',
  Action: 'start',
  Actor: { ID: 'c1', Attributes: { name: 'grüße', 'pgherd.cluster': 'shop' } },
  time: 1_795_440_963,
  timeNano: 1.7954409639211e18,
};
const line = (event: object): string => `${JSON.stringify(event)}\n`;

describe('a line of the event stream', () => {
  it('is an event', () => {
    expect(parseEvent(line(started))).toEqual({
      type: 'container',
      action: 'start',
      id: 'c1',
      attributes: { name: 'grüße', 'pgherd.cluster': 'shop' },
      at: 1_795_440_963_921,
    });
  });

  it.each([
    ['health_status: healthy', 'health_status'],
    ['exec_create: sh -c echo: x\n', 'exec_create'],
    ['exec_die', 'exec_die'],
  ])('of %j is one of %s', (told, action) => {
    expect(parseEvent(line({ ...started, Action: told }))).toMatchObject({ action });
  });

  it('may have no attributes', () => {
    const actors = [{ ID: 'v' }, { ID: 'v', Attributes: null }, { ID: 'v', Attributes: {} }];
    for (const Actor of actors) expect(parseEvent(line({ ...started, Actor }))).toMatchObject({ attributes: {} });
  });

  it.each(['', '{', 'null', '[]', '"start"', line({ ...started, Actor: null }), line({ ...started, timeNano: '1' })])(
    'is none where it says %j',
    (text) => {
      expect(parseEvent(text)).toBeUndefined();
    },
  );
});

describe('a watch', () => {
  const all = async (events: AsyncIterable<EngineEvent>): Promise<readonly string[]> => {
    const ids: string[] = [];
    for await (const { id } of events) ids.push(id);
    return ids;
  };
  const withId = (ID: string, Action = 'start'): string => line({ ...started, Action, Actor: { ID } });
  const any: EventFilter = { types: ['container'] };

  it('asks for what is wanted, from the second of its call on', async () => {
    const { engine, asked } = await serveEngine((_, response) => response.end());
    const filter: EventFilter = { types: ['container', 'network'], label: 'a=b', actions: ['start'] };
    await all(await engine.watchEvents(filter, new AbortController().signal));
    const [, since = '', filters = ''] = /since=(\d+)&filters=(.*)$/.exec(asked.at(-1) ?? '') ?? [];
    expect(JSON.parse(filters)).toEqual({ type: ['container', 'network'], label: ['a=b'], event: ['start'] });
    expect(Math.abs(Number(since) * 1000 - Date.now())).toBeLessThan(60_000);
  });

  it('begins with the headers, and goes on as the bytes come', async () => {
    let sent: ServerResponse | undefined;
    const { engine } = await serveEngine((_, response) => {
      response.flushHeaders();
      sent = response;
    });
    const events = all(await engine.watchEvents(any, new AbortController().signal));
    for (const byte of Buffer.from(`${line(started)}\r\n\n${withId('ü')}`)) sent?.write(Buffer.of(byte));
    sent?.end();
    expect(await events).toEqual(['c1', 'ü']);
  });

  it('gives the actions that were asked for, and no others that begin like them', async () => {
    const { engine } = await serveEngine((_, response) => response.end(withId('a', 'exec_die') + withId('b', 'exec')));
    const filter: EventFilter = { types: ['container'], actions: ['exec', 'health_status'] };
    expect(await all(await engine.watchEvents(filter, new AbortController().signal))).toEqual(['b']);
  });

  it('ends at a line that is broken, and with a connection that is cut', async () => {
    const broken = await serveEngine((_, response) => response.end(`${withId('a')}{"Type":\n${withId('b')}`));
    expect(await all(await broken.engine.watchEvents(any, new AbortController().signal))).toEqual(['a']);
    const cut = await serveEngine((_, response) => {
      response.write(withId('a') + withId('b').slice(0, 20), () => response.socket?.end());
    });
    expect(await all(await cut.engine.watchEvents(any, new AbortController().signal))).toEqual(['a']);
  });

  it('fails where the connection breaks, and where the engine refuses', async () => {
    let reset = (): void => undefined;
    const broken = await serveEngine((_, response) => {
      response.flushHeaders();
      reset = () => response.socket?.resetAndDestroy();
    });
    const events = await broken.engine.watchEvents(any, new AbortController().signal);
    reset();
    await expect(all(events)).rejects.toMatchObject({ code: 'reply-lost' });
    const refused = await serveEngine((_, response) => response.writeHead(400).end('{"message":"invalid filter"}'));
    const call = refused.engine.watchEvents(any, new AbortController().signal);
    await expect(call).rejects.toMatchObject({ code: 'engine-error' });
  });

  it('leaves nothing on its signal, and nothing open, however it ends', async () => {
    const closed: Promise<unknown>[] = [];
    const { engine } = await serveEngine((request, response) => {
      closed.push(once(request.socket, 'close'));
      response.write(withId('a'));
    });
    const { signal } = new AbortController();
    for await (const { id } of await engine.watchEvents(any, signal)) if (id === 'a') break;
    await closed[0];
    const refused = await serveEngine((_, response) => response.writeHead(500).end());
    await expect(refused.engine.watchEvents(any, signal)).rejects.toMatchObject({ code: 'engine-error' });
    expect(getEventListeners(signal, 'abort')).toEqual([]);

    const silent = await serveEngine((request, response) => {
      closed.push(once(request.socket, 'close'));
      response.flushHeaders();
    });
    const aborter = new AbortController();
    const waiting = all(await silent.engine.watchEvents(any, aborter.signal));
    await silent.engine.watchEvents(any, aborter.signal);
    aborter.abort();
    expect(await waiting).toEqual([]);
    expect(closed).toHaveLength(3);
    await Promise.all(closed);
    expect(getEventListeners(aborter.signal, 'abort')).toEqual([]);
  });

  it('is one of as many as there are, without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => {
      if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning);
    };
    process.on('warning', note);
    const { engine } = await serveEngine((_, response) => {
      response.flushHeaders();
    });
    const aborter = new AbortController();
    const events = Array.from({ length: 30 }, () => engine.watchEvents(any, aborter.signal));
    await Promise.all(events);
    aborter.abort();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
