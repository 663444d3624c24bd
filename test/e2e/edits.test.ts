import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from './support/engine.ts';
import { Herd, patient, untouched } from './support/edits.ts';
import { psql } from './support/psql.ts';

/**
 * Edits of a file converge, and touch only what they must: what `plan` says beforehand, which containers are the same
 * afterwards, and that no row is lost. `Herd.convergeKeepingRows` also holds that a second plan finds nothing to do.
 */
let herd: Herd;

const nodes = ['lb1-primary', 'lb1-replica1', 'lb1-replica2'];

beforeAll(async () => {
  herd = await Herd.prepare(patient);
  await herd.bringUp();
});

afterAll(async () => herd.cluster.cleanup());

describe('the number of replicas', () => {
  it('2 → 4: two are made, the balancer is restarted to know them, nothing else is touched', async () => {
    await herd.editBalancer({ replicas: 4 });
    expect(await herd.plan(['readers', 'ip_address'])).toEqual([
      'create volume/<cluster>_lb1_3_1: missing',
      'create node/lb1-replica3: missing',
      `  ip_address: (none) -> ${herd.cluster.address(6)} (recreate)`,
      'create volume/<cluster>_lb1_4_1: missing',
      'create node/lb1-replica4: missing',
      `  ip_address: (none) -> ${herd.cluster.address(7)} (recreate)`,
      'restart balancer/lb1: configuration',
      '  readers: 2 -> 4 (restart)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      created: ['lb1-replica3', 'lb1-replica4'],
      restarted: ['lb1'],
    });
    expect(await slots()).toBe('pgherd_1 pgherd_2 pgherd_3 pgherd_4');
    expect(await members(['lb1-primary', 'lb1-replica1', 'lb1-replica4'])).toEqual(['0-1-2-3-4']);
    expect(await herd.leftovers()).toEqual([]);
  });

  it('4 → 1: the balancer lets go of three, which are removed; their volumes are kept and listed', async () => {
    await herd.editBalancer({ replicas: 1 });
    expect(await herd.plan(['readers'])).toEqual([
      'delete node/lb1-replica2: not-in-file',
      'delete node/lb1-replica3: not-in-file',
      'delete node/lb1-replica4: not-in-file',
      'restart balancer/lb1: configuration',
      '  readers: 4 -> 1 (restart)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      removed: ['lb1-replica2', 'lb1-replica3', 'lb1-replica4'],
      restarted: ['lb1'],
    });
    expect(await slots()).toBe('pgherd_1');
    expect(await members(['lb1-primary', 'lb1-replica1'])).toEqual(['0-1']);
    expect(await herd.leftovers()).toEqual(['lb1_2_1', 'lb1_3_1', 'lb1_4_1']);
  });

  it('1 → 2: the kept volume is taken up again, and catches up', async () => {
    await herd.editBalancer({ replicas: 2 });
    expect((await herd.plan([]))[0]).toBe('create node/lb1-replica2: missing');
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      created: ['lb1-replica2'],
      restarted: ['lb1'],
    });
    expect(await slots()).toBe('pgherd_1 pgherd_2');
    expect(await herd.leftovers()).toEqual(['lb1_3_1', 'lb1_4_1']);
  });

  it('2 → 1 with volumes.on_remove: delete: the volume of the removed one goes, no other does', async () => {
    await herd.edit((file) => ({ ...file, volumes: { on_remove: 'delete' } }));
    await herd.editBalancer({ replicas: 1 });
    expect(await herd.plan([])).toEqual([
      'delete node/lb1-replica2: not-in-file',
      'delete volume/<cluster>_lb1_2_1: not-in-file',
      'restart balancer/lb1: configuration',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, removed: ['lb1-replica2'], restarted: ['lb1'] });
    expect(await herd.volumes()).toEqual(['lb1_0_1', 'lb1_1_1', 'lb1_3_1', 'lb1_4_1']);
  });

  it('1 → 2 without a kept volume: cloned anew', async () => {
    await herd.edit((file) => ({ ...file, volumes: { on_remove: 'retain' } }));
    await herd.editBalancer({ replicas: 2 });
    expect(await herd.plan([])).toEqual([
      'create volume/<cluster>_lb1_2_1: missing',
      'create node/lb1-replica2: missing',
      'restart balancer/lb1: configuration',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      created: ['lb1-replica2'],
      restarted: ['lb1'],
    });
  });
});

