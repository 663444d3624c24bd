import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../chaos/session.ts';
import { startProxy, type Call, type Proxy } from '../bench/proxy.ts';
import { startClient, type Client } from './fixtures/client.ts';
import { filesThatHold, nodeHome, processesOf, readPasswords, watchProcesses } from './fixtures/secrets.ts';
import { oldFormat, type OldBalancer, type OldTopology } from './fixtures/topologies.ts';
import { newCluster, type Result, type TestCluster } from './support/cluster.ts';
import { docker, dockerLines, dockerResult, engineHost } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

const ok = { code: 0 };

/** More than a session has ever waited for a reader that had just gone (7 s), and far less than for ever. */
const neverHangs = 30_000;

/** Lists the balancer's processes for sessions: their number and what they are at. */
const titles =
  'for each in /proc/[0-9]*; do title=$(tr -d "\\0" <$each/cmdline 2>/dev/null) || continue; ' +
  'case $title in "pgpool: postgres "* | "pgpool: wait for conn"*) echo "${each#/proc/} $title" ;; esac; done';

/** A transaction that reads first, maybe elsewhere, and then needs a lock on what it has read. */
const readThenAlter = (column: string): string =>
  `BEGIN; SELECT count(*) FROM visits; ALTER TABLE visits ADD COLUMN ${column} int; COMMIT;`;

