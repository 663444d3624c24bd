import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WatchedDirectory } from '../../src/daemon/topology-directories.ts';
import { watchByEvents, Watchers, type WatchHandlers } from '../../src/daemon/topology-watchers.ts';
import { until } from '../e2e/support/until.ts';

function describeDirectory(path: string, more: Partial<WatchedDirectory> = {}): WatchedDirectory {
  return { path, identity: '1', listed: true, names: [], ...more };
}

it('what else happens in a directory is no event', { timeout: 60_000 }, async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'pgherd-watchers-')));
  let [events, isReady] = [0, false];
  const { close } = watchByEvents(undefined)(describeDirectory(root, { names: ['..data'] }), {
    onEvent: () => (events += 1),
    onPlace: () => undefined,
    onReady: () => (isReady = true),
    onError: () => undefined,
  });
  await until('ready', () => isReady, Boolean);
  for (const name of ['.shop.yaml.swp', '4913', 'server.log', 'shop.yaml~']) await writeFile(join(root, name), 'text');
  // Events come in order, and this is one.
  await mkdir(join(root, '..data'));
  await until('an event', () => events, Boolean);
  expect(events).toBe(1);
  await mkdir(join(root, 'shop.yaml'));
  await until(
    'another',
    () => events,
    (now) => now > 1,
  );
  expect(events).toBe(2);
  await close();
  await rm(root, { recursive: true });
});

describe('watchers of a set of directories', () => {
  /** Directories that are watched by hand; what happens is written down. */
  function create() {
    const log: string[] = [];
    const handlers = new Map<string, WatchHandlers>();
    const say = (text: string) => () => {
      log.push(text);
    };
    const watchers = new Watchers(
      ({ path, identity }, given) => {
        log.push(`open ${path} ${identity}`);
        handlers.set(path, given);
        return { close: async () => void log.push(`close ${path} ${identity}`) };
      },
      {
        onEvent: say('event'),
        onPlace: say('place'),
        onReady: say('ready'),
        onError: (error) => log.push(String(error)),
      },
    );
    return { log, watchers, of: (path: string) => handlers.get(path) };
  }

  it('open what is new and close what is no longer wanted', async () => {
    const { log, watchers } = create();
    await watchers.update([describeDirectory('/a'), describeDirectory('/b')]);
    await watchers.update([describeDirectory('/b'), describeDirectory('/c')]);
    await watchers.update([describeDirectory('/b'), describeDirectory('/c')]);
    await watchers.close();
    expect(log).toEqual(['open /a 1', 'open /b 1', 'close /a 1', 'open /c 1', 'close /b 1', 'close /c 1']);
  });
  it('close what is another at the same path before that is opened', async () => {
    const { log, watchers } = create();
    await watchers.update([describeDirectory('/a')]);
    await watchers.update([describeDirectory('/a', { identity: '2' })]);
    expect(log).toEqual(['open /a 1', 'close /a 1', 'open /a 2']);
  });
  it('pass on what happens, until closed', async () => {
    const { log, watchers, of } = create();
    await watchers.update([describeDirectory('/a')]);
    const happen = () => {
      for (const name of ['onReady', 'onEvent', 'onPlace'] as const) of('/a')?.[name]();
    };
    happen();
    await watchers.close();
    happen();
    of('/a')?.onError('late');
    await watchers.update([describeDirectory('/a')]);
    expect(log).toEqual(['open /a 1', 'ready', 'event', 'place', 'close /a 1']);
  });
  it('say once that there are no watches left, and try again at each update', async () => {
    const { log, watchers, of } = create();
    const both = [describeDirectory('/a'), describeDirectory('/b')];
    const fail = () => {
      for (const path of ['/a', '/b']) {
        of(path)?.onError('ENOSPC');
        of(path)?.onReady();
      }
    };
    await watchers.update(both);
    fail();
    await watchers.update(both);
    fail();
    expect(log.filter((line) => line === 'ENOSPC' || line === 'ready')).toEqual(['ENOSPC']);
    await watchers.update(both);
    of('/a')?.onReady();
    await watchers.update(both);
    of('/b')?.onError('EMFILE');
    expect(log.slice(-4)).toEqual(['open /a 1', 'open /b 1', 'ready', 'EMFILE']);
  });
});
