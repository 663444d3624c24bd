import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, mount } from './failover-herd.ts';
import { docker, dockerResult } from './support/engine.ts';
import { findPostmaster } from './support/postmaster.ts';
import { until } from './support/until.ts';

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({ failover: { delay: '0s' } });
  await group.bringUp('daemon');
});

afterAll(async () => {
  await group.end();
});

/** Counts rows in a volume that no container has, by a server of its own that takes nobody's word. */
async function countSetAside(volume: string, condition: string): Promise<string> {
  const script = `echo 'SELECT count(*) AS found FROM kept WHERE ${condition}' | postgres --single -D pgdata postgres`;
  const [, count = ''] = /found = "(\d+)"/.exec(await group.inVolume(volume, script)) ?? [];
  return count;
}

/** Has a server stop at the moment at which a record names it as the leader, unless it is spared by then. */
async function hangWhereNamed(name: string): Promise<void> {
  const script = `
    own=$(cut -d ' ' -f 3 ${mount}/pgherd/config/role)
    until [ -e /tmp/spared ]; do
      case $(readlink ${mount}/pgherd/record) in
        records/record.*.*.$own.*) kill -STOP "$(head -n 1 ${mount}/pgdata/postmaster.pid)"; exit ;;
      esac
      sleep 0.005
    done`;
  await docker('exec', '--detach', '--user', 'postgres', group.container(name), 'sh', '-c', script);
}

async function findHung(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const { pid } = await findPostmaster(group.container(name));
    if (/^State:\s+T/m.test(await readFile(`/proc/${String(pid)}/status`, 'utf8'))) return name;
  }
  return undefined;
}

describe('a leader that is gone is replaced at once', () => {
  it('when it had rows that no replica has: they are kept in its volume, and it comes back in another', async () => {
    const old = await group.becomeWhole();
    await group.addRow(old.name);
    const volume = await group.volumeOf(old.name);
    for (const name of (await group.followers(old.name)).split(',')) await group.deafen(name);
    // On a slow machine it may be back in place for a moment, and they are told to follow it again: they still get nothing.
    await group.sql(old.name, 'ALTER ROLE pgherd_replication NOLOGIN');
    await group.sql(old.name, 'INSERT INTO kept SELECT generate_series(1001, 1007)');
    await group.failOver(old);
    const leader = await group.becomeWhole();
    expect(leader.timeline).toBe(old.timeline + 1);
    expect(await group.sql(leader.name, 'SELECT count(*) FROM kept WHERE n > 1000')).toBe('0');
    const next = volume.replace(/_1$/, '_2');
    expect(await group.volumeOf(old.name)).toBe(next);
    expect(await group.herd.cluster.volumes()).toContain(volume);
    expect(await countSetAside(volume, 'n > 1000')).toBe('7');
    expect(await group.logOf(old.name)).toContain('cloned');
  });

  it('when its volume was removed: it does not lead with an older one of its own, and comes back from a clone', async () => {
    await group.run('switchover', 'lb1', '--to', 'lb1-primary');
    const old = await group.becomeWhole('lb1-primary');
    await group.addRow(old.name);
    const volume = await group.volumeOf(old.name);
    const older = volume.replace(/_2$/, '_1');
    expect(await group.herd.cluster.volumes()).toEqual(expect.arrayContaining([older, volume]));
    await group.stopDaemon();
    // As one that was set aside for another reason than what it holds.
    const state = await docker('exec', group.container(old.name), 'readlink', `${mount}/pgherd/state`);
    await group.inVolume(older, `ln -sfn ${state} pgherd/state`);
    await group.removeWithVolume(old.name);
    await group.startDaemon();
    await group.awaitSuccessor(old);
    const leader = await group.becomeWhole();
    expect(leader.timeline).toBe(old.timeline + 1);
    expect(await group.volumeOf(old.name)).not.toBe(older);
    expect(await group.logOf(old.name)).toContain('cloned');
  });

  it('when it was killed: it comes back as a replica, rewound, in its volume', async () => {
    const old = await group.becomeWhole();
    await group.addRow(old.name);
    await group.coolDown(old.name);
    const volume = await group.volumeOf(old.name);
    await group.failOver(old);
    const leader = await group.becomeWhole();
    expect(leader.timeline).toBe(old.timeline + 1);
    expect(await group.volumeOf(old.name)).toBe(volume);
    expect(await group.logOf(old.name)).toContain('rewound to');
  });

  it('when its server hangs: it is killed first, and comes back as a replica', async () => {
    const old = await group.becomeWhole();
    await group.coolDown(old.name);
    const { pid } = await findPostmaster(group.container(old.name));
    const started = (): Promise<string> => group.herd.inspect(old.name, '{{.State.StartedAt}}');
    const before = await started();
    process.kill(pid, 'SIGSTOP');
    await until('it is started anew', started, (at) => at !== before, 60_000);
    await group.awaitSuccessor(old);
    const leader = await group.becomeWhole();
    expect(leader.timeline).toBe(old.timeline + 1);
  });

  it('when its successor hangs as it is to lead: the other one does, and nobody who led before is started to be asked', async () => {
    const old = await group.becomeWhole();
    await group.coolDown(old.name);
    const replicas = (await group.followers(old.name)).split(',');
    await Promise.all(replicas.map((name) => hangWhereNamed(name)));
    const since = new Date().toISOString();
    await group.kill(old.name);
    const hung = await until(
      'one hangs',
      () => findHung(replicas),
      (found) => found !== undefined,
    );
    await Promise.all(replicas.map((name) => docker('exec', group.container(name), 'touch', '/tmp/spared')));
    const leader = await group.becomeWhole();
    expect([old.name, hung]).not.toContain(leader.name);
    const { stderr } = await dockerResult(['logs', '--since', since, group.container(old.name)]);
    expect(stderr).toContain('starting');
    expect(stderr).not.toContain('not starting');
  });

  it('and not when nothing happened to it: a daemon that starts anew leaves all as it is', async () => {
    const before = await group.becomeWhole();
    const looked = await group.herd.look();
    await group.daemon.kill();
    await group.startDaemon();
    expect(await group.becomeWhole()).toEqual(before);
    expect(await group.herd.look()).toEqual(looked);
    // A replica that is heard late is no reader until then.
    const isHarmless = (id: string): boolean => id.includes(': await-') || id.endsWith(': write-readers');
    expect(group.daemon.steps().filter((id) => !isHarmless(id))).toEqual([]);
  });
});
