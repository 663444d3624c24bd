import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, slotOf, type Leader } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

let group: LedHerd;

const replication = { mode: 'quorum', sync_replicas: 1 };

beforeAll(async () => {
  group = await LedHerd.prepare({ replication, failover: { delay: '0s' } });
  await group.bringUp('daemon');
  await group.untilListed('lb1-primary', '1-2');
});

afterAll(async () => {
  await group.end();
});

/** Begins to insert a row that is not one of those that must be kept, and waits until its commit waits. */
async function insertWaiting(leader: string, n: number): Promise<{ readonly committed: Promise<string> }> {
  const sql = `INSERT INTO kept VALUES (${String(n)}) RETURNING clock_timestamp()`;
  const committed = psql(group.container(leader), sql, { timeoutMs: 120_000 });
  committed.catch(() => undefined);
  await until(
    'the commit waits',
    () => group.waiting(leader),
    (count) => count === '1',
  );
  return { committed };
}

/** The leader and the two that follow it. */
async function triple(): Promise<{ readonly leader: Leader; readonly one: string; readonly other: string }> {
  const leader = await group.becomeWhole();
  const [one = '', other = ''] = (await group.followers(leader.name)).split(',');
  await group.untilListed(leader.name, [one, other].map(slotOf).toSorted().join('-'));
  return { leader, one, other };
}

/** Does something that a running daemon sees only when it is done. */
async function unseen(act: () => Promise<void>): Promise<void> {
  const { child } = group.daemon.running;
  child.kill('SIGSTOP');
  try {
    await act();
  } finally {
    child.kill('SIGCONT');
  }
}

describe('commits', () => {
  it('go on where one of two standbys is gone', async () => {
    await group.addRow('lb1-primary');
    await group.break('lb1-replica2');
    await group.addRow('lb1-primary');
    await group.untilListed('lb1-primary', '1');
    await group.addRow('lb1-primary');
  });

  it('and a standby that is started again and again keeps nobody from looking', async () => {
    await until(
      'it waits to be started',
      () => group.herd.inspect('lb1-replica2', '{{.State.Restarting}}'),
      (is) => is === 'true',
    );
    await group.herd.planJson();
    await group.run('status');
  });

  it('wait where both are gone, until one is back', async () => {
    await group.break('lb1-replica1');
    const { committed } = await insertWaiting('lb1-primary', 1001);
    expect(await group.listed('lb1-primary')).toBe('1');
    await group.mend('lb1-replica1');
    await committed;
    await group.addRow('lb1-primary');
  });

  it('go on without anybody where the file prefers that, and nobody is listed then', async () => {
    await group.herd.edit((file) => ({ ...file, replication: { ...replication, durability: 'preferred' } }));
    await group.break('lb1-replica1');
    await group.untilListed('lb1-primary', '');
    await group.sql('lb1-primary', 'INSERT INTO kept VALUES (1002)');
    await group.herd.edit((file) => ({ ...file, replication }));
    await Promise.all([group.mend('lb1-replica1'), group.mend('lb1-replica2')]);
    await group.becomeWhole('lb1-primary');
    await group.untilListed('lb1-primary', '1-2');
  });
});

