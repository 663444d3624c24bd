import { expect, it } from 'vitest';
import type { Engine } from '../../src/docker/engine.ts';
import { guardedEngine } from '../../src/reconcile/guarded-engine.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

/** What looks, or opens what a command of its own then uses. */
const looks: readonly (keyof Engine)[] = [
  'attachInput',
  'execStream',
  'findPortHolder',
  'inspectContainer',
  'inspectImage',
  'inspectNetwork',
  'inspectVolume',
  'listContainers',
  'listNetworks',
  'listVolumes',
  'listVolumeUsers',
  'pathExists',
  'pullImage',
  'readArchive',
  'readLink',
  'readLogs',
  'watchEvents',
];

/** An engine whose calls say that they were made. */
function recorded(): { readonly engine: Engine; readonly made: string[] } {
  const { engine } = new FakeWorld().connect();
  const made: string[] = [];
  const calls = Object.keys(engine)
    .filter((name) => name !== 'host')
    .map((name) => [name, () => Promise.resolve(made.push(name))] as const);
  return { engine: { ...engine, ...Object.fromEntries(calls) }, made };
}

async function callAll(engine: Engine): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const [name, call] of Object.entries(engine)) {
    if (typeof call !== 'function') continue;
    await (call as () => Promise<unknown>)().catch(() => refused.push(name));
  }
  return refused.sort();
}

it('where the lock is lost, nothing that changes something reaches the engine', async () => {
  const { engine, made } = recorded();
  const refused = await callAll(guardedEngine(engine, () => Promise.reject(new Error('lost'))));
  expect(made.toSorted()).toEqual(looks.toSorted());
  expect(refused).toEqual(
    Object.keys(engine)
      .filter((name) => name !== 'host' && !looks.some((look) => look === name))
      .sort(),
  );
});

it('where it is held, it is asked once before each of them', async () => {
  const { engine, made } = recorded();
  const order: string[] = [];
  await guardedEngine(engine, () => Promise.resolve(void order.push('verified'))).startContainer('c1');
  expect([...order, ...made]).toEqual(['verified', 'startContainer']);
  expect(await callAll(guardedEngine(engine, () => Promise.resolve()))).toEqual([]);
});
