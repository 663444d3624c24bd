import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, mount } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
import { until } from './support/until.ts';

/** A controller that has lost its lock may wake up at any moment: what it does then is done by hand here. */

const home = `${mount}/pgherd`;
const data = `${mount}/pgdata`;
let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({});
  await group.bringUp('once');
  await group.run('switchover', 'lb1', '--to', 'lb1-replica1');
  await group.becomeWhole('lb1-replica1');
});

afterAll(async () => {
  await group.end();
});

/** Runs a script of a node's revision as a controller of this epoch does. */
function instruct(name: string, epoch: number, script: string, ...args: readonly string[]) {
  const command = ['env', `PGHERD_EPOCH=${String(epoch)}`, 'sh', `${home}/config/${script}`, ...args];
  return dockerResult(['exec', '--user', 'postgres', group.container(name), ...command]);
}

/** What the newest record in a node's volume is called. */
async function recordOf(name: string): Promise<string> {
  const target = await docker('exec', group.container(name), 'readlink', `${home}/record`);
  return target.trim();
}

describe('a controller that wakes up when another one has taken over', () => {
  it.each(['apply', 'detach', 'promote'])('is refused what it instructs a node to do: %s', async (script) => {
    const before = await group.leaders();
    const result = await instruct('lb1-replica2', 1, script, '3');
    expect(result.code).toBe(75);
    expect(result.stderr).toContain('a later controller has taken over');
    expect(await group.leaders()).toEqual(before);
    expect(await group.becomeWhole('lb1-replica1')).toMatchObject({ name: 'lb1-replica1' });
  });

  it('cannot have a node promoted that the newest record does not name, whatever its epoch', async () => {
    const result = await instruct('lb1-replica2', Number.MAX_SAFE_INTEGER, 'promote', '3');
    expect(result.code).toBe(75);
    expect(result.stderr).toContain('the record names slot 1 as the leader, and this is slot 2');
    expect(await group.becomeWhole('lb1-replica1')).toMatchObject({ name: 'lb1-replica1' });
  });

  it('does not bring the former leader back by lifting its fence: it starts as no leader', async () => {
    const old = group.container('lb1-primary');
    await docker('update', '--restart', 'no', old);
    await docker('stop', old);
    // As its volume was when it was fenced, but for the fence: a role to lead, no mark of a standby.
    const late = `
      cd ${home}
      cp -a "$(readlink config)" rev.late.lead
      sed 's/^follow/lead/' rev.late.lead/role >role.late && cat role.late >rev.late.lead/role && rm role.late
      ln -sfn rev.late.lead config
      ln -sfn ended serves
      rm -f ${data}/standby.signal`;
    await docker(
      'run',
      '--rm',
      '--volumes-from',
      old,
      '--user',
      'postgres',
      '--entrypoint',
      'sh',
      'postgres:17',
      '-c',
      late,
    );
    await docker('start', old);
    await until(
      'it refuses',
      () => dockerResult(['logs', '--tail', '5', old]),
      ({ stderr }) => stderr.includes('the record names slot 1 as the leader, and this is slot 0: not starting'),
    );
    expect((await group.leaders()).map(({ name }) => name)).toEqual(['lb1-replica1']);
    await group.reconcile();
    expect(await group.becomeWhole('lb1-replica1')).toMatchObject({ name: 'lb1-replica1' });
  });

  it('cannot turn the record back: the next one to take over counts what was written under the highest epoch', async () => {
    const newest = await recordOf('lb1-replica2');
    const records = await docker('exec', group.container('lb1-replica2'), 'ls', `${home}/records`);
    const older = records.split('\n').find((name) => name.startsWith('record.') && !newest.endsWith(name));
    expect(older).toBeDefined();
    for (const name of ['lb1-primary', 'lb1-replica1', 'lb1-replica2']) {
      await docker(
        'exec',
        '--user',
        'postgres',
        group.container(name),
        'sh',
        '-c',
        `cd ${home} && [ ! -e records/${older ?? ''} ] || ln -sfn records/${older ?? ''} record`,
      );
    }
    await group.startDaemon();
    await until(
      'the daemon has claimed the group',
      () => recordOf('lb1-replica2'),
      (record) => record !== `records/${older ?? ''}` && record !== newest,
    );
    expect(await group.becomeWhole('lb1-replica1')).toMatchObject({ name: 'lb1-replica1' });
    await group.stopDaemon();
  });
});