describe('nobody leads who may lack what was acknowledged', () => {
  it('where the leader and the only one listed are gone, until somebody accepts the loss', async () => {
    const { leader, one, other } = await triple();
    await group.addRow(leader.name);
    await group.break(other);
    await group.untilListed(leader.name, slotOf(one));
    await group.sql(leader.name, 'INSERT INTO kept VALUES (2001)');
    await unseen(async () => {
      await group.removeWithVolume(leader.name);
      await group.removeWithVolume(one);
      await group.mend(other);
    });
    await group.daemon.becomeFor('Stalled', 'quorum-lost');
    expect(await group.blocked()).toEqual(['group/lb1: quorum-lost']);
    expect(await group.leaders()).toEqual([]);

    await group.run('failover', 'lb1', '--allow-data-loss', '--timeout', '60');
    expect(await group.becomeWhole()).toEqual({ name: other, timeline: leader.timeline + 1 });
    expect(await group.sql(other, 'SELECT count(*) FROM kept WHERE n = 2001'), 'what was at stake').toBe('0');
  });

  it('and commits on a new leader wait for one that has them, not for one that has gone another way', async () => {
    const { leader, one: diverged, other: next } = await triple();
    await group.addRow(leader.name);
    await group.deafen(next);
    await group.sql(leader.name, 'INSERT INTO kept SELECT generate_series(3001, 3100)');
    const volume = await group.volumeOf(diverged);
    const taken = group.container(leader.name);
    await unseen(async () => {
      await group.break(diverged);
      await group.removeWithVolume(leader.name);
      // So that the only one that can come back is the one that has gone another way.
      await docker('create', '--name', taken, '--label', group.herd.cluster.run.label, 'postgres:17');
    });
    const answer = await group.pgherd(['failover', 'lb1', '--to', next, '--allow-data-loss', '--timeout', '60']);
    expect(answer.stdout, answer.stderr).toContain(`${next} leads lb1`);
    const { timeline } = await group.awaitSuccessor(leader);
    const { committed } = await insertWaiting(next, 3000);
    let isOver = false;
    void committed.then(
      () => (isOver = true),
      () => undefined,
    );

    await group.mend(diverged);
    const seen = new Set<string>();
    await until(
      'the commit is acknowledged',
      async () => {
        const sql = 'SELECT application_name FROM pg_stat_replication';
        const streaming = await group.sql(next, sql);
        if (!isOver && streaming !== '') seen.add(`${streaming} in ${await group.volumeOf(diverged).catch(() => '?')}`);
        return isOver;
      },
      (over) => over,
      90_000,
    );
    // It has come from a new clone, and is on the new leader's timeline.
    expect(await group.sql(diverged, 'SELECT received_tli FROM pg_stat_wal_receiver')).toBe(String(timeline));
    expect(await group.volumeOf(diverged)).not.toBe(volume);
    expect(await group.sql(diverged, 'SELECT count(*) FROM kept WHERE n > 3000')).toBe('0');
    expect([...seen], 'connected while the commit waited').toContain(`${diverged} in ${volume}`);
    await docker('rm', taken);
    expect(await group.becomeWhole()).toEqual({ name: next, timeline });
  });
});

// What the last test is for: by itself PostgreSQL takes the word of a standby that has gone another way.
describe('where nobody holds them', () => {
  beforeAll(async () => {
    await group.end();
    group = await LedHerd.prepare({ replication });
    await group.bringUp('once');
    await group.addRow('lb1-primary');
  });

  it('commits on a new leader are acknowledged by one that has not got them', async () => {
    const leader = await group.becomeWhole();
    const [diverged, next] = ['lb1-replica1', 'lb1-replica2'] as const;
    await group.untilListed(leader.name, '1-2');
    await group.deafen(next);
    await group.sql(leader.name, 'INSERT INTO kept SELECT generate_series(4001, 4100)');
    await group.kill(leader.name);
    const names = `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'; SELECT pg_reload_conf(), pg_promote()`;
    await group.sql(next, names);
    const { committed } = await insertWaiting(next, 4000);
    const network = group.herd.cluster.name;
    const address = await group.herd.inspect(next, `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`);
    const conninfo = await group.sql(diverged, 'SHOW primary_conninfo');
    const follow = conninfo.replace(/host=\S+/, `host=${address}`);
    await group.sql(
      diverged,
      `ALTER SYSTEM SET primary_slot_name = ''; ALTER SYSTEM SET primary_conninfo = '${follow}'; SELECT pg_reload_conf()`,
    );
    await committed;
    const rows = 'SELECT count(*) FILTER (WHERE n = 4000), count(*) FILTER (WHERE n > 4000) FROM kept';
    expect(await group.sql(next, rows)).toBe('1|0');
    expect(await group.sql(diverged, rows)).toBe('0|100');
  });
});
