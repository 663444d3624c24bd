import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { newCluster } from './cluster.ts';
import { docker, dockerLines, newRun, sweep } from './engine.ts';
import { takePlaces } from './places.ts';
import { psql } from './psql.ts';
import { start } from './run.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const run = newRun();
const labelled = ['--label', run.label];

afterEach(() => sweep(run.label));

describe('until', () => {
  test('gives the first state that holds', async () => {
    let count = 0;
    expect(
      await until(
        'three',
        () => (count += 1),
        (state) => state === 3,
      ),
    ).toBe(3);
  });

  test('names what was expected and what was last seen', async () => {
    const never = until(
      'two rows',
      () => ({ rows: 1 }),
      ({ rows }) => rows === 2,
      100,
    );
    await expect(never).rejects.toThrow('not within 100 ms: two rows\nlast seen: { rows: 1 }');
    const failing = until('it works', () => Promise.reject(new Error('no route')), Boolean, 100);
    await expect(failing).rejects.toThrow('last seen: an error: Error: no route');
    const hanging = until('it ends', () => new Promise<boolean>(() => undefined), Boolean, 100);
    await expect(hanging).rejects.toThrow('the first observation did not end');
  });
});

describe('takePlaces', () => {
  test('gives nobody what another has, nor a subnet in use', async () => {
    const [first] = await takePlaces(1);
    const [second] = await takePlaces(1);
    expect(first?.subnet).not.toBe(second?.subnet);
    await docker('network', 'create', '--subnet', String(first?.subnet), ...labelled, `pgherd-support-${run.id}`);
    await first?.release();
    const [third] = await takePlaces(1);
    expect([first?.subnet, second?.subnet]).not.toContain(third?.subnet);
    await Promise.all([second?.release(), third?.release()]);
  });

  test('gives ports nobody listens on, each once', async () => {
    const [place] = await takePlaces(1);
    const [port = 0] = (await place?.ports(1)) ?? [];
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port + 1, '127.0.0.1', resolve));
    expect(await place?.ports(2)).toEqual([port + 2, port + 3]);
    await new Promise((resolve) => server.close(resolve));
    await place?.release();
  });
});

describe('sweep', () => {
  test('removes containers, networks and volumes of the run, also in use, and nothing else', async () => {
    const other = newRun();
    const [mine, theirs] = [`pgherd-support-${run.id}`, `pgherd-support-${other.id}`];
    await docker('volume', 'create', ...labelled, mine);
    await docker('volume', 'create', '--label', other.label, theirs);
    const [place] = await takePlaces(1);
    await docker('network', 'create', '--subnet', String(place?.subnet), ...labelled, mine);
    const options = ['--network', mine, '--volume', `${mine}:/data`, '--entrypoint', 'sleep'];
    await docker('run', '--detach', '--name', mine, ...labelled, ...options, 'postgres:17', 'infinity');
    await sweep(run.label);
    await place?.release();
    const left = await Promise.all([
      dockerLines('ps', '--all', '--quiet', '--filter', `name=${mine}`),
      dockerLines('network', 'ls', '--quiet', '--filter', `name=${mine}`),
      dockerLines('volume', 'ls', '--quiet', '--filter', `name=${mine}`),
      dockerLines('volume', 'ls', '--quiet', '--filter', `name=${theirs}`),
    ]);
    await sweep(other.label);
    expect(left).toEqual([[], [], [], [theirs]]);
  });
});

describe('psql', () => {
  test('gives rows, and throws what the server says', async () => {
    const name = `pgherd-support-${run.id}`;
    const options = ['--network=none', '--env=POSTGRES_PASSWORD=only-a-test', '--tmpfs=/var/lib/postgresql/data'];
    await docker('run', '--detach', '--name', name, ...labelled, ...options, 'postgres:17');
    const local = { host: '127.0.0.1', password: 'only-a-test' };
    await until(
      'the server answers',
      () => psql(name, 'SELECT 1', local),
      (rows) => rows === '1',
    );
    expect(
      await psql(name, "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL); TABLE t", local),
    ).toBe('1|x\n2|');
    await expect(psql(name, 'SELECT 1/0', local)).rejects.toThrow('division by zero');
    await expect(psql(name, 'SELECT pg_sleep(60)', { ...local, timeoutMs: 500 })).rejects.toThrow(
      'did not end in time',
    );
  });
});

describe('start', () => {
  test('shows output on the way and ends with the signal that ended it', async () => {
    const running = start('cat', [], { input: { open: true } });
    running.child.stdin?.write('hello');
    await until('the echo', running.stdout, (text) => text === 'hello');
    running.child.kill('SIGKILL');
    expect(await running.done).toEqual({ code: null, stdout: 'hello', stderr: '' });
  });
});

test('a cluster has names, addresses and ports of its own, and gives them back', async () => {
  const [one, two] = await Promise.all([newCluster(run), newCluster(run)]);
  expect(new Set([one.name, one.subnet, one.rwSubnet, two.name, two.subnet, two.rwSubnet]).size).toBe(6);
  expect(one.address(20)).toBe(one.subnet.replace('0/24', '20'));
  expect(await one.write({ cluster_name: one.name })).toBe(one.file);
  await docker('volume', 'create', '--label', `pgherd.cluster=${one.name}`, `${one.name}-volume`);
  expect(await one.volumes()).toEqual([`${one.name}-volume`]);
  await Promise.all([one.cleanup(), two.cleanup()]);
  expect(await one.volumes()).toEqual([]);
});
