import { afterEach, beforeEach, expect, test } from 'vitest';
import { Herd } from './kill-herd.ts';
import { docker, dockerLines, dockerResult } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';
import type { Running } from './support/cluster.ts';

const RECONCILE = ['reconcile', '--once', '--timeout', '240'];

let herd: Herd;

beforeEach(async () => {
  herd = await Herd.make();
});

afterEach(async () => {
  await herd.end();
});

const node = (name: string): string => `${herd.cluster.name}-lb1-${name}`;
const volume = (slot: number, generation: number): string =>
  `${herd.cluster.name}_lb1_${String(slot)}_${String(generation)}`;

async function start(replicas: number): Promise<Running> {
  await herd.write(replicas);
  return await herd.cluster.spawnPgherd([...RECONCILE, herd.cluster.file]);
}

async function finish(replicas: number): Promise<void> {
  await herd.write(replicas);
  const { code, stdout, stderr } = await herd.run(RECONCILE);
  expect(code, `${stdout}${stderr}`).toBe(0);
  await herd.expectWhole(replicas);
}

async function kill({ child, done }: Running): Promise<void> {
  child.kill('SIGKILL');
  await done;
}

/** What the volume of a node says of itself: the target of its `state` link. */
async function stateOf(container: string): Promise<string> {
  return await docker('exec', container, 'readlink', '/var/lib/postgresql/data/pgherd/state');
}

/** A replica is added to a leader with so much data that the clone takes a while; settles while it is under way. */
async function startClone(): Promise<Running> {
  await finish(1);
  await psql(node('primary'), "CREATE TABLE ballast AS SELECT n, repeat('x', 1000) FROM generate_series(1, 60000) n");
  const running = await start(2);
  // Asked within the server, since a process for each question would come too late.
  const underWay = `DO $$ BEGIN FOR i IN 1..3000 LOOP
    EXIT WHEN EXISTS (SELECT FROM pg_stat_progress_basebackup WHERE backup_streamed > 0); PERFORM pg_sleep(0.01);
    PERFORM pg_stat_clear_snapshot(); END LOOP; END $$`;
  await psql(node('primary'), underWay, { timeoutMs: 40_000 });
  return running;
}

test('the controller and the server die while initdb is under way: what they left is kept aside, and the group begins again', async () => {
  const running = await start(1);
  // Waited for within the container, since what comes a second later comes too late.
  const state = '/var/lib/postgresql/data/pgherd/state';
  const underWay = `until [ "$(readlink ${state})" = bootstrapping ]; do sleep 0.01; done`;
  await until(
    'initdb is under way',
    () => dockerResult(['exec', node('primary'), 'sh', '-c', underWay]),
    ({ code }) => code === 0,
  );
  await kill(running);
  // What the controller has told it, it would bring to an end by itself.
  await docker('kill', node('primary'));
  await finish(1);
  expect(await herd.cluster.volumes()).toEqual([volume(0, 1), volume(0, 2), volume(1, 1)]);
});

test('the controller dies while a clone is under way: the clone goes on', async () => {
  await kill(await startClone());
  expect(await stateOf(node('replica2'))).toBe('cloning');
  await finish(2);
  expect(await herd.cluster.volumes()).toEqual([volume(0, 1), volume(1, 1), volume(2, 1)]);
});

test('the controller and the replica die while a clone is under way: the half is removed, and cloned anew', async () => {
  await kill(await startClone());
  await docker('kill', node('replica2'));
  await finish(2);
  expect(await herd.cluster.volumes()).toEqual([volume(0, 1), volume(1, 1), volume(2, 2)]);
});

test('a controller told to stop finishes what has begun and gives its lock back', async () => {
  await finish(1);
  const running = await start(2);
  const lock = (): Promise<readonly string[]> =>
    dockerLines('ps', '--all', '--format', '{{.Names}}', '--filter', `name=pgherd-lock-${herd.cluster.name}`);
  await until('it works', running.stderr, (text) => text.includes('volume'));
  expect(await lock()).toHaveLength(1);
  running.child.kill('SIGTERM');
  const { code, stdout, stderr } = await running.done;
  expect(code, `${stdout}${stderr}`).toBe(3);
  expect(`${stdout}${stderr}`).toContain('run the same command again');
  await herd.cluster.untilUnlocked();
  await finish(2);
});
