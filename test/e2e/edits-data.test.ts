import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, dockerResult } from './support/engine.ts';
import { Herd, patient, untouched } from './support/edits.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** Data outlives containers, and where it is gone nothing takes its place unasked. */
let herd: Herd;

beforeAll(async () => {
  herd = await Herd.prepare(patient);
  await herd.bringUp();
});

afterAll(async () => herd.cluster.cleanup());

describe('destroy', () => {
  it('without --yes and without a terminal refuses, and touches nothing', async () => {
    const before = await herd.look();
    expect(await herd.pgherd('destroy')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--yes') as string,
    });
    expect(await herd.look()).toEqual(before);
  });

  it('keeps the volumes, from which reconcile brings all rows back', async () => {
    await herd.addRow();
    expect(await herd.pgherd('destroy', '--yes')).toMatchObject({ code: 0 });
    expect(await herd.containers()).toEqual([]);
    expect(await herd.cluster.networks()).toEqual([]);
    expect(await herd.volumes()).toEqual(['lb1_0_1', 'lb1_1_1', 'lb1_2_1']);
    expect(await herd.plan([])).toContain('create node/lb1-primary: missing');
    expect((await herd.converge()).created).toEqual(['lb1', 'lb1-primary', 'lb1-replica1', 'lb1-replica2']);
    await herd.findRows();
    expect(await herd.volumes()).toEqual(['lb1_0_1', 'lb1_1_1', 'lb1_2_1']);
  });
});

describe('a volume of a replica that is gone', () => {
  it('is cloned anew', async () => {
    await lose('lb1-replica1', 'lb1_1_1');
    expect(await herd.plan([])).toEqual([
      'create volume/<cluster>_lb1_1_1: missing',
      'create node/lb1-replica1: missing',
      'update balancer/lb1: readers',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, created: ['lb1-replica1'] });
  });
});

describe('a clone cut short', () => {
  it('is removed, and the next generation is cloned', async () => {
    await psql(
      herd.container('lb1-primary'),
      "CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 60000)",
    );
    // Slow enough to be met on the way.
    await herd.editBalancer({ replicas: [{ node_id: 1 }, { node_id: 2 }, { node_id: 3, cpus: 0.1 }] });
    const running = await herd.cluster.spawnPgherd(['reconcile', '--once'], { env: { HERD_PASSWORD: 'only-a-test' } });
    const replica = herd.container('lb1-replica3');
    await until(
      'lb1-replica3 is cloning',
      () => stateOf(replica),
      (state) => state === 'cloning',
    );
    running.child.kill('SIGKILL');
    await running.done;
    await docker('kill', replica);
    expect(await stateInVolume('lb1_3_1')).toBe('cloning');
    expect(await herd.plan(['volume'])).toContain('delete+create node/lb1-replica3: cut-short');
    await herd.editBalancer({ replicas: 3 });
    const touched = await herd.convergeKeepingRows();
    expect(touched).toMatchObject({ created: [], removed: [], recreated: ['lb1-replica3'] });
    expect(await herd.volumes()).toEqual(['lb1_0_1', 'lb1_1_1', 'lb1_2_1', 'lb1_3_2']);
    expect(await herd.leftovers()).toEqual([]);
    await herd.editBalancer({ replicas: 2 });
    await herd.convergeKeepingRows();
  });
});

describe("the leader's volume that is gone, where only a human promotes", () => {
  const kept = ['lb1_1_1', 'lb1_2_1', 'lb1_3_2'];

  it('with replicas alive: blocked, and nothing else is touched', async () => {
    await herd.edit((file) => ({ ...file, failover: { mode: 'manual' } }));
    await lose('lb1-primary', 'lb1_0_1');
    const before = await herd.look();
    expect(await herd.plan([])).toEqual(['blocked group/lb1: manual-failover']);
    expect(await herd.pgherd('reconcile', '--once', '--timeout', '60')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[manual-failover]') as string,
    });
    expect(await herd.look()).toEqual(before);
    expect(await herd.volumes()).toEqual(kept);
    const rows = await herd.ask(['lb1-replica1', 'lb1-replica2'], 'SELECT count(*) = max(n) FROM kept');
    expect(rows).toEqual(['t', 't']);
  });

  it('after destroy: blocked as well, and no empty volume takes its place', async () => {
    expect(await herd.pgherd('destroy', '--yes')).toMatchObject({ code: 0 });
    expect(await herd.pgherd('reconcile', '--once', '--timeout', '60')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[manual-failover]') as string,
    });
    expect(await herd.volumes()).toEqual(kept);
    expect(await stateInVolume('lb1_1_1')).toMatch(/^data\.\d+$/);
  });

  it('destroy --volumes --yes leaves nothing', async () => {
    expect(await herd.pgherd('destroy', '--volumes', '--yes')).toMatchObject({ code: 0 });
    expect([await herd.containers(), await herd.cluster.networks(), await herd.volumes()]).toEqual([[], [], []]);
  });
});

async function lose(name: string, volume: string): Promise<void> {
  await docker('rm', '--force', herd.container(name));
  await docker('volume', 'rm', `${herd.cluster.name}_${volume}`);
}

/** What a node's volume says of itself, by its container. */
async function stateOf(container: string): Promise<string> {
  const { stdout } = await dockerResult(['exec', container, 'readlink', '/var/lib/postgresql/data/pgherd/state']);
  return stdout.trim();
}

async function stateInVolume(volume: string): Promise<string> {
  const mount = `${herd.cluster.name}_${volume}:/volume:ro`;
  const { label } = herd.cluster.run;
  const flags = ['--rm', '--label', label, '--network', 'none', '--tmpfs', '/var/lib/postgresql/data'];
  const run = ['run', ...flags, '--volume', mount, '--entrypoint', 'readlink'];
  return await docker(...run, 'postgres:17', '/volume/pgherd/state');
}
