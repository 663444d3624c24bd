import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { newCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { newRun, sweep } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('keeps twenty clusters of one folder, and touches one where one is edited', { timeout: 1_200_000 }, async () => {
  const run = newRun();
  closing.push(() => sweep(run.label));
  const first = await newCluster(run);
  closing.push(() => first.cleanup());
  const folder = join(first.directory, 'topologies');
  await mkdir(folder);
  const names = Array.from({ length: 20 }, (_, index) => `${first.name}n${String(index)}`);
  const writeOne = (name: string, replicas: number): Promise<string> =>
    first.write(
      {
        cluster_name: name,
        postgres: { parameters: { max_connections: 20, shared_buffers: '16MB' } },
        balancers: [{ name: 'lb1', replicas, config: { num_init_children: 1, max_pool: 1 } }],
      },
      join(folder, `${name}.json`),
    );
  await Promise.all(names.map((name) => writeOne(name, 0)));
  const daemon = await DaemonProcess.start(first, { paths: [folder] });
  closing.push(() => daemon.kill());
  await until(
    'all are ready',
    async () => {
      const found = await Promise.all(names.map((name) => daemon.condition('Ready', name).catch(() => undefined)));
      return names.filter((_, index) => found[index]?.status !== 'True');
    },
    (left) => left.length === 0,
    600_000,
  );
  const before = daemon.log().length;
  const [edited = ''] = names;
  await writeOne(edited, 1);
  await until(
    'it has its replica',
    () => psql(`${edited}-lb1-primary`, 'SELECT count(*) FROM pg_stat_replication'),
    (count) => count === '1',
  );
  await daemon.become('Ready', 'True', edited);
  const touched = daemon
    .log()
    .slice(before)
    // Who has only just become ready may still be waited for.
    .filter(({ msg, step }) => msg === 'done' && step?.includes(': await-') === false);
  expect([...new Set(touched.map(({ cluster }) => cluster))]).toEqual([edited]);
});
