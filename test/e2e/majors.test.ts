import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needsRestart } from '../../src/postgres/parameters.ts';
import { LedHerd } from './failover-herd.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/**
 * Versions of PostgreSQL whose images this engine has. By `npm run test:matrix` the whole scenario runs on those that it
 * was given; with all other tests a short one on those that no other test has.
 */
const given = process.env['PGHERD_MAJORS'];
const majors = given?.split(' ').map(Number) ?? [13, 15, 18];

const quorum = { mode: 'quorum', sync_replicas: 1 };

describe.each(majors)('PostgreSQL %d', (major) => {
  let group: LedHerd;

  beforeAll(async () => {
    group = await LedHerd.prepare({ failover: { delay: '0s' } }, (file) => ({
      ...file,
      postgres: { ...file.postgres, image: `postgres:${String(major)}` },
    }));
  });

  afterAll(async () => {
    await group.end();
  });

  /** Writes a row by the balancer, as soon as that leads to a server that takes it. */
  async function writeThrough(row: string): Promise<void> {
    const balancer = { host: '127.0.0.1', port: 9999, password: 'only-a-test' };
    const sql = `INSERT INTO through VALUES ('${row}') ON CONFLICT DO NOTHING RETURNING 'written'`;
    await until(
      `the balancer takes ${row}`,
      async () => await psql(group.container('lb1'), sql, balancer),
      (answer) => answer === 'written' || answer === '',
    );
  }

  it('comes up: every node streams, and a row goes in by the balancer', async () => {
    await group.bringUp('daemon');
    await group.addRow('lb1-primary');
    const versions = await group.herd.ask(
      ['lb1-primary', 'lb1-replica1', 'lb1-replica2'],
      "SELECT current_setting('server_version_num')::int / 10000",
    );
    expect(versions).toEqual(Array(3).fill(String(major)));
    await group.sql('lb1-primary', 'CREATE TABLE through (moment text PRIMARY KEY)');
    await writeThrough('at first');
  });

  it('changes by a restart what pgherd restarts it for, and nothing else', async () => {
    const sql = "SELECT name, context = 'postmaster' FROM pg_settings WHERE context <> 'internal' ORDER BY name";
    const said = (await group.sql('lb1-primary', sql)).split('\n');
    expect(
      said.map((line) => line.split('|')[0] ?? '').map((name) => `${name}|${needsRestart(name, major) ? 't' : 'f'}`),
    ).toEqual(said);
    expect(await group.herd.inspect('lb1-primary', '{{.Config.Env}}')).toContain(`PG_MAJOR=${String(major)}`);
  });

  it('has its commits wait for a quorum', async () => {
    await group.herd.edit((file) => ({ ...file, replication: quorum }));
    const listed = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
    await until(
      'both replicas are of the quorum',
      () => group.sql('lb1-primary', listed),
      (count) => count === '2',
    );
    await group.becomeWhole('lb1-primary');
  });

  it('gets another leader when that one is killed, which rejoins', async () => {
    const old = await group.awaitLeader('a node leads', () => true);
    const volume = await group.volumeOf(old.name);
    await group.kill(old.name);
    const next = await group.awaitSuccessor(old);
    await writeThrough('after the failover');
    await group.becomeWhole(next.name);
    expect(await group.volumeOf(old.name), 'it was not cloned').toBe(volume);
    expect(await group.logOf(old.name)).toMatch(/rewound to|nothing to rewind/);
  });

  it('hands over to one that is named', async () => {
    const old = await group.awaitLeader('a node leads', () => true);
    await group.run('switchover', 'lb1', '--to', 'lb1-primary');
    expect(await group.becomeWhole('lb1-primary')).toMatchObject({ timeline: old.timeline + 1 });
    await writeThrough('after the switchover');
    await until(
      'the replica has all three rows',
      () => group.sql('lb1-replica1', 'SELECT count(*) FROM through'),
      (count) => count === '3',
    );
  });

  if (given === undefined) return;

  it('gets a replica more, and loses one', async () => {
    await group.run('add-replica', '--balancer', 'lb1');
    await group.becomeWhole('lb1-primary');
    expect(await group.followers('lb1-primary')).toBe('lb1-replica1,lb1-replica2,lb1-replica3');
    await group.run('remove-replica', '--balancer', 'lb1', '--node', 'lb1-replica1');
    await group.becomeWhole('lb1-primary');
    expect(await group.followers('lb1-primary')).toBe('lb1-replica2,lb1-replica3');
  });

  it('is destroyed', async () => {
    await group.stopDaemon();
    await group.run('destroy', '--yes');
    await until(
      'no container is left',
      () => group.herd.cluster.containers(),
      (names) => names.length === 0,
    );
  });
});
