import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { newCluster, type Result, type TestCluster } from './support/cluster.ts';
import { docker, dockerLines, engineHost } from './support/engine.ts';

/** The old script's format, in a place of the test's own: lb1 with two replicas, lb2 with one where asked for. */
async function oldFormat(cluster: TestCluster, groups: readonly ('lb1' | 'lb2')[]): Promise<Record<string, unknown>> {
  const ports = [...(await cluster.ports(groups.length * 4))];
  const port = (): number => ports.shift() ?? 0;
  const named = (name: string): string => `${cluster.name}-${name}`;
  return {
    cluster_name: cluster.name,
    network: { name: `${cluster.name}_net`, subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    balancers: groups.map((name, index) => {
      const at = 10 + index * 100;
      return {
        name,
        container_name: named(`pgbalancer_${name}`),
        ip_address: cluster.address(at),
        port: port(),
        config: { num_init_children: 8, max_pool: 2, load_balance_mode: 'on' },
        primary: {
          host: `${name}-primary`,
          port: port(),
          container_name: named(`${name}_primary`),
          ip_address: cluster.address(at + 10),
        },
        replicas: (name === 'lb1' ? [1, 2] : [1]).map((id) => ({
          node_id: id,
          host: `${name}-replica${String(id)}`,
          port: port(),
          container_name: named(`${name}_replica${String(id)}`),
          ip_address: cluster.address(at + 10 + id),
        })),
      };
    }),
  };
}

function expectDone({ code, stdout, stderr }: Result): void {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
}

/** psql as the superuser over the container's own socket. */
async function ask(container: string, sql: string): Promise<string> {
  return docker(
    'exec',
    '--user',
    'postgres',
    container,
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-d',
    'postgres',
    '-c',
    sql,
  );
}

/** psql through the balancer's own port, as the superuser, with the password that pgherd made. */
async function through(cluster: TestCluster, group: string, sql: string): Promise<string> {
  const file = '/var/lib/postgresql/data/pgherd/secrets/superuser';
  const password = await docker('exec', '--user', 'postgres', `${cluster.name}-${group}_primary`, 'cat', file);
  const command = [
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    '127.0.0.1',
    '-p',
    '9999',
    '-U',
    'postgres',
    '-d',
    'postgres',
  ];
  const balancer = `${cluster.name}-pgbalancer_${group}`;
  return docker('exec', '-e', `PGPASSWORD=${password}`, balancer, ...command, '-c', sql);
}

describe('a file in the old format, one balancer', () => {
  let cluster: TestCluster;
  let proxy: Proxy;
  let topology: Record<string, unknown>;

  beforeAll(async () => {
    cluster = await newCluster();
    proxy = await startProxy({ upstream: await engineHost() });
    topology = await oldFormat(cluster, ['lb1']);
    await cluster.write(topology);
    expectDone(await cluster.pgherd(['reconcile', '--once', cluster.file]));
  });
  afterAll(async () => {
    await proxy.close();
    await cluster.cleanup();
  });

  it('has two streaming replicas, both in recovery', async () => {
    const streaming = 'select application_name, state from pg_stat_replication order by 1';
    expect(await ask(`${cluster.name}-lb1_primary`, streaming)).toBe('lb1-replica1|streaming\nlb1-replica2|streaming');
    for (const replica of ['lb1_replica1', 'lb1_replica2']) {
      expect(await ask(`${cluster.name}-${replica}`, 'select pg_is_in_recovery()')).toBe('t');
    }
  });

  it('has the names, addresses and ports of the file, and no anonymous volume', async () => {
    const names = ['lb1_primary', 'lb1_replica1', 'lb1_replica2', 'pgbalancer_lb1'].map(
      (name) => `${cluster.name}-${name}`,
    );
    expect(await cluster.containers()).toEqual(names);
    const format = `{{(index .NetworkSettings.Networks "${cluster.name}_net").IPAddress}} {{range .Mounts}}{{.Name}}{{end}}`;
    const inspected = await Promise.all(names.map((name) => docker('inspect', '--format', format, name)));
    expect(inspected.map((line) => line.trim())).toEqual([
      `${cluster.address(20)} ${cluster.name}_lb1_0_1`,
      `${cluster.address(21)} ${cluster.name}_lb1_1_1`,
      `${cluster.address(22)} ${cluster.name}_lb1_2_1`,
      cluster.address(10),
    ]);
  });

  it('sends writes to the primary and reads to the replicas', async () => {
    await through(cluster, 'lb1', 'create table kept (id int primary key)');
    const leader = await through(cluster, 'lb1', 'insert into kept values (1) returning inet_server_addr()');
    expect([cluster.address(20), cluster.rwSubnet.replace(/0\/24$/, '2')]).toContain(leader);
    const readers = new Set<string>();
    while (readers.size < 2) readers.add(await through(cluster, 'lb1', 'select inet_server_addr() from kept'));
    expect([...readers].toSorted()).toEqual([cluster.address(21), cluster.address(22)]);
  });

  it('has nothing to do then, and looks with reads alone', async () => {
    proxy.reset();
    const plan = await cluster.pgherd(['plan', '--detailed-exitcode', cluster.file], { host: proxy.host });
    expectDone(plan);
    expect(plan.stdout).toContain('nothing to do');
    expect(proxy.calls.length).toBeGreaterThan(0);
    expect(proxy.mutating({ exec: true })).toEqual([]);
  });

  it('tells an edit by exit code 2', async () => {
    const edited = `${cluster.directory}/edited.json`;
    await cluster.write({ ...topology, postgres: { parameters: { work_mem: '8MB' } } }, edited);
    const plan = await cluster.pgherd(['plan', '--detailed-exitcode', edited]);
    expect(plan.code).toBe(2);
    expect(plan.stdout).toContain('parameters.work_mem');
  });

  it('is put right after a container was removed by hand, and keeps its rows', async () => {
    await docker('rm', '-f', `${cluster.name}-lb1_replica2`);
    const plan = await cluster.pgherd(['plan', cluster.file]);
    expect(plan.stdout).toContain('its container is gone');
    expectDone(await cluster.pgherd(['reconcile', '--once', cluster.file]));
    expect(await ask(`${cluster.name}-lb1_replica2`, 'select id from kept')).toBe('1');
  });

  it('shows no password in what the engine tells, and keeps files with secrets to their owner', async () => {
    const home = '/var/lib/postgresql/data/pgherd/secrets';
    const primary = `${cluster.name}-lb1_primary`;
    const secrets = await docker(
      'exec',
      '--user',
      'postgres',
      primary,
      'sh',
      '-c',
      `cat ${home}/superuser; echo; cut -d: -f5 ${home}/pgpass`,
    );
    const passwords = secrets.split('\n').filter((line) => line !== '');
    expect(passwords).toHaveLength(3);
    const told = await docker('inspect', ...(await cluster.containers()), ...(await cluster.volumes()));
    for (const password of passwords) expect(told).not.toContain(password);
    const modes = await docker(
      'exec',
      '--user',
      'postgres',
      primary,
      'sh',
      '-c',
      `stat -c %a ${home}/superuser ${home}/pgpass`,
    );
    expect(modes).toBe('600\n600');
  });

  it('brings its rows back from the kept volumes after a destroy', async () => {
    expectDone(await cluster.pgherd(['destroy', '--yes', cluster.file]));
    expect(await cluster.containers()).toEqual([]);
    expectDone(await cluster.pgherd(['reconcile', '--once', cluster.file]));
    expect(await through(cluster, 'lb1', 'select id from kept')).toBe('1');
  });

  it("blocks where the leader's volume is gone, and destroys nothing", async () => {
    await docker('rm', '-f', `${cluster.name}-lb1_primary`);
    await docker('volume', 'rm', `${cluster.name}_lb1_0_1`);
    const result = await cluster.pgherd(['reconcile', '--once', cluster.file]);
    expect(result.code).toBe(3);
    expect(result.stdout + result.stderr).toContain('leader-data-gone');
    expect(await cluster.volumes()).toEqual([`${cluster.name}_lb1_1_1`, `${cluster.name}_lb1_2_1`]);
    expect(await ask(`${cluster.name}-lb1_replica1`, 'select id from kept')).toBe('1');
  });
});

describe('a file in the old format, two balancers', () => {
  it('has both groups replicate, each behind its own balancer', async () => {
    const cluster = await newCluster();
    try {
      await cluster.write(await oldFormat(cluster, ['lb1', 'lb2']));
      expectDone(await cluster.pgherd(['reconcile', '--once', cluster.file]));
      const count = "select count(*) from pg_stat_replication where state = 'streaming'";
      expect(await ask(`${cluster.name}-lb1_primary`, count)).toBe('2');
      expect(await ask(`${cluster.name}-lb2_primary`, count)).toBe('1');
      for (const group of ['lb1', 'lb2']) {
        expect(await through(cluster, group, "/*NO LOAD BALANCE*/ select current_setting('in_hot_standby')")).toBe(
          'off',
        );
      }
      expect(
        await dockerLines('ps', '--filter', `label=pgherd.cluster=${cluster.name}`, '--format', '{{.Names}}'),
      ).toHaveLength(7);
    } finally {
      await cluster.cleanup();
    }
  });
});
