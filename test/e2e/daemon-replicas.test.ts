import { afterAll, beforeAll, expect, it } from 'vitest';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { docker } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

let cluster: TestCluster;
let daemon: DaemonProcess;

beforeAll(async () => {
  cluster = await newCluster();
  await write();
  daemon = await DaemonProcess.start(cluster);
  await daemon.become('Ready', 'True');
  await psql(leader(), 'CREATE TABLE kept (n int)');
});

afterAll(async () => {
  await cluster.cleanup();
});

const leader = (): string => `${cluster.name}-lb1-primary`;
const replica = (): string => `${cluster.name}-lb1-replica1`;

/** `ofReplica`: parameters of the replica alone. */
async function write(ofReplica: Readonly<Record<string, string>> = {}): Promise<void> {
  await cluster.write({
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: {
      parameters: {
        max_connections: 40,
        min_wal_size: '32MB',
        max_wal_size: '32MB',
        wal_keep_size: '0',
        max_slot_wal_keep_size: '32MB',
      },
    },
    balancers: [
      {
        name: 'lb1',
        config: { num_init_children: 2, max_pool: 1 },
        replicas: [{ node_id: 1, parameters: ofReplica }],
      },
    ],
  });
}

function volumeOf(container: string): Promise<string> {
  return docker('inspect', '--format', '{{range .Mounts}}{{.Name}}{{end}}', container);
}

/** Waits until the replica is there in this generation of its volume, streams, and has the rows. */
async function expectCloned(generation: number): Promise<void> {
  const volume = `${cluster.name}_lb1_1_${String(generation)}`;
  await until(
    'it is in another volume',
    () => volumeOf(replica()),
    (name) => name === volume,
    60_000,
  );
  await expectStreams();
  const rows = await psql(leader(), 'SELECT count(*) FROM kept');
  await until(
    'it has all rows',
    () => psql(replica(), 'SELECT count(*) FROM kept'),
    (count) => count === rows,
  );
  expect(await cluster.volumes()).toContain(`${cluster.name}_lb1_1_${String(generation - 1)}`);
}

async function expectStreams(): Promise<void> {
  await until(
    'it streams',
    () => psql(leader(), "SELECT string_agg(application_name, ',') FROM pg_stat_replication WHERE state = 'streaming'"),
    (names) => names === 'lb1-replica1',
    60_000,
  );
  await daemon.become('Ready', 'True');
}

it('a replica that was promoted by hand is cloned anew, and what it took is kept aside', async () => {
  await psql(leader(), 'INSERT INTO kept VALUES (1)');
  await psql(replica(), 'SELECT pg_promote()');
  await expectCloned(2);
  expect(
    daemon
      .log()
      .flatMap(({ reasons }) => (reasons as readonly string[] | undefined) ?? [])
      .join('\n'),
    // Its report may be of the moment before it takes them.
  ).toMatch(/it takes writes, and does not lead|it is on timeline 2, and its leader on 1/);
});

it('a slot that was dropped by hand is made again', async () => {
  const slots = (): Promise<string> =>
    psql(leader(), "SELECT string_agg(slot_name || ' ' || active, ',') FROM pg_replication_slots");
  await psql(
    leader(),
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots; SELECT pg_sleep(0.1); SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active',
  ).catch(() => undefined);
  await until('the slot is in use', slots, (found) => found === 'pgherd_1 true', 60_000);
  await expectStreams();
});

it('a replica that needs WAL its leader has removed is cloned anew', async () => {
  await psql(leader(), 'ALTER ROLE pgherd_replication NOLOGIN');
  await psql(leader(), 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  await until(
    'the slot is lost',
    async () => {
      await psql(leader(), 'INSERT INTO kept VALUES (2); SELECT pg_switch_wal(); CHECKPOINT');
      return psql(leader(), "SELECT string_agg(wal_status, ',') FROM pg_replication_slots");
    },
    (status) => status !== 'reserved' && status !== 'extended' && status !== 'unreserved',
    60_000,
  );
  await psql(leader(), 'ALTER ROLE pgherd_replication LOGIN');
  await expectCloned(3);
});

it('a replica whose container and volume were removed is cloned anew', async () => {
  const volume = await volumeOf(replica());
  await until(
    'both are gone at once',
    async () => {
      await docker('rm', '--force', replica()).catch(() => undefined);
      return docker('volume', 'rm', volume).catch(() => '');
    },
    (removed) => removed === volume,
  );
  await expectStreams();
  expect(await psql(replica(), 'SELECT count(*) > 0 FROM kept')).toBe('t');
});

it('a replica that cannot start is not started at full speed, says why, and is well once the file is right', async () => {
  await write({ shared_preload_libraries: 'there_is_no_such_library' });
  const condition = await daemon.becomeStalledBy('there_is_no_such_library');
  expect(condition).toMatchObject({ status: 'True', reason: 'restart-held' });
  await daemon.become('ReplicasReady', 'False');
  await daemon.become('LeaderAvailable', 'True');
  await write();
  await expectStreams();
  await daemon.become('Stalled', 'False');
});

it('the listeners of a daemon that was killed are gone when the next one listens', async () => {
  const sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgherd_heartbeat'";
  const listeners = async (): Promise<string> => `${await psql(leader(), sql)} ${await psql(replica(), sql)}`;
  expect(await listeners()).toBe('1 1');
  await daemon.kill();
  await until('nobody listens', listeners, (count) => count === '0 0');
  daemon = await DaemonProcess.start(cluster, { stateDir: `${cluster.directory}/second` });
  await daemon.become('Ready', 'True');
  expect(await listeners()).toBe('1 1');
});