describe('parameters of the balancer', () => {
  it('num_init_children, another one: only the balancer is restarted', async () => {
    await herd.editBalancer({ config: { num_init_children: 6, max_pool: 1, client_idle_limit: 900 } });
    expect(await herd.plan()).toEqual([
      'restart balancer/lb1: configuration',
      '  config.client_idle_limit: (none) -> 900 (restart)',
      '  config.num_init_children: 4 -> 6 (restart)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, restarted: ['lb1'] });
    const shown = await psql(herd.container('lb1'), 'PGPOOL SHOW num_init_children; PGPOOL SHOW client_idle_limit', {
      host: '127.0.0.1',
      port: 9999,
      password: 'only-a-test',
    });
    expect(shown).toBe('6\n15min');
  });
});

describe('parameters of PostgreSQL', () => {
  it('one that a reload applies, and a line of hba: in force on every node, nothing restarted', async () => {
    await herd.editPostgres({ parameters: { work_mem: '7MB' }, hba: ['host all nobody 192.0.2.0/24 reject'] });
    const planned = (await herd.plan()).map((line) => line.replaceAll(/\d+ lines/g, 'n lines'));
    expect(planned).toEqual(
      nodes.flatMap((name) => [
        `update node/${name}: configuration`,
        '  parameters.work_mem: (none) -> 7MB (live)',
        '  pg_hba.conf: (n lines) -> (n lines) (live)',
      ]),
    );
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await herd.ask(nodes, 'SHOW work_mem')).toEqual(['7MB', '7MB', '7MB']);
    const rule = "SELECT count(*) FROM pg_hba_file_rules WHERE user_name = '{nobody}' AND auth_method = 'reject'";
    expect(await herd.ask(nodes, rule)).toEqual(['1', '1', '1']);
  });

  it('one that needs a restart: nodes are restarted, the balancer is not', async () => {
    await herd.editPostgres({ parameters: { work_mem: '7MB', shared_buffers: '24MB' } });
    expect(await herd.plan()).toEqual(
      nodes.flatMap((name) => [
        `restart node/${name}: configuration`,
        '  parameters.shared_buffers: (none) -> 24MB (restart)',
      ]),
    );
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, restarted: nodes });
    expect(await herd.ask(nodes, 'SHOW shared_buffers')).toEqual(['24MB', '24MB', '24MB']);
  });

  it('max_connections up: replicas first, since a standby must have at least what its leader has', async () => {
    await herd.editPostgres({ parameters: { work_mem: '7MB', shared_buffers: '24MB', max_connections: 150 } });
    expect(await herd.plan()).toEqual(
      nodes.flatMap((name) => [
        `restart node/${name}: configuration`,
        '  parameters.max_connections: 100 -> 150 (restart)',
      ]),
    );
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, restarted: nodes });
    expect(await herd.ask(nodes, 'SHOW max_connections')).toEqual(['150', '150', '150']);
    const [leader, ...replicas] = await startTimes(nodes);
    expect(replicas.every((time) => time < (leader ?? ''))).toBe(true);
    expect(await restartCounts(nodes)).toEqual(['0', '0', '0']);
  });

  it('max_connections down: the leader first, and no replica before it has replayed that', async () => {
    await herd.editPostgres({ parameters: { work_mem: '7MB', shared_buffers: '24MB' } });
    // A replica that lags: it would not start with less than what the WAL it has replayed asks for.
    await psql(herd.container('lb1-replica1'), 'SELECT pg_wal_replay_pause()');
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, restarted: nodes });
    expect(await herd.ask(nodes, 'SHOW max_connections')).toEqual(['100', '100', '100']);
    const [leader, ...replicas] = await startTimes(nodes);
    expect(replicas.every((time) => time > (leader ?? ''))).toBe(true);
    expect(await restartCounts(nodes)).toEqual(['0', '0', '0']);
  });
});

