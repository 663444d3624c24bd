import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd, type Leader } from './failover-herd.ts';
import { docker } from './support/engine.ts';
import { until } from './support/until.ts';

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({ failover: { mode: 'manual' } });
  await group.bringUp('once');
});

afterAll(async () => {
  await group.end();
});

describe('where a human is to decide', () => {
  it('refuses to replace a leader that answers', async () => {
    const before = await group.becomeWhole();
    const { code, stderr } = await group.pgherd(['failover', 'lb1']);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain('lb1-primary leads lb1, and answers');
    expect(stderr).toContain('pgherd switchover lb1');
    expect(await group.leaders()).toEqual([before]);
  });

  it('starts a leader that was killed where it was', async () => {
    const before = await group.becomeWhole();
    await group.kill(before.name);
    await group.reconcile();
    expect(await group.becomeWhole()).toEqual(before);
  });

  it('promotes nobody where the data of the leader is gone, until somebody says so', async () => {
    const before = await group.becomeWhole();
    await group.addRow(before.name);
    await group.removeWithVolume(before.name);
    expect(await group.blocked()).toEqual(['group/lb1: manual-failover']);
    const reconciled = await group.pgherd(['reconcile', '--once', '--timeout', '60']);
    expect(reconciled.code, `${reconciled.stdout}${reconciled.stderr}`).toBe(3);
    expect(reconciled.stderr).toContain('manual-failover');
    expect(await group.leaders()).toEqual([]);
    const { stdout } = await group.pgherd(['status', '--format', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ clusters: [{ health: 'Blocked', groups: [{ leader: null }] }] });

    const { stdout: said } = await group.run('failover', 'lb1');
    const leader = await group.becomeWhole();
    expect(said).toContain(`${leader.name} leads lb1, which lb1-primary led before.`);
    expect(leader.timeline).toBe(before.timeline + 1);
    expect(leader.name).not.toBe(before.name);
  });
});

describe('failover.max_lag', () => {
  it('has nobody lead who is further behind than that: the leader leads on when it is mended', async () => {
    await group.herd.edit((file) => ({ ...file, failover: { delay: '0s', max_lag: '1MB' } }));
    await group.startDaemon();
    const { leader, others } = await fallBehind();
    await group.break(leader.name);
    await expectTooFarBehind();
    await group.mend(leader.name);
    await group.awaitLeader('it leads on', (found) => found.name === leader.name);
    await Promise.all(others.map((name) => group.heal(name)));
    expect(await group.becomeWhole()).toEqual(leader);
  });

  it('nor where the leader is gone with its container, until somebody says so', async () => {
    const { leader, others } = await fallBehind();
    // The daemon must not see the volume without its container, or it would give it another.
    group.daemon.running.child.kill('SIGSTOP');
    await group.removeWithVolume(leader.name);
    group.daemon.running.child.kill('SIGCONT');
    await expectTooFarBehind();
    const { code, stdout, stderr } = await group.pgherd(['failover', 'lb1', '--timeout', '5']);
    expect(code, `${stdout}${stderr}`).toBe(3);
    expect(await group.leaders()).toEqual([]);
    await group.run('failover', 'lb1', '--allow-data-loss', '--timeout', '60');
    const next = await group.becomeWhole();
    expect(next.timeline).toBe(leader.timeline + 1);
    expect(others).toContain(next.name);
  });

  /** Has the daemon know that the leader has written much that nobody received. */
  async function fallBehind(): Promise<{ readonly leader: Leader; readonly others: readonly string[] }> {
    const leader = await group.becomeWhole();
    const others = (await group.followers(leader.name)).split(',');
    for (const name of others) await group.deafen(name);
    await group.sql(leader.name, "CREATE TABLE ballast AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)");
    await group.sql(leader.name, 'DROP TABLE ballast');
    await untilHeard(leader.name);
    return { leader, others };
  }

  async function expectTooFarBehind(): Promise<void> {
    // First it is given time to come back in place.
    const stalled = await until(
      'nobody is promoted, since all are too far behind',
      () => group.daemon.condition('Stalled'),
      (found) => found?.reason === 'too-far-behind',
      60_000,
    );
    expect(stalled?.message).toMatch(/is \d{7} bytes behind, and failover.max_lag is 1048576/);
    expect(await group.leaders()).toEqual([]);
  }

  /** Waits until the daemon has heard from a server what happened up to now. */
  async function untilHeard(name: string): Promise<void> {
    const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgherd_heartbeat' AND query_start > '`;
    for (const what of ['a word', 'the word after it']) {
      const now = await group.sql(name, 'SELECT clock_timestamp()');
      await until(
        `the daemon has heard ${what}`,
        () => group.sql(name, `${sql}${now}'`),
        (count) => count === '1',
      );
    }
  }
});

it('has a leader that lost its container, and nothing else, back in place', async () => {
  const before = await group.becomeWhole();
  // Nobody is to be replaced before the file says so.
  await group.stopDaemon();
  await docker('rm', '--force', group.container(before.name));
  await group.herd.edit((file) => ({ ...file, failover: { mode: 'manual' } }));
  await group.startDaemon();
  expect(await group.becomeWhole()).toEqual(before);
});
