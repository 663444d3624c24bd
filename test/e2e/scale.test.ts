import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';

let group: LedHerd;

const notes = '# kept by hand\n';

beforeAll(async () => {
  group = await LedHerd.prepare({});
  await group.herd.editBalancer({ replicas: 1 });
  const { cluster } = group.herd;
  await cluster.write(`${JSON.stringify(group.herd.file, null, 2)}\n${notes}`);
  await group.bringUp('once');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

function read(): Promise<string> {
  return readFile(group.herd.cluster.file, 'utf8');
}

const add = ['add-replica', '--balancer', 'lb1'] as const;
const remove = ['remove-replica', '--balancer', 'lb1', '--node'] as const;

describe('a group whose replicas are a number', () => {
  it('shows what would become of the file and the cluster, and changes neither', async () => {
    const before = await read();
    const { stdout } = await group.run(...add, '--dry-run');
    expect(stdout).toContain('-      "replicas": 1,\n+      "replicas": 2,');
    expect(stdout).toContain('+ node/lb1-replica2 will be created');
    expect(await read()).toBe(before);
    expect(await group.herd.containers('node')).toEqual(['lb1-primary', 'lb1-replica1']);
  });

  it('gets another one, which follows, and all else in the file stays', async () => {
    const before = await read();
    const { stdout } = await group.run(...add);
    expect(stdout).toContain('topology.yaml: lb1-replica2 is added to lb1.');
    expect(await read()).toBe(before.replace('"replicas": 1', '"replicas": 2'));
    await group.becomeWhole('lb1-primary');
    expect(await group.herd.containers('node')).toEqual(['lb1-primary', 'lb1-replica1', 'lb1-replica2']);
  });

  it.each([
    [['lb2', '1'], 'there is no group "lb2"', 'did you mean "lb1"? known here: lb1'],
    [['lb1', 'lb1-replica7'], 'there is no node "lb1-replica7"', 'known here: lb1-primary, lb1-replica1, lb1-replica2'],
    [['lb1', '0'], 'lb1-primary is the primary of lb1', 'pgherd switchover lb1'],
  ])('loses none of %j', async ([balancer = '', node = ''], message, remedy) => {
    const before = await read();
    const { code, stdout, stderr } = await group.pgherd(['remove-replica', '--balancer', balancer, '--node', node]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain(remedy);
    expect(await read()).toBe(before);
  });

  it('loses the one that leads, which hands over first, and the other one keeps its slot', async () => {
    await group.run('switchover', 'lb1', '--to', 'lb1-replica1');
    const old = await group.becomeWhole('lb1-replica1');
    const volume = await group.volumeOf(old.name);
    const { stdout, stderr } = await group.run(...remove, 'lb1-replica1');
    expect(stdout).toContain('group/lb1 gets another leader: lb1-replica1 leads, and is no longer in the file');
    expect(stderr).toMatch(/: promote [^]*node\/lb1-replica1: remove-container/);
    const text = await read();
    expect(text).toMatch(/"replicas": \[\n\s+\{\n\s+"node_id": 2\n\s+\}\n\s+\],\n/);
    expect(text.endsWith(notes)).toBe(true);
    expect(await group.becomeWhole()).toMatchObject({ timeline: old.timeline + 1 });
    expect(await group.herd.containers('node')).toEqual(['lb1-primary', 'lb1-replica2']);
    expect(await group.herd.cluster.volumes()).toContain(volume);
  });
});

describe('a group whose replicas are a list, kept by a daemon', () => {
  it('gets another one by the file alone', async () => {
    await group.startDaemon();
    await group.becomeWhole();
    const { stdout } = await group.run(...add, '--no-reconcile', '--format', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      event: 'file-changed',
      group: 'lb1',
      added: ['lb1-replica3'],
      removed: [],
    });
    await group.daemon.say('that it made the replica', ({ step }) => step === 'node/lb1-replica3: create-container');
    await group.becomeWhole();
  });

  it('loses it again by the daemon, which the command waits for, and the file is what it was', async () => {
    const { stdout } = await group.run(...remove, '3');
    expect(stdout).toContain(`${group.herd.cluster.name}: converged, `);
    expect(stdout).not.toContain('steps done');
    expect(await group.herd.containers('node')).toEqual(['lb1-primary', 'lb1-replica2']);
    expect(group.daemon.steps()).toContain('node/lb1-replica3: remove-container');
    expect(await read()).toMatch(/"replicas": \[\n\s+\{\n\s+"node_id": 2\n\s+\}\n\s+\],\n/);
  });
});