describe('limits', () => {
  it('memory and cpus given: live', async () => {
    await herd.editPostgres({ memory: '256m', cpus: 1.5 });
    expect(await herd.plan()).toEqual(
      nodes.flatMap((name) => [
        `update node/${name}: limits`,
        '  memory: no limit -> 256 MiB (live)',
        '  cpus: no limit -> 1.5 (live)',
      ]),
    );
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await limits('lb1-replica1')).toBe('268435456 1500000000');
  });

  it('memory more, less and beyond the old swap: live', async () => {
    await herd.editPostgres({ memory: '1g' });
    expect(await herd.plan()).toContain('  memory: 256 MiB -> 1 GiB (live)');
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    await herd.editPostgres({ memory: '192m', cpus: 1 });
    expect(await herd.convergeKeepingRows()).toEqual(untouched);
    expect(await limits('lb1-primary')).toBe('201326592 1000000000');
  });

  it('taken away: containers are made anew, with their volumes', async () => {
    const volumes = await herd.volumes();
    await herd.editPostgres({ memory: undefined, cpus: undefined });
    expect(await herd.plan()).toEqual(
      nodes.flatMap((name) => [
        `delete+create node/${name}: changed`,
        '  memory: 192 MiB -> no limit (recreate)',
        '  cpus: 1 -> no limit (recreate)',
      ]),
    );
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, recreated: nodes });
    expect(await limits('lb1-primary')).toBe('0 0');
    expect(await herd.volumes()).toEqual(volumes);
  });
});

