import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, pauseBetweenChecks } from './support/engine.ts';
import { Herd, patient, untouched } from './support/edits.ts';

/**
 * What is changed by hand shows in `plan` as drift with its reason, and one `reconcile --once` puts it right, with every
 * row there, and touching nothing else.
 */
let herd: Herd;
let network: string;
let write: string;

beforeAll(async () => {
  herd = await Herd.prepare(patient);
  network = herd.cluster.name;
  write = `${network}_rw`;
  await herd.bringUp();
});

afterAll(async () => herd.cluster.cleanup());

describe('a container', () => {
  it('a replica removed with `docker rm -f` is made again on its volume', async () => {
    await docker('rm', '-f', herd.container('lb1-replica1'));
    expect(await herd.plan([])).toEqual(['create node/lb1-replica1: missing']);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, created: ['lb1-replica1'] });
    expect(await herd.volumes()).toEqual(['lb1_0_1', 'lb1_1_1', 'lb1_2_1']);
  });

  it('the leader removed with `docker rm -f` is made again on its volume', async () => {
    await docker('rm', '-f', herd.container('lb1-primary'));
    expect((await herd.plan([]))[0]).toBe('create node/lb1-primary: missing');
    expect(await herd.converge()).toEqual({ ...untouched, created: ['lb1-primary'] });
    await herd.findRows();
  });

  it('the balancer removed with `docker rm -f` is made again', async () => {
    await docker('rm', '-f', herd.container('lb1'));
    expect(await herd.plan([])).toEqual(['create balancer/lb1: missing']);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, created: ['lb1'] });
  });

  it.each([
    ['lb1-replica1', 'node/lb1-replica1'],
    ['lb1-primary', 'node/lb1-primary'],
    ['lb1', 'balancer/lb1'],
  ])('%s stopped is started', async (name, resource) => {
    await docker('stop', herd.container(name));
    expect(await herd.plan([])).toContain(`start ${resource}: stopped`);
    expect(await herd.converge()).toEqual({ ...untouched, restarted: [name] });
    await herd.findRows();
  });

  it('all stopped are started', async () => {
    const names = ['lb1', 'lb1-primary', 'lb1-replica1', 'lb1-replica2'];
    await docker('stop', ...names.map((name) => herd.container(name)));
    expect(await herd.converge()).toEqual({ ...untouched, restarted: names });
    await herd.findRows();
  });

  it.each([
    ['lb1-replica1', 'node/lb1-replica1'],
    ['lb1-primary', 'node/lb1-primary'],
    ['lb1', 'balancer/lb1'],
  ])('%s paused is unpaused', async (name, resource) => {
    await pauseBetweenChecks(herd.container(name));
    expect(await herd.plan([])).toContain(`update ${resource}: paused`);
    expect(await herd.converge()).toEqual(untouched);
    await herd.findRows();
  });

  it.each([
    ['lb1-replica2', 'node/lb1-replica2'],
    ['lb1-primary', 'node/lb1-primary'],
    ['lb1', 'balancer/lb1'],
  ])('%s killed is started', async (name, resource) => {
    await docker('kill', herd.container(name));
    expect(await herd.plan([])).toContain(`start ${resource}: stopped`);
    expect(await herd.converge()).toEqual({ ...untouched, restarted: [name] });
    await herd.findRows();
  });
});

