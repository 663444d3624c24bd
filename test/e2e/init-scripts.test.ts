import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { gate, openGate } from './support/gate.ts';
import { docker, dockerResult } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

const load = 'psql -c "CREATE TABLE loaded AS SELECT 1 AS n"\n';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await newCluster();
  await writeFile(join(cluster.directory, 'gate.sh'), load + gate);
});

afterEach(() => cluster.cleanup());

/** A group that serves, and one that a script initialises. */
function topology(parameters: Record<string, number> = { max_connections: 40 }, groups = 2): unknown {
  return {
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    failover: { delay: '0s' },
    postgres: { parameters },
    balancers: [
      { name: 'lb1', replicas: 1 },
      { name: 'lb2', replicas: 1, postgres: { init_scripts: ['gate.sh'] } },
    ].slice(0, groups),
  };
}

const one = 'SELECT count(*) FROM loaded';

async function isHalted(): Promise<void> {
  await until(
    'the script halts the bootstrap of lb2',
    () => dockerResult(['exec', `${cluster.name}-lb2-primary`, 'psql', '-U', 'postgres', '-Atc', one]),
    ({ stdout }) => stdout.trim() === '1',
    60_000,
  );
}

/** One of those whose names match takes writes. */
async function isLed(names: string): Promise<void> {
  const asked = ['psql', '-U', 'postgres', '-Atc', 'SELECT pg_is_in_recovery()'];
  await until(
    `${names} leads`,
    async () => {
      const all = (await cluster.containers()).filter((name) => new RegExp(`-${names}$`).test(name));
      return Promise.all(all.map(async (name) => (await dockerResult(['exec', name, ...asked])).stdout.trim()));
    },
    (answers) => answers.includes('f'),
    60_000,
  );
}

describe('an init script that takes long', () => {
  it('keeps the daemon from nothing: others fail over and change meanwhile, and it runs once', async () => {
    await cluster.write(topology());
    const daemon = await DaemonProcess.start(cluster);
    await isHalted();
    await isLed('lb1-primary');
    await until(
      'the daemon has heard of all but lb2',
      () => daemon.condition('ReplicasReady'),
      (found) => found?.message === 'lb2-primary does not answer; lb2-replica1 is created',
      60_000,
    );
    await docker('kill', `${cluster.name}-lb1-primary`);
    await isLed('lb1-replica1');
    await cluster.write(topology({ max_connections: 40, log_min_duration_statement: 4711 }));
    await until(
      'the change is in force',
      () => psql(`${cluster.name}-lb1-replica1`, 'SHOW log_min_duration_statement'),
      (value) => value === '4711ms',
      60_000,
    );
    const during = await daemon.conditions();
    expect(during.filter(({ type }) => type === 'Ready' || type === 'Reconciling' || type === 'Stalled')).toMatchObject(
      [
        { type: 'Ready', status: 'False' },
        { type: 'Reconciling', status: 'True', reason: 'Working' },
        { type: 'Stalled', status: 'False' },
      ],
    );
    const plan = await cluster.pgherd(['plan', '--detailed-exitcode']);
    expect(plan.code).toBe(2);
    expect(plan.stdout).toContain('lb2-primary will be changed in place: its database is being initialised');
    const beside = await cluster.pgherd(['reconcile', '--once', '--timeout', '1']);
    expect(beside.code, beside.stderr).toBe(3);
    await openGate(`${cluster.name}-lb2-primary`);
    await daemon.become('Ready', 'True');
    expect(await cluster.volumes()).toContain(`${cluster.name}_lb2_0_1`);
    expect(await cluster.volumes()).not.toContain(`${cluster.name}_lb2_0_2`);
    expect(await psql(`${cluster.name}-lb2-replica1`, one)).toBe('1');
  });

  it('keeps a run from nothing but its end', async () => {
    await cluster.write(topology());
    const running = await cluster.spawnPgherd(['reconcile', '--once']);
    await isHalted();
    await isLed('lb1-primary');
    await until(
      'the replica of lb1 streams',
      () => psql(`${cluster.name}-lb1-primary`, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"),
      (count) => count === '1',
      60_000,
    );
    await docker('kill', `${cluster.name}-lb1-primary`);
    // Whether the replica may lead depends on whether it has been heard by then.
    await isLed('lb1-(primary|replica1)');
    await openGate(`${cluster.name}-lb2-primary`);
    expect(await running.done).toMatchObject({ code: 0 });
    expect(await psql(`${cluster.name}-lb2-replica1`, one)).toBe('1');
  });

  it('ends where the file no longer has its group', async () => {
    await cluster.write(topology());
    const daemon = await DaemonProcess.start(cluster);
    await isHalted();
    await cluster.write(topology({ max_connections: 40 }, 1));
    await daemon.become('Ready', 'True');
    expect((await cluster.containers()).filter((name) => name.includes('-lb2'))).toEqual([]);
  });

  it('that fails late is said, and the volume of each try is kept', async () => {
    await writeFile(join(cluster.directory, 'gate.sh'), `${load}${gate}exit 7\n`);
    await cluster.write(topology());
    const daemon = await DaemonProcess.start(cluster);
    await isHalted();
    await openGate(`${cluster.name}-lb2-primary`);
    await daemon.become('Stalled', 'True');
    const failed = /node\/lb2-primary: .*an init script failed/;
    expect((await daemon.condition('Stalled'))?.message).toMatch(failed);
    // It is tried once more, in another volume, and said all the while.
    await until(
      'the second try',
      () => dockerResult(['inspect', '--format', '{{json .Mounts}}', `${cluster.name}-lb2-primary`]),
      ({ stdout }) => stdout.includes(`"${cluster.name}_lb2_0_2"`),
      60_000,
    );
    await isHalted();
    expect((await daemon.condition('Stalled'))?.message).toMatch(failed);
    await openGate(`${cluster.name}-lb2-primary`);
    await until(
      'the second failure',
      () => daemon.log().filter(({ step, level }) => step?.includes('finish-bootstrap') === true && level !== 'info'),
      ({ length }) => length >= 2,
      60_000,
    );
    await writeFile(join(cluster.directory, 'gate.sh'), load);
    await cluster.write(topology({ max_connections: 41 }));
    await daemon.become('Ready', 'True');
    expect(await psql(`${cluster.name}-lb2-replica1`, one)).toBe('1');
    expect(await cluster.volumes()).toContain(`${cluster.name}_lb2_0_1`);
  });
});