describe('what cannot change on a live container', () => {
  it('the port of a replica, the health check of another: these two are made anew', async () => {
    const [port] = await herd.cluster.ports(1);
    await herd.editBalancer({
      replicas: [
        { node_id: 1, port },
        { node_id: 2, healthcheck: { interval: '7s' } },
      ],
    });
    expect(await herd.plan()).toEqual([
      'delete+create node/lb1-replica1: changed',
      '  bind_address: (none) -> 127.0.0.1 (recreate)',
      `  port: (none) -> ${String(port)} (recreate)`,
      'delete+create node/lb1-replica2: changed',
      '  healthcheck.interval: 10 -> 7 (recreate)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, recreated: ['lb1-replica1', 'lb1-replica2'] });
    expect(await docker('port', herd.container('lb1-replica1'))).toBe(`5432/tcp -> 127.0.0.1:${String(port)}`);
    expect(await herd.inspect('lb1-replica2', '{{.Config.Healthcheck.Interval}}')).toBe('7s');
  });

  it('an image that cannot be had: what runs goes on', async () => {
    const { file } = herd;
    await herd.editPostgres({ image: 'postgres:no-such-tag' });
    const before = await herd.look();
    expect(await herd.pgherd('reconcile', '--once', '--timeout', '60')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[image-missing]') as string,
    });
    expect(await herd.look()).toEqual(before);
    await herd.edit(() => file);
    expect(await herd.converge()).toEqual(untouched);
  });

  it('the port of the balancer: only the balancer', async () => {
    const [port] = await herd.cluster.ports(1);
    await herd.editBalancer({ port });
    expect(await herd.plan()).toEqual([
      'delete+create balancer/lb1: changed',
      `  port: (none) -> ${String(port)} (recreate)`,
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, recreated: ['lb1'] });
    expect(await docker('port', herd.container('lb1'))).toBe(`9999/tcp -> 127.0.0.1:${String(port)}`);
  });

  it('shm_size of the leader: only the leader, which leads again with its data', async () => {
    await herd.editBalancer({ primary: { shm_size: '96m' } });
    expect(await herd.plan()).toEqual([
      'delete+create node/lb1-primary: changed',
      '  shm_size: 134217728 -> 100663296 (recreate)',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({ ...untouched, recreated: ['lb1-primary'] });
    expect(await herd.inspect('lb1-primary', '{{.HostConfig.ShmSize}}')).toBe('100663296');
    expect(await slots()).toBe('pgherd_1 pgherd_2');
  });
});

describe('addresses', () => {
  const at = (last: number): string => herd.cluster.address(last);

  /** What the leader sends, and where: a connection that lost its address would stand there for 15 s more. */
  async function followers(): Promise<readonly string[]> {
    const sql = "SELECT concat_ws(' ', application_name, client_addr, state) FROM pg_stat_replication ORDER BY 1";
    const [rows = ''] = await herd.ask(['lb1-primary'], sql);
    return rows.split('\n');
  }

  it('of a replica: live', async () => {
    await herd.editBalancer({ replicas: 2 });
    await herd.converge();
    await herd.editBalancer({ replicas: [{ node_id: 1, ip_address: herd.cluster.address(77) }, { node_id: 2 }] });
    expect(await herd.plan([`networks.${herd.cluster.name}`])).toEqual([
      'update node/lb1-replica1: address',
      `  networks.<cluster>: ${herd.cluster.address(4)} -> ${herd.cluster.address(77)} (live)`,
      'update balancer/lb1: readers',
    ]);
    await herd.addRow();
    expect(await herd.converge()).toEqual(untouched);
    expect(await followers()).toEqual([`lb1-replica1 ${at(77)} streaming`, `lb1-replica2 ${at(5)} streaming`]);
    await herd.findRows();
  });

  it('of two replicas that change places: live', async () => {
    await herd.editBalancer({
      replicas: [
        { node_id: 1, ip_address: herd.cluster.address(5) },
        { node_id: 2, ip_address: herd.cluster.address(77) },
      ],
    });
    expect(await herd.converge()).toEqual(untouched);
    expect(await followers()).toEqual([`lb1-replica1 ${at(5)} streaming`, `lb1-replica2 ${at(77)} streaming`]);
  });

  it('of the leader: live, and its replicas follow it there', async () => {
    await herd.editBalancer({ primary: { shm_size: '96m', ip_address: herd.cluster.address(99) } });
    expect(await herd.plan([`networks.${herd.cluster.name}`])).toEqual([
      'update node/lb1-primary: address',
      `  networks.<cluster>: ${herd.cluster.address(3)} -> ${herd.cluster.address(99)} (live)`,
      'update node/lb1-replica1: configuration',
      'update node/lb1-replica2: configuration',
    ]);
    await herd.addRow();
    expect(await herd.converge()).toEqual(untouched);
    expect(await followers()).toEqual([`lb1-replica1 ${at(5)} streaming`, `lb1-replica2 ${at(77)} streaming`]);
    await herd.findRows();
    expect(await herd.ask(['lb1-replica1'], 'SELECT sender_host FROM pg_stat_wal_receiver')).toEqual([at(99)]);
  });

  it('another subnet: blocked, and nothing is touched', async () => {
    const { file } = herd;
    await herd.edit((each) => ({ ...each, network: { subnet: '10.201.7.0/24', rw_subnet: herd.cluster.rwSubnet } }));
    await herd.editBalancer({ primary: {}, replicas: 2 });
    const before = await herd.look();
    expect((await herd.plan([])).filter((line) => line.startsWith('blocked'))).toEqual([
      'blocked network/<cluster>: subnet-changed',
    ]);
    expect(await herd.pgherd('reconcile', '--once', '--timeout', '60')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('[subnet-changed]') as string,
    });
    expect(await herd.look()).toEqual(before);
    await herd.edit(() => file);
    expect(await herd.converge()).toEqual(untouched);
  });

  it('another subnet of the write network: blocked, and nothing is touched', async () => {
    const { file } = herd;
    await herd.edit((each) => ({ ...each, network: { subnet: herd.cluster.subnet, rw_subnet: '10.201.8.0/24' } }));
    const before = await herd.look();
    expect((await herd.plan([])).filter((line) => line.startsWith('blocked'))).toEqual([
      'blocked network/<cluster>_rw: subnet-changed',
    ]);
    expect(await herd.pgherd('reconcile', '--once', '--timeout', '60')).toMatchObject({ code: 3 });
    expect(await herd.look()).toEqual(before);
    await herd.edit(() => file);
    expect(await herd.converge()).toEqual(untouched);
  });
});

describe('groups', () => {
  it('one is added: the other is not touched', async () => {
    await herd.edit((file) => ({ ...file, balancers: [...file.balancers, { name: 'lb2', replicas: 1 }] }));
    expect(await herd.plan([])).toEqual([
      'create volume/<cluster>_lb2_0_1: missing',
      'create node/lb2-primary: missing',
      'create volume/<cluster>_lb2_1_1: missing',
      'create node/lb2-replica1: missing',
      'create balancer/lb2: missing',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      created: ['lb2', 'lb2-primary', 'lb2-replica1'],
    });
    await psql(herd.container('lb2-primary'), 'CREATE TABLE other AS SELECT 1 AS n');
  });

  it('their order in the file is changed: nothing to do', async () => {
    await herd.edit((file) => ({ ...file, balancers: [...file.balancers].reverse() }));
    expect(await herd.plan([])).toEqual([]);
    await herd.edit((file) => ({ ...file, balancers: [...file.balancers].reverse() }));
  });

  it('one is removed: its containers go, its volumes are kept, the other is not touched', async () => {
    await herd.edit((file) => ({ ...file, balancers: file.balancers.slice(0, 1) }));
    expect(await herd.plan([])).toEqual([
      'delete balancer/lb2: not-in-file',
      'delete node/lb2-primary: not-in-file',
      'delete node/lb2-replica1: not-in-file',
    ]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      removed: ['lb2', 'lb2-primary', 'lb2-replica1'],
    });
    expect(await herd.leftovers()).toEqual(['lb1_3_1', 'lb1_4_1', 'lb2_0_1', 'lb2_1_1']);
  });

  it('one comes back: with its rows', async () => {
    await herd.edit((file) => ({ ...file, balancers: [...file.balancers, { name: 'lb2', replicas: 1 }] }));
    expect(await herd.convergeKeepingRows()).toMatchObject({ recreated: [], restarted: [] });
    expect(await psql(herd.container('lb2-primary'), 'TABLE other')).toBe('1');
  });

  it('one is replaced by another: it takes no address that is still held', async () => {
    const address = `{{(index .NetworkSettings.Networks "${herd.cluster.name}").IPAddress}}`;
    const leaving = await Promise.all(
      ['lb2', 'lb2-primary', 'lb2-replica1'].map((name) => herd.inspect(name, address)),
    );
    await herd.edit((file) => ({ ...file, balancers: [...file.balancers.slice(0, 1), { name: 'lb3', replicas: 0 }] }));
    const { changes } = await herd.planJson();
    const given = changes.flatMap(({ fields }) => fields.filter(({ path }) => path === 'ip_address'));
    expect(given.filter(({ after }) => leaving.includes(after ?? ''))).toEqual([]);
    expect(await herd.convergeKeepingRows()).toEqual({
      ...untouched,
      created: ['lb3', 'lb3-primary'],
      removed: ['lb2', 'lb2-primary', 'lb2-replica1'],
    });
  });
});

/** Names of the slots on the leader, those in use only. */
function slots(): Promise<string> {
  return psql(
    herd.container('lb1-primary'),
    "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots WHERE active OR NOT active",
  );
}

/** The members that the record in the volume of each node names; one entry if they agree. */
async function members(names: readonly string[]): Promise<readonly string[]> {
  const links = await Promise.all(
    names.map((name) => docker('exec', herd.container(name), 'readlink', '/var/lib/postgresql/data/pgherd/record')),
  );
  return [...new Set(links.map((link) => link.split('.')[4] ?? link))];
}

async function startTimes(names: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(names.map((name) => herd.inspect(name, '{{.State.StartedAt}}')));
}

async function restartCounts(names: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(names.map((name) => herd.inspect(name, '{{.RestartCount}}')));
}

function limits(name: string): Promise<string> {
  return herd.inspect(name, '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}');
}