describe('limits changed with `docker update`', () => {
  it('a restart policy: live', async () => {
    await docker('update', '--restart', 'no', herd.container('lb1-primary'), herd.container('lb1'));
    expect(await herd.plan()).toEqual([
      'update node/lb1-primary: limits',
      '  restart: no -> always (live)',
      'update balancer/lb1: limits',
      '  restart: no -> always (live)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
  });

  it('memory and cpus where the file has none: made anew, since the engine takes no limit away', async () => {
    await docker('update', '--memory', '256m', '--memory-swap', '512m', herd.container('lb1-replica1'));
    await docker('update', '--cpus', '1.5', herd.container('lb1'));
    expect(await herd.plan()).toEqual([
      'delete+create node/lb1-replica1: changed',
      '  memory: 256 MiB -> no limit (recreate)',
      'delete+create balancer/lb1: changed',
      '  cpus: 1.5 -> no limit (recreate)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, recreated: ['lb1', 'lb1-replica1'] });
  });

  it('memory and cpus where the file has some: live', async () => {
    await herd.editPostgres({ memory: '300m', cpus: 1 });
    await herd.converge();
    await docker('update', '--memory', '256m', '--memory-swap', '512m', herd.container('lb1-replica1'));
    await docker('update', '--cpus', '1.5', herd.container('lb1-primary'));
    expect(await herd.plan()).toEqual([
      'update node/lb1-primary: limits',
      '  cpus: 1.5 -> 1 (live)',
      'update node/lb1-replica1: limits',
      '  memory: 256 MiB -> 300 MiB (live)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
  });
});

describe('networks', () => {
  it.each([
    ['lb1-replica1', 'node/lb1-replica1'],
    ['lb1-primary', 'node/lb1-primary'],
    ['lb1', 'balancer/lb1'],
  ])('%s disconnected from the network is connected again, at its address', async (name, resource) => {
    const address = await addressOf(name, network);
    await docker('network', 'disconnect', network, herd.container(name));
    expect(await herd.plan([`networks.${network}`])).toEqual([
      `update ${resource}: disconnected`,
      `  networks.<cluster>: (none) -> ${address} (live)`,
    ]);
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await addressOf(name, network)).toBe(address);
  });

  it.each([
    ['lb1-primary', 'node/lb1-primary'],
    ['lb1', 'balancer/lb1'],
  ])('%s disconnected from the write network is connected again, at its address', async (name, resource) => {
    const address = await addressOf(name, write);
    await docker('network', 'disconnect', write, herd.container(name));
    expect(await herd.plan()).toEqual([
      `update ${resource}: disconnected`,
      `  networks.<cluster>_rw: (none) -> ${address} (live)`,
    ]);
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await addressOf(name, write)).toBe(address);
  });

  it('a replica that was given an address on the write network loses it: it does not lead', async () => {
    await docker('network', 'connect', write, herd.container('lb1-replica1'));
    expect(await herd.plan([])).toEqual(['update node/lb1-replica1: write-address']);
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await addressOf('lb1-replica1', write)).toBe('');
  });

  it('both networks removed by hand are made again, with everything at its address', async () => {
    const names = await herd.containers();
    const before = await Promise.all(names.map((name) => addresses(name)));
    for (const name of names) await docker('network', 'disconnect', network, herd.container(name));
    for (const name of ['lb1', 'lb1-primary']) await docker('network', 'disconnect', write, herd.container(name));
    await docker('network', 'rm', network, write);
    expect(await herd.plan([])).toEqual([
      'create network/<cluster>: missing',
      'create network/<cluster>_rw: missing',
      'update node/lb1-primary: disconnected',
      'update node/lb1-replica1: disconnected',
      'update node/lb1-replica2: disconnected',
      'update balancer/lb1: disconnected',
    ]);
    expect(await herd.converge()).toEqual(untouched);
    expect(await Promise.all(names.map((name) => addresses(name)))).toEqual(before);
    await herd.findRows();
  });

  it('a foreign container on the network, and a foreign network of a node, are left alone', async () => {
    const { label } = herd.cluster.run;
    const foreign = `${network}-foreign`;
    await docker('network', 'create', '--label', label, foreign);
    await docker('network', 'connect', foreign, herd.container('lb1-replica1'));
    const run = ['run', '--detach', '--label', label, '--name', foreign, '--network', network];
    await docker(...run, '--entrypoint', 'sleep', 'postgres:17', 'infinity');
    expect(await herd.plan()).toEqual([]);
    await docker('stop', herd.container('lb1-replica2'));
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, restarted: ['lb1-replica2'] });
    expect(await addressOf('lb1-replica1', foreign)).not.toBe('');
    expect(await docker('inspect', '--format', '{{.State.Running}}', foreign)).toBe('true');
  });

  it('a network in use by a foreign container: destroy says so, and removes the rest', async () => {
    const { code, stderr } = await herd.pgherd('destroy', '--yes');
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('[network-in-use]') as string });
    expect(await herd.containers()).toEqual([]);
    await docker('rm', '--force', '--volumes', `${network}-foreign`);
    expect(await herd.pgherd('destroy', '--yes')).toMatchObject({ code: 0 });
    expect(await herd.cluster.networks()).toEqual([]);
  });
});

function addressOf(name: string, of: string): Promise<string> {
  return herd.inspect(name, `{{with index .NetworkSettings.Networks "${of}"}}{{.IPAddress}}{{end}}`);
}

async function addresses(name: string): Promise<string> {
  return `${name} ${await addressOf(name, network)} ${await addressOf(name, write)}`;
}
