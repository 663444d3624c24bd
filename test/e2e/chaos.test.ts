import { afterEach, describe, expect, it } from 'vitest';
import type { Checker } from '../chaos/checker.ts';
import { runChaos } from '../chaos/run.ts';
import { Stage } from '../chaos/stage.ts';
import type { FaultKind } from '../chaos/fault-sequence.ts';
import { docker } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** Milliseconds for what takes a few seconds where nothing else runs. */
const limitMs = 120_000;

/** One of each sort; `npm run test:chaos` does them all, and often. */
const kinds: readonly FaultKind[] = [
  'kill-postmaster',
  'disconnect',
  'kill-next-leader',
  'stalled-switchover',
  'hang-replica',
  'suspend-controller',
];

it(
  'loses nothing, has no two primaries and comes back, whatever is done to it',
  async () => {
    const lines: string[] = [];
    const print = (text: string): void => void lines.push(text);
    const report = await runChaos({ mode: 'quorum', runs: kinds.length, seed: 20_251, kinds, limitMs, print });
    expect(report.failures, lines.join('')).toEqual([]);
    expect(report.results.map(({ kind }) => kind).toSorted()).toEqual(kinds.toSorted());
    expect(report.verdict, lines.join('')).toMatchObject({ lost: [], risen: [], doubles: [] });
    expect(report.verdict?.acknowledged).toBeGreaterThan(kinds.length * 10);
    expect(report.verdict?.probes).toBeGreaterThan(kinds.length * 10);
  },
  kinds.length * 2 * limitMs,
);

describe('the checker, where nobody keeps the cluster', () => {
  let stage: Stage;
  let checker: Checker;

  afterEach(async () => {
    await checker.stop();
    await stage.close();
  });

  /** The containers of the leader and of a replica of a cluster that is left to itself, with the checker at work. */
  async function leaveAlone(): Promise<{ readonly leader: string; readonly replica: string }> {
    stage = await Stage.open({ mode: 'async' });
    checker = await stage.startChecker();
    await stage.daemon.stop();
    const [leader = '', replica = ''] = stage.nodes.map(({ container }) => container);
    return { leader, replica };
  }

  function acknowledged(): number {
    return checker.attempts.filter(({ outcome }) => outcome === 'acknowledged').length;
  }

  /** Waits until so many more writes are acknowledged. */
  async function write(count: number): Promise<void> {
    const before = acknowledged();
    await until(`${count} more writes are acknowledged`, acknowledged, (now) => now >= before + count);
  }

  it('finds nothing amiss where nothing is', async () => {
    await leaveAlone();
    await write(50);
    const ways = ['lb1-primary kept session', 'lb1-primary new session', 'lb1-primary socket'];
    const probed = (): ReadonlySet<string> => new Set(checker.probes.map(({ node, way }) => `${node} ${way}`));
    await until('a probe was accepted in each way', probed, (found) => ways.every((way) => found.has(way)));
    const verdict = await checker.verdict();
    expect(verdict).toMatchObject({ lost: [], risen: [], doubles: [] });
    expect(probed()).toEqual(new Set(ways));
  });

  it('finds two primaries where a replica is promoted beside its leader', async () => {
    const { replica } = await leaveAlone();
    await write(10);
    expect(checker.doubles()).toEqual([]);
    await psql(replica, 'SELECT pg_promote()');
    await until(
      'it finds two',
      () => checker.doubles().length,
      (count) => count > 0,
    );
    const { doubles } = await checker.verdict();
    expect(doubles).toMatchObject([
      {
        kind: 'older-after-newer',
        old: { node: 'lb1-primary', timeline: 1 },
        other: { node: 'lb1-replica1', timeline: 2 },
      },
    ]);
  });

  it('finds what was acknowledged and is lost where a replica is promoted that had stopped to follow', async () => {
    const { leader, replica } = await leaveAlone();
    await psql(replica, "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()");
    await until(
      'it follows no more',
      () => psql(replica, 'SELECT count(*) FROM pg_stat_wal_receiver'),
      (count) => count === '0',
    );
    await write(30);
    await docker('kill', leader);
    await psql(replica, 'SELECT pg_promote()');
    const { lost, doubles } = await checker.verdict();
    expect(lost.length).toBeGreaterThanOrEqual(30);
    expect(doubles).toEqual([]);
  });

  it('finds nothing lost, and one primary after the other, where the replica that commits waited for is promoted', async () => {
    const { leader, replica } = await leaveAlone();
    const names = `ANY 1 ("lb1-replica1")`;
    await psql(leader, `ALTER SYSTEM SET synchronous_standby_names = '${names}'; SELECT pg_reload_conf()`);
    await until(
      'commits wait for it',
      () => psql(leader, "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'quorum'"),
      (waited) => waited === 'lb1-replica1',
    );
    await write(30);
    await docker('kill', leader);
    await psql(replica, 'SELECT pg_promote()');
    // By the writers that try every node: the write address has not moved.
    await write(30);
    expect(await checker.verdict()).toMatchObject({ lost: [], risen: [], doubles: [] });
    const timelines = new Set(checker.probes.map(({ node, timeline }) => `${node} ${timeline}`));
    expect(timelines).toEqual(new Set(['lb1-primary 1', 'lb1-replica1 2']));
  });

  it('takes a commit whose wait for a replica was given up for neither acknowledged nor failed', async () => {
    const { leader } = await leaveAlone();
    await write(10);
    await psql(leader, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (nobody)'; SELECT pg_reload_conf()");
    const isWaiting = "wait_event = 'SyncRep'";
    const count = `SELECT count(*) FROM pg_stat_activity WHERE ${isWaiting}`;
    await until(
      'all writers wait',
      () => psql(leader, count),
      (waiting) => Number(waiting) >= 4,
    );
    const before = acknowledged();
    await psql(leader, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${isWaiting}`);
    const givenUp = (): number =>
      checker.attempts.filter(({ outcome, answer }) => outcome === 'unknown' && answer === 'done').length;
    await until('it counts them as unknown', givenUp, (now) => now > 0);
    expect(acknowledged()).toBe(before);
    // The probers wait for no replica.
    const probes = checker.probes.length;
    await until(
      'probes are accepted all the same',
      () => checker.probes.length,
      (now) => now > probes + 5,
    );
  });
});