describe('a file in the old format: one balancer, a primary, two replicas', () => {
  let cluster: TestCluster;
  let proxy: Proxy;
  let client: Client;
  let topology: OldTopology;
  let balancer: OldBalancer;
  let file: string;
  let bringUp: Result;
  let bringUpCalls: readonly Call[];
  let superuser: { readonly password: string };

  const pgherd = (...args: readonly string[]): Promise<Result> => cluster.pgherd(args, { host: proxy.host });
  const nodes = () => [balancer.primary, ...balancer.replicas];
  const inFile = () => [balancer, ...nodes()];

  beforeAll(async () => {
    cluster = await newCluster();
    proxy = await startProxy({ upstream: await engineHost() });
    client = await startClient(cluster.run);
    topology = await oldFormat(cluster, [2]);
    [balancer] = topology.balancers as [OldBalancer];
    file = await cluster.write(topology, join(cluster.directory, 'cluster.json'));
    bringUp = await pgherd('reconcile', '--once', '-v', file);
    bringUpCalls = [...proxy.calls];
    superuser = { password: (await readPasswords(balancer.primary.container_name)).superuser };
  });

  afterAll(async () => {
    await proxy.close();
    await cluster.cleanup();
  });

  it('converges with exit code 0', () => {
    expect(bringUp.stderr.split('\n').filter((line) => line.includes('failed'))).toEqual([]);
    expect(bringUp).toMatchObject(ok);
    expect(bringUp.stdout).toContain(`${cluster.name}: converged`);
  });

  it('has both replicas in recovery, streaming from the primary', async () => {
    const streaming = await psql(
      balancer.primary.container_name,
      'SELECT application_name, state FROM pg_stat_replication ORDER BY 1',
    );
    expect(streaming).toBe(balancer.replicas.map(({ host }) => `${host}|streaming`).join('\n'));
    const recovery = await Promise.all(
      nodes().map(({ container_name }) => psql(container_name, 'SELECT pg_is_in_recovery()')),
    );
    expect(recovery).toEqual(['f', 't', 't']);
  });

  it('writes to the leader and reads from both replicas, through the published port', async () => {
    await client.query(balancer.port, 'CREATE TABLE visits (id int PRIMARY KEY)', superuser);
    const wrote = await client.query(
      balancer.port,
      'INSERT INTO visits VALUES (1) RETURNING host(inet_server_addr())',
      superuser,
    );
    expect(Object.values(await addressesOf(balancer.primary.container_name))).toContain(wrote);

    await until(
      'the row is on both replicas',
      () => Promise.all(balancer.replicas.map((one) => psql(one.container_name, 'SELECT id FROM visits'))),
      (seen) => seen.every((ids) => ids === '1'),
    );

    const readers = new Set<string>();
    for (let session = 0; session < 60 && readers.size < 2; session += 1) {
      // A query that calls a volatile function, or reads a catalog, would go to the leader.
      readers.add(await client.query(balancer.port, 'SELECT host(inet_server_addr()) FROM visits', superuser));
    }
    expect([...readers].sort()).toEqual(balancer.replicas.map(({ ip_address }) => ip_address));
  });

  it('has exactly the names, addresses and ports of the file', async () => {
    await cluster.untilUnlocked();
    expect(await cluster.containers()).toEqual(
      inFile()
        .map(({ container_name }) => container_name)
        .sort(),
    );
    for (const { container_name, ip_address } of inFile()) {
      const addresses = await addressesOf(container_name);
      expect({ container_name, address: addresses[topology.network.name] }).toEqual({
        container_name,
        address: ip_address,
      });
    }
    expect(await portsOf(balancer.container_name)).toEqual({
      '9999/tcp': `127.0.0.1:${balancer.port}`,
      '9898/tcp': `127.0.0.1:${balancer.pcp_port}`,
      '8080/tcp': `127.0.0.1:${balancer.rest_api_port}`,
    });
    for (const node of nodes()) {
      expect(await portsOf(node.container_name)).toEqual({ '5432/tcp': `127.0.0.1:${node.port}` });
    }
    const subnet = await docker(
      'network',
      'inspect',
      '--format',
      '{{(index .IPAM.Config 0).Subnet}}',
      topology.network.name,
    );
    expect(subnet).toBe(topology.network.subnet);
    const [replica] = balancer.replicas;
    if (replica === undefined) throw new Error('no replica in the file');
    expect(await client.query(replica.port, 'SELECT pg_is_in_recovery()', superuser)).toBe('t');
  });

  it('has no anonymous volume', async () => {
    const volumes = await cluster.volumes();
    expect(volumes).toHaveLength(3);
    for (const { container_name } of inFile()) {
      for (const mount of await mountsOf(container_name)) expect(volumes).toContain(mount);
    }
  });

  it('asked for no anonymous volume either, for any container, the lock included', async () => {
    const created = bringUpCalls.filter(({ method, path }) => method === 'POST' && path === '/containers/create');
    expect(created).toHaveLength(5);
    for (const { body, query } of created) {
      const { Image, Volumes, HostConfig } = body as CreateBody;
      const covered = [
        ...(HostConfig.Mounts ?? []).map(({ Target }) => Target),
        ...Object.keys(HostConfig.Tmpfs ?? {}),
      ];
      const declared = Object.keys(
        (JSON.parse(await docker('image', 'inspect', '--format', '{{json .Config.Volumes}}', Image)) ?? {}) as object,
      );
      expect({ name: query['name'], uncovered: declared.filter((path) => !covered.includes(path)) }).toEqual({
        name: query['name'],
        uncovered: [],
      });
      expect([Volumes, HostConfig.Binds]).toEqual([undefined, undefined]);
      for (const { Source } of HostConfig.Mounts ?? []) expect(await cluster.volumes()).toContain(Source);
    }
  });

  it('runs its containers with the least they need, for good', async () => {
    for (const { container_name } of inFile()) {
      const { Config, HostConfig } = await inspect(container_name);
      expect({ container_name, ...HostConfig, User: Config.User }).toMatchObject({
        container_name,
        User: container_name === balancer.container_name ? 'pgbalancer' : 'postgres',
        CapDrop: ['ALL'],
        CapAdd: null,
        SecurityOpt: ['no-new-privileges'],
        Privileged: false,
        RestartPolicy: { Name: 'always' },
        // The balancer's hosts file and configuration are written into its root.
        ReadonlyRootfs: container_name !== balancer.container_name,
      });
    }
  });

  describe('run again', () => {
    it('plans nothing, with exit code 0, by nothing but reads', async () => {
      proxy.reset();
      const plan = await pgherd('plan', file);
      expect(plan).toEqual({
        code: 0,
        stdout: `${cluster.name}: nothing to do, everything is as the file says.\n`,
        stderr: '',
      });
      expect(proxy.calls.length).toBeGreaterThan(0);
      expect(proxy.calls.filter(({ method }) => method !== 'GET' && method !== 'HEAD').map(shown)).toEqual([]);
      expect(await pgherd('plan', '--detailed-exitcode', file)).toMatchObject(ok);
    });

    it('changes nothing on reconcile', async () => {
      proxy.reset();
      const again = await pgherd('reconcile', '--once', file);
      expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was changed') as string });
      expect(proxy.mutating().map(shown)).toEqual([]);
    });

    it('needs no health check of Docker for that, once its servers are known to be well', async () => {
      await until(
        'all containers are healthy',
        () =>
          Promise.all(inFile().map(async ({ container_name }) => (await inspect(container_name)).State.Health?.Status)),
        (states) => states.every((state) => state === 'healthy'),
      );
      proxy.reset();
      expect(await pgherd('reconcile', '--once', file)).toMatchObject(ok);
      expect(proxy.mutating({ exec: true }).map(shown)).toEqual([]);
    });
  });

  describe('with an edit', () => {
    let edited: string;

    beforeAll(async () => {
      const balancers = [{ ...balancer, config: { ...balancer.config, num_init_children: 8 } }];
      edited = await cluster.write({ ...topology, balancers }, join(cluster.directory, 'edited.json'));
    });

    it('plans it in words, with exit code 0, or 2 where asked for', async () => {
      const plan = await pgherd('plan', edited);
      expect(plan).toMatchObject(ok);
      expect(plan.stdout).toContain('~ balancer/lb1 will be restarted: its configuration is not as the file says');
      expect(plan.stdout).toMatch(/config\.num_init_children +16 -> 8 +\(restart\)/);
      expect(plan.stdout).toMatch(/^Plan: 0 to create, 1 to restart, 0 to remove\./m);
      const detailed = await pgherd('plan', '--detailed-exitcode', edited);
      expect(detailed).toEqual({ ...plan, code: 2 });
    });

    it('plans it as JSON', async () => {
      const { code, stdout } = await pgherd('plan', '--format', 'json', '--detailed-exitcode', edited);
      expect(code).toBe(2);
      expect(JSON.parse(stdout)).toEqual({
        format_version: 1,
        cluster: cluster.name,
        fingerprint: expect.stringMatching(/^[0-9a-z]{8,}$/) as string,
        changes: [
          {
            resource: 'balancer/lb1',
            kind: 'balancer',
            actions: ['restart'],
            reason: { code: 'configuration', detail: 'its configuration is not as the file says' },
            fields: [{ path: 'config.num_init_children', before: '16', after: '8', effect: 'restart' }],
          },
        ],
        blocked: [],
        open: [],
        summary: { create: 0, update: 0, restart: 1, promote: 0, recreate: 0, remove: 0, blocked: 0, unchanged: 8 },
      });
    });

    it('plans the same with the same fingerprint, something else with another', async () => {
      const fingerprint = async (path: string): Promise<unknown> =>
        (JSON.parse((await pgherd('plan', '--format', 'json', path)).stdout) as { fingerprint: unknown }).fingerprint;
      const [one, same, other] = [await fingerprint(edited), await fingerprint(edited), await fingerprint(file)];
      expect(same).toBe(one);
      expect(other).not.toBe(one);
    });
  });

  describe('status', () => {
    it('tells as text who leads, who follows and where', async () => {
      const { code, stdout } = await pgherd('status', file);
      expect(code).toBe(0);
      const [head, titles, ...rows] = stdout.trimEnd().split('\n');
      const uptime = expect.stringMatching(/^\d+[sm]$/) as string;
      expect(head).toBe(`${cluster.name}: Healthy, InSync`);
      expect(titles?.trim().split(/ {2,}/)).toEqual([
        'NODE',
        'ROLE',
        'STATE',
        'HEALTH',
        'TL',
        'REPLICATION',
        'LAG',
        'ADDRESS',
        'PORT',
        'UPTIME',
      ]);
      expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
        ['lb1', 'balancer', 'running', 'Healthy', balancer.ip_address, String(balancer.port), uptime],
        [
          'lb1-primary',
          'leader',
          'running',
          'Healthy',
          '1',
          balancer.primary.ip_address,
          String(balancer.primary.port),
          uptime,
        ],
        ...balancer.replicas.map(({ host, ip_address, port }) => [
          host,
          'replica',
          'running',
          'Healthy',
          '1',
          'streaming',
          expect.stringMatching(/^[\d.]+ (B|kB|MB)$/) as string,
          ip_address,
          String(port),
          uptime,
        ]),
      ]);
    });

    it('tells the same as JSON', async () => {
      const { code, stdout } = await pgherd('status', '--format', 'json', file);
      expect(code).toBe(0);
      const node = (one: { host: string; ip_address: string; port: number }): Record<string, unknown> => ({
        name: one.host,
        role: 'replica',
        state: 'running',
        health: 'Healthy',
        replication: { state: 'streaming', lag_bytes: expect.any(Number) as number },
        ip: one.ip_address,
        port: one.port,
      });
      expect(JSON.parse(stdout)).toMatchObject({
        clusters: [
          {
            name: cluster.name,
            sync: 'InSync',
            health: 'Healthy',
            conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'True' })]) as unknown,
            groups: [
              {
                name: 'lb1',
                leader: 'lb1-primary',
                nodes: [
                  { ...node(balancer.primary), role: 'leader', replication: null },
                  ...balancer.replicas.map(node),
                ],
                balancer: { state: 'running', health: 'Healthy', ip: balancer.ip_address, port: balancer.port },
              },
            ],
          },
        ],
      });
    });

    it('exits with 3 where asked to, and a cluster is not as its file says', async () => {
      const other = { ...topology, balancers: [{ ...balancer, memory: '512MB' }] };
      const edited = await cluster.write(other, join(cluster.directory, 'other.json'));
      expect(await pgherd('status', '--exit-code', file)).toMatchObject({ code: 0 });
      expect(await pgherd('status', '--exit-code', edited)).toMatchObject({ code: 3 });
      expect(await pgherd('status', edited)).toMatchObject({ code: 0 });
    });

    it('tells of the others where a file is broken, and exits with 1', async () => {
      const broken = join(cluster.directory, 'broken.yaml');
      await writeFile(broken, 'cluster_name: other\nbalancers: 7\n');
      const text = await pgherd('status', file, broken);
      expect(text).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('broken.yaml:2:12: balancers') as unknown,
      });
      expect(text.stdout).toContain(`${cluster.name}: Healthy, InSync`);
      const json = await pgherd('status', '--format', 'json', file, broken);
      expect(json.code).toBe(1);
      expect(JSON.parse(json.stdout)).toMatchObject({
        clusters: [{ name: cluster.name, health: 'Healthy' }],
        diagnostics: [{ file: broken, code: 'type' }],
      });
    });

    it('of a paused cluster says so, and that it is well all the same', async () => {
      await pgherd('pause', cluster.name);
      const { stdout } = await pgherd('status', file);
      expect(stdout).toContain(`${cluster.name}: Healthy, InSync, paused\n`);
      expect(stdout).toContain(`remedy: pgherd resume ${cluster.name}`);
      await pgherd('resume', cluster.name);
      expect((await pgherd('status', file)).stdout).toContain(`${cluster.name}: Healthy, InSync\n`);
    });
  });

  describe('passwords', () => {
    let words: readonly string[];

    beforeAll(async () => {
      const perNode = await Promise.all(nodes().map(({ container_name }) => readPasswords(container_name)));
      expect(new Set(perNode.map((each) => JSON.stringify(each))).size).toBe(1);
      words = [...new Set(perNode.flatMap((each) => Object.values(each)))];
      expect(words).toHaveLength(3);
      for (const word of words) expect(word.length).toBeGreaterThanOrEqual(24);
    });

    it('are in nothing that the engine tells, nor in any log', async () => {
      const [containers, volumes, networks] = await Promise.all([
        cluster.containers(),
        cluster.volumes(),
        cluster.networks(),
      ]);
      const told = [
        await docker('inspect', ...containers),
        await docker('volume', 'inspect', ...volumes),
        await docker('network', 'inspect', ...networks),
      ];
      expect(told.join('\n').split('\n').filter(holds(words))).toEqual([]);
      for (const container of containers) {
        const { stdout, stderr } = await logsOf(container);
        expect({ container, lines: stdout.length + stderr.length }).not.toEqual({ container, lines: 0 });
        expect(`${stdout}\n${stderr}`.split('\n').filter(holds(words))).toEqual([]);
      }
    });

    it('are in nothing that pgherd prints, nor in what it asks the engine', async () => {
      const printed = [bringUp];
      for (const command of [['plan'], ['status'], ['reconcile', '--once']]) {
        for (const format of ['text', 'json']) printed.push(await pgherd(...command, '-v', '--format', format, file));
      }
      const text = printed.map(({ stdout, stderr }) => `${stdout}\n${stderr}`).join('\n');
      expect(text).toContain('engine: GET');
      expect(text.split('\n').filter(holds(words))).toEqual([]);
      const bodies = bringUpCalls.map((call) => JSON.stringify(call));
      expect(bodies.filter((body) => body.includes('"Cmd"'))).not.toEqual([]);
      expect(bodies.filter(holds(words))).toEqual([]);
    });

    it('are in no arguments and no environment of a process in a container', async () => {
      for (const { container_name } of inFile()) {
        const processes = await processesOf(container_name);
        expect(processes).toContain(container_name === balancer.container_name ? 'pgbalancer' : 'postgres');
        expect(processes.split('\n').filter(holds(words))).toEqual([]);
      }
    });

    it('are in files that nobody but the server may read', async () => {
      for (const { container_name } of nodes()) {
        const files = await filesThatHold(container_name, words, [
          '/var/lib/postgresql',
          '/var/run',
          '/tmp',
          '/etc',
          '/home',
          '/root',
        ]);
        expect(files.length).toBeGreaterThanOrEqual(3);
        for (const one of files) expect(one).toMatch(new RegExp(`^600 postgres ${nodeHome}/`));
        expect(await looseFolders(container_name, nodeHome, 'postgres')).toBe('');
      }
      const files = await filesThatHold(balancer.container_name, words, [
        '/etc',
        '/var',
        '/run',
        '/tmp',
        '/home',
        '/root',
      ]);
      expect(files.map((one) => one.replace(/rev\.[0-9a-z.]+/, 'REV')).sort()).toEqual([
        '600 pgbalancer /etc/pgbalancer/REV/pgpass',
        '600 pgbalancer /etc/pgbalancer/REV/pool_passwd',
      ]);
      expect(await looseFolders(balancer.container_name, '/etc/pgbalancer/rev.*', 'pgbalancer')).toBe('');
    });
  });

  it('ends a session whose process does not see that its server is gone, and serves the next ones', async () => {
    const processes = async (): Promise<readonly string[]> =>
      (await docker('exec', balancer.container_name, 'sh', '-c', titles)).split('\n').filter((line) => line !== '');
    const session = await openSession({ host: '127.0.0.1', port: balancer.port, ...superuser }, neverHangs);
    try {
      // The balancer's own question of its health is over in a moment.
      const [stuck = ''] = await until(
        'one process has a session',
        async () => (await processes()).filter((line) => line.endsWith(' idle')),
        (found) => found.length === 1,
      );
      const server = await session.query('SELECT pg_backend_pid() /* of the leader: volatile */', [], neverHangs);
      expect(server).toMatchObject({ is: 'done' });
      const count = (await processes()).length;
      await docker('exec', balancer.container_name, 'sh', '-c', `kill -STOP ${stuck.split(' ')[0] ?? ''}`);
      const others = `pid <> pg_backend_pid() AND usename = 'postgres' AND backend_type = 'client backend'`;
      await psql(
        balancer.primary.container_name,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`,
      );
      expect(await session.query('SELECT 1', [], neverHangs)).toMatchObject({ is: 'cut' });
      await until(
        'as many processes wait for the next as before',
        async () => (await processes()).length,
        (found) => found === count,
      );
      expect(await client.query(balancer.port, 'SELECT 1', superuser)).toBe('1');
    } finally {
      session.close();
    }
  });

  describe('a transaction that reads, then alters what it has read', () => {
    it('ends with all servers up', async () => {
      for (const column of ['a', 'b', 'c', 'd']) {
        await client.query(balancer.port, readThenAlter(column), { ...superuser, timeoutMs: neverHangs });
      }
    });

    it('ends with a replica stopped, for which nobody has done anything yet', async () => {
      const [replica] = balancer.replicas;
      if (replica === undefined) throw new Error('no replica in the file');
      await docker('stop', replica.container_name);
      try {
        for (const column of ['e', 'f', 'g']) {
          await client.query(balancer.port, readThenAlter(column), { ...superuser, timeoutMs: neverHangs });
        }
      } finally {
        await docker('start', replica.container_name);
      }
    });
  });
});

describe('a file in the old format: two balancers', () => {
  let cluster: TestCluster;
  let client: Client;
  let topology: OldTopology;

  beforeAll(async () => {
    cluster = await newCluster();
    client = await startClient(cluster.run);
    topology = await oldFormat(cluster, [2, 1]);
  });

  afterAll(() => cluster.cleanup());

  it('brings both groups up at once', async () => {
    const file = await cluster.write(topology, join(cluster.directory, 'cluster.json'));
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', file]);
    expect({ code, stderr }).toMatchObject(ok);
    const at = (step: string): number => stderr.indexOf(step);
    expect(at('lb2-primary: start')).toBeLessThan(at('lb1-replica1: start'));
    expect(at('lb1-primary: start')).toBeLessThan(at('lb2-replica1: start'));
    expect(await cluster.pgherd(['plan', '--detailed-exitcode', file])).toMatchObject(ok);
  });

  it('keeps each group to itself', async () => {
    for (const { name, port, primary, replicas } of topology.balancers) {
      const { superuser: password } = await readPasswords(primary.container_name);
      const streaming = await psql(
        primary.container_name,
        "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1",
      );
      expect(streaming).toBe(replicas.map(({ host }) => host).join('\n'));
      await client.query(port, `CREATE TABLE own AS SELECT '${name}' AS name`, { password });
      expect(await psql(primary.container_name, 'SELECT name FROM own')).toBe(name);
    }
    const [one, two] = topology.balancers.map(({ primary }) => primary.container_name) as [string, string];
    const passwords = [await readPasswords(one), await readPasswords(two)].flatMap((each) => Object.values(each));
    expect(new Set(passwords).size).toBe(6);
  });
});

describe('a file that says more: user, database, passwords, parameters, hba, scripts', () => {
  let cluster: TestCluster;
  let client: Client;
  let ports: { readonly lb1: number; readonly lb2: number; readonly one: number; readonly two: number };
  let bringUp: Result;
  let seen: ReturnType<ReturnType<typeof watchProcesses>['stop']>;

  const first = { user: 'owner', db: 'shop', password: 'from-a-file, with "quotes" and $signs' };
  const second = { user: 'owner', db: 'shop', password: "from the environment: it's \\ odd" };
  const changed = { ...first, password: 'another-from-the-file' };
  const changedSecond = { ...second, password: 'another-from-the-environment' };
  const env = (password: string): { env: Record<string, string> } => ({ env: { LB2_PASSWORD: password } });
  const primary = (group: string): string => `${cluster.name}-${group}-primary`;

  beforeAll(async () => {
    cluster = await newCluster();
    client = await startClient(cluster.run);
    const [lb1 = 0, lb2 = 0, one = 0, two = 0] = await cluster.ports(4);
    ports = { lb1, lb2, one, two };
    await writeFile(join(cluster.directory, 'password'), `${first.password}\n`);
    await mkdir(join(cluster.directory, 'init'));
    const write = (name: string, content: string | Buffer): Promise<void> =>
      writeFile(join(cluster.directory, 'init', name), content);
    await write(
      'schema.sql',
      "CREATE TABLE visits (id int); CREATE ROLE app LOGIN PASSWORD 'app-password'; CREATE ROLE blocked LOGIN PASSWORD 'app-password'; GRANT ALL ON visits TO app;",
    );
    await write(
      'rows.sql.gz',
      gzipSync(
        `INSERT INTO visits SELECT generate_series(1, 100); -- ${Array.from({ length: 300 }, (_, at) => String.fromCodePoint(33 + ((at * 7919) % 5000))).join('')}\n`,
      ),
    );
    // As the documentation of the official image has it.
    await write(
      'more.sh',
      [
        'set -e',
        'psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-EOSQL',
        "\tINSERT INTO visits SELECT 101 WHERE current_user = '$POSTGRES_USER' AND current_database() = '$POSTGRES_DB';",
        'EOSQL\n',
      ].join('\n'),
    );
    await cluster.write(`
cluster_name: ${cluster.name}
network: { subnet: ${cluster.subnet}, rw_subnet: ${cluster.rwSubnet} }
postgres:
  user: owner
  database: shop
  parameters: { work_mem: 12MB, max_connections: 180 }
  hba: ["host shop blocked all reject"]
  init_scripts: [init/schema.sql, init/rows.sql.gz, init/more.sh]
balancers:
  - { name: lb1, port: ${lb1}, postgres: { password: { file: password } }, primary: { port: ${one} }, replicas: 1 }
  - { name: lb2, port: ${lb2}, postgres: { password: { env: LB2_PASSWORD } }, primary: { port: ${two} }, replicas: 0 }
`);
    const watch = watchProcesses([first.password]);
    bringUp = await cluster.pgherd(['reconcile', '--once', '-v'], env(second.password));
    seen = watch.stop();
  });

  afterAll(() => cluster.cleanup());

  it('converges, and again to nothing', async () => {
    expect(bringUp).toMatchObject(ok);
    expect(await cluster.pgherd(['plan', '--detailed-exitcode'], env(second.password))).toMatchObject(ok);
  });

  it('ran each script once, in order, on the leader; replicas have what they made', async () => {
    for (const container of [primary('lb1'), `${cluster.name}-lb1-replica1`, primary('lb2')]) {
      const rows = await until(
        `rows in ${container}`,
        () => psql(container, 'SELECT count(*), count(DISTINCT id), max(id) FROM visits', first),
        (counted) => !counted.startsWith('0|'),
      );
      expect({ container, rows }).toEqual({ container, rows: '101|101|101' });
    }
  });

  it('gives servers the parameters', async () => {
    for (const container of [primary('lb1'), `${cluster.name}-lb1-replica1`, primary('lb2')]) {
      const settings = "SELECT current_setting('work_mem'), current_setting('max_connections')";
      expect(await psql(container, settings, first)).toBe('12MB|180');
    }
  });

  it('lets in whom the file lets in, directly and through the balancer', async () => {
    const app = { user: 'app', db: 'shop', password: 'app-password' };
    expect(await client.query(ports.lb1, 'INSERT INTO visits VALUES (102) RETURNING id', app)).toBe('102');
    expect(await client.query(ports.one, 'SELECT current_user', app)).toBe('app');
    await expect(client.query(ports.one, 'SELECT 1', { ...app, user: 'blocked' })).rejects.toThrow(
      /pg_hba.conf rejects/,
    );
    await expect(client.query(ports.one, 'SELECT 1', { ...app, password: 'wrong' })).rejects.toThrow(
      /password authentication failed/,
    );
  });

  it('takes the password of a file and of a variable', async () => {
    expect(await client.query(ports.lb1, 'SELECT current_user, current_database()', first)).toBe('owner|shop');
    expect(await client.query(ports.one, 'SELECT current_user, current_database()', first)).toBe('owner|shop');
    expect(await client.query(ports.lb2, 'SELECT current_user, current_database()', second)).toBe('owner|shop');
    expect(await client.query(ports.two, 'SELECT current_user, current_database()', second)).toBe('owner|shop');
  });

  it('showed that password to no other process of the host on the way', () => {
    expect(seen.looks).toBeGreaterThan(10);
    expect(seen.found).toEqual([]);
    expect(`${bringUp.stdout}${bringUp.stderr}`).not.toContain('from-a-file');
    expect(`${bringUp.stdout}${bringUp.stderr}`).not.toContain('from the environment');
  });

  it('does not hang in a transaction that reads, then alters, with no replica at all', async () => {
    for (const column of ['a', 'b', 'c']) {
      await client.query(ports.lb2, readThenAlter(column), { ...second, timeoutMs: neverHangs });
    }
  });

  it('says what is missing where a password is', async () => {
    const { code, stderr } = await cluster.pgherd(['plan']);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'error: the password of group lb2 is not in the variable LB2_PASSWORD [secret-missing]\n  remedy: put it there, or let pgherd make one with `password: {generate: true}`\n',
    );
    expect(stderr).not.toContain(' at ');
  });

  it('changes passwords where their sources change', async () => {
    await writeFile(join(cluster.directory, 'password'), changed.password);
    const plan = await cluster.pgherd(['plan', '--detailed-exitcode'], env(changedSecond.password));
    expect(plan.code).toBe(2);
    expect(plan.stdout).toMatch(/group\/lb1 .*password/);
    expect(plan.stdout.match(/password +\(sensitive\) -> \(sensitive\)/g)).toHaveLength(2);
    expect(plan.stdout).not.toContain('another-from');

    const watch = watchProcesses([first.password, changed.password]);
    const applied = await cluster.pgherd(['reconcile', '--once', '-v'], env(changedSecond.password));
    expect(watch.stop().found).toEqual([]);
    expect(applied).toMatchObject(ok);
    expect(`${applied.stdout}${applied.stderr}`).not.toContain('another-from');

    for (const [port, before, after] of [
      [ports.one, first, changed],
      [ports.lb1, first, changed],
      [ports.two, second, changedSecond],
      [ports.lb2, second, changedSecond],
    ] as const) {
      expect(await client.query(port, 'SELECT current_user', after)).toBe('owner');
      await expect(client.query(port, 'SELECT current_user', before)).rejects.toThrow(/authentication failed/);
    }
    expect(await cluster.pgherd(['plan', '--detailed-exitcode'], env(changedSecond.password))).toMatchObject(ok);
  });
});

describe('an init script that fails', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await newCluster();
  });

  afterAll(() => cluster.cleanup());

  it('ends the run with its error; mended, the group begins anew in a volume of its own', async () => {
    const script = join(cluster.directory, 'init.sql');
    await writeFile(script, 'CREATE TABLE half (id int);\nINSERT INTO nowhere VALUES (1);\n');
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      postgres: { init_scripts: ['init.sql'] },
      balancers: [{ name: 'lb1', replicas: 0 }],
    });
    const failed = await cluster.pgherd(['reconcile', '--once', '--timeout', '180']);
    expect(failed.code).toBe(3);
    const [, summary = ''] = failed.stderr.split('not converged');
    expect(summary).toMatch(/node\/lb1-primary: .*init\.sql:2: ERROR: {2}relation "nowhere" does not exist/);
    expect(summary).not.toContain('timed out');

    await writeFile(script, 'CREATE TABLE whole (id int);\n');
    expect(await cluster.pgherd(['reconcile', '--once'])).toMatchObject(ok);
    expect(await cluster.volumes()).toEqual([`${cluster.name}_lb1_0_1`, `${cluster.name}_lb1_0_2`]);
    expect(
      await psql(`${cluster.name}-lb1-primary`, "SELECT relname FROM pg_class WHERE relname IN ('half', 'whole')"),
    ).toBe('whole');
    expect(await mountsOf(`${cluster.name}-lb1-primary`)).toEqual([`${cluster.name}_lb1_0_2`]);
  });
});

describe('Ctrl-C in the middle', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await newCluster();
  });

  afterAll(() => cluster.cleanup());

  it('finishes what has begun and ends; the next run goes on from there', async () => {
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      balancers: [{ name: 'lb1', replicas: 1 }],
    });
    const running = await cluster.spawnPgherd(['reconcile', '--once']);
    await until('the primary is started', running.stderr, (text) => text.includes('lb1-primary: start'));
    running.child.kill('SIGINT');
    const { code, stderr } = await running.done;
    expect(code).toBe(3);
    expect(stderr).toContain('stopping: what has begun is finished, nothing new is started');
    expect(stderr).toMatch(/not converged after .* s \(interrupted\)\n {2}run the same command again to go on/);
    expect(await dockerLines('ps', '--quiet', '--filter', `name=pgherd-lock-${cluster.name}`)).toEqual([]);
    await cluster.untilUnlocked();

    expect(await cluster.pgherd(['reconcile', '--once'])).toMatchObject(ok);
    expect(await psql(`${cluster.name}-lb1-primary`, 'SELECT state FROM pg_stat_replication')).toBe('streaming');
    expect(await cluster.pgherd(['plan', '--detailed-exitcode'])).toMatchObject(ok);
  });

  it('is not what the end of a reader is: work is finished, whoever reads of it', async () => {
    await docker('rm', '--force', `${cluster.name}-lb1-replica1`);
    const running = await cluster.spawnPgherd(['reconcile', '--once', '--format', 'json']);
    await until('it has told its plan', running.stdout, (text) => text.includes('"planned"'));
    running.child.stdout?.destroy();
    expect((await running.done).code).toBe(0);
    expect(await cluster.pgherd(['plan', '--detailed-exitcode'])).toMatchObject(ok);
  });
});

type CreateBody = {
  readonly Image: string;
  readonly Volumes?: unknown;
  readonly HostConfig: {
    readonly Binds?: unknown;
    readonly Mounts?: readonly { readonly Source: string; readonly Target: string }[];
    readonly Tmpfs?: Readonly<Record<string, string>>;
  };
};

type Inspected = {
  readonly State: { readonly Health?: { readonly Status: string } };
  readonly Config: { readonly User: string };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly { readonly Type: string; readonly Name: string }[];
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
    readonly Ports: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>;
  };
};

async function inspect(container: string): Promise<Inspected> {
  const [inspected] = JSON.parse(await docker('inspect', container)) as [Inspected];
  return inspected;
}

/** By network. */
async function addressesOf(container: string): Promise<Readonly<Record<string, string>>> {
  const { NetworkSettings } = await inspect(container);
  return Object.fromEntries(Object.entries(NetworkSettings.Networks).map(([name, { IPAddress }]) => [name, IPAddress]));
}

/** Published ports, by the port inside. */
async function portsOf(container: string): Promise<Readonly<Record<string, string>>> {
  const { NetworkSettings } = await inspect(container);
  return Object.fromEntries(
    Object.entries(NetworkSettings.Ports).flatMap(([inside, published]) =>
      (published ?? []).map(({ HostIp, HostPort }) => [inside, `${HostIp}:${HostPort}`]),
    ),
  );
}

/** Names of the volumes a container has. */
async function mountsOf(container: string): Promise<readonly string[]> {
  const { Mounts } = await inspect(container);
  return Mounts.filter(({ Type }) => Type !== 'tmpfs').map(({ Name }) => Name);
}

async function logsOf(container: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return await dockerResult(['logs', container]);
}

/** Folders at and below a path that others than their owner may enter, or that are somebody else's. */
function looseFolders(container: string, path: string, owner: string): Promise<string> {
  const find = `find ${path} -type d \\( ! -perm 0700 -o ! -user ${owner} \\)`;
  return docker('exec', container, 'sh', '-c', find);
}

function holds(words: readonly string[]): (text: string) => boolean {
  return (text) => words.some((word) => text.includes(word));
}

function shown({ method, path }: Call): string {
  return `${method} ${path}`;
}
