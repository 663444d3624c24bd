import { chmod, cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProxy, type Proxy } from '../bench/proxy.ts';
import { brokenFiles } from './fixtures/broken.ts';
import { newCluster, type Result, type Running, type TestCluster } from './support/cluster.ts';
import { docker, dockerLines, engineHost, ROOT } from './support/engine.ts';
import { foreignOf, type Foreign } from './support/foreign.ts';
import { close, holdPort } from './support/places.ts';
import { psql } from './support/psql.ts';
import { run, start } from './support/run.ts';
import { until } from './support/until.ts';

const ok = { code: 0 };

/** Of a JavaScript stack, or of a failure that nobody expected. */
const trace = /^ +at |this is a bug/m;

describe('a broken file', () => {
  let cluster: TestCluster;
  let proxy: Proxy;

  beforeAll(async () => {
    cluster = await newCluster();
    proxy = await startProxy({ upstream: await engineHost() });
  });

  afterAll(async () => {
    await proxy.close();
    await cluster.cleanup();
  });

  it.each(brokenFiles)('with $kind is told at $at, and the engine hears nothing', async ({ text, at, says }) => {
    await cluster.write(text);
    const commands = [['validate'], ['plan'], ['reconcile', '--once'], ['destroy', '--yes']];
    const results = await Promise.all(commands.map((args) => cluster.pgherd(args, { host: proxy.host })));
    for (const { code, stdout, stderr } of results) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.split(' ', 1)).toEqual([`topology.yaml:${at}:`]);
      expect(stderr).toMatch(says);
      expect(stderr).not.toMatch(trace);
    }
    expect(new Set(results.map(({ stderr }) => stderr)).size).toBe(1);
    expect(proxy.calls).toEqual([]);
  });
});

describe('an engine that does not answer', () => {
  let cluster: TestCluster;

  const commands = [['plan'], ['status'], ['reconcile', '--once'], ['destroy', '--yes']];

  beforeAll(async () => {
    cluster = await newCluster();
    await cluster.write({ cluster_name: cluster.name, balancers: [{ name: 'lb1' }] });
  });

  afterAll(() => cluster.cleanup());

  it('because there is no socket: exit code 1, what and what to do', async () => {
    const host = `unix://${cluster.directory}/none.sock`;
    for (const args of commands) {
      expect(await cluster.pgherd(args, { host })).toEqual({
        code: 1,
        stdout: '',
        stderr: `error: no Docker engine answers at ${host} (connect ENOENT ${cluster.directory}/none.sock) [engine-unreachable]\n  remedy: start it, or name another one with -H, DOCKER_HOST or a docker context\n`,
      });
    }
  });

  it('because nobody listens: the same', async () => {
    const [port = 0] = await cluster.ports(1);
    const host = `tcp://127.0.0.1:${port}`;
    for (const args of commands) {
      expect(await cluster.pgherd(args, { host })).toEqual({
        code: 1,
        stdout: '',
        stderr: `error: no Docker engine answers at ${host} (connect ECONNREFUSED 127.0.0.1:${port}) [engine-unreachable]\n  remedy: start it, or name another one with -H, DOCKER_HOST or a docker context\n`,
      });
    }
  });

  it('because we may not ask it: exit code 1, and how to be allowed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pgherd-nobody-'));
    const proxy = await startProxy({ upstream: await engineHost(), socketPath: join(folder, 'docker.sock') });
    try {
      await chmod(folder, 0o755);
      await chmod(proxy.socketPath, 0);
      await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
      await mkdir(join(folder, 'work'));
      const file = await cluster.write(
        { cluster_name: cluster.name, balancers: [{ name: 'lb1' }] },
        join(folder, 'work', 'topology.yaml'),
      );
      for (const args of commands) {
        const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
        const program = [process.execPath, join(folder, 'dist', 'pgherd.js'), ...args, file];
        const env = { DOCKER_HOST: proxy.host, HOME: folder };
        expect(await run('setpriv', [...nobody, ...program], { cwd: folder, env })).toEqual({
          code: 1,
          stdout: '',
          stderr: `error: no permission to use the Docker engine at ${proxy.host} [engine-permission]\n  remedy: run as root or as a member of the docker group, or name another engine with -H\n`,
        });
      }
      expect(proxy.calls).toEqual([]);
    } finally {
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('what others hold', () => {
  let cluster: TestCluster;
  let foreign: Foreign;

  beforeEach(async () => {
    cluster = await newCluster();
    foreign = foreignOf(cluster);
  });

  afterEach(() => cluster.cleanup());

  it('a port, a name, a volume: told, left alone, and everything else converges', async () => {
    const [port = 0, ofProcess = 0, ofContainer = 0] = await cluster.ports(3);
    const name = (slot: number): string => `${cluster.name}-lb1-replica${slot}`;
    const listener = await holdPort(ofProcess);
    const holder = await foreign.container('port', '--publish', `127.0.0.1:${ofContainer}:1`);
    const namesake = await foreign.container(name(3));
    const volume = await foreign.volume(`${cluster.name}_lb1_4_1`);
    const topology = {
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      balancers: [
        {
          name: 'lb1',
          port,
          replicas: [
            { node_id: 1, port: ofProcess },
            { node_id: 2, port: ofContainer },
            { node_id: 3 },
            { node_id: 4 },
            { node_id: 5 },
          ],
        },
      ],
    };
    await cluster.write(topology);
    const before = await foreign.look();

    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '90']);
    expect({ code, stderr }).toMatchObject({ code: 3 });
    const [, summary = ''] = stderr.split('not converged');
    expect(about(summary, 'node/lb1-replica1')).toMatch(
      new RegExp(
        `^error: .*port ${ofProcess} of the host is in use by something outside this engine \\[port-taken\\]\n +remedy: give another port`,
      ),
    );
    expect(about(summary, 'node/lb1-replica2')).toMatch(
      new RegExp(
        `^error: .*port ${ofContainer} of the host is in use by the container ${holder} \\[port-taken\\]\n +remedy: give another port`,
      ),
    );
    expect(about(summary, 'node/lb1-replica3')).toMatch(
      new RegExp(
        `^the container ${namesake} exists and is not pgherd's .*\\[name-taken\\]\n +remedy: give another container_name, or remove it with \`docker rm ${namesake}\``,
      ),
    );
    expect(summary).toMatch(
      new RegExp(
        `the volume ${volume} exists and is not pgherd's \\[name-taken\\]\n +remedy: rename it, or remove it with \`docker volume rm ${volume}\``,
      ),
    );
    expect(summary).not.toContain('timed out');
    expect(stderr).not.toMatch(trace);
    expect(await foreign.look()).toEqual(before);

    const streaming = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'";
    expect(await psql(`${cluster.name}-lb1-primary`, streaming)).toBe('lb1-replica5');
    expect(await docker('inspect', '--format', '{{.State.Status}}', `${cluster.name}-lb1`)).toBe('running');
    await docker('exec', `${cluster.name}-lb1`, 'sh', '/etc/pgbalancer/config/health');

    // Out of the way, all of it converges.
    await close(listener);
    await docker('rm', '--force', holder, namesake);
    await docker('volume', 'rm', volume);
    expect(await cluster.pgherd(['reconcile', '--once', '--timeout', '90'])).toMatchObject(ok);
    expect((await psql(`${cluster.name}-lb1-primary`, streaming)).split('\n')).toHaveLength(5);
  });

  it("the leader's port: told, and nothing is lost once it is free", async () => {
    const [port = 0] = await cluster.ports(1);
    const listener = await holdPort(port);
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      balancers: [{ name: 'lb1', primary: { port }, replicas: 0 }],
    });
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '60']);
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toContain(`port ${port} of the host is in use by something outside this engine [port-taken]`);
    await close(listener);
    expect(await cluster.pgherd(['reconcile', '--once'])).toMatchObject(ok);
    expect(await cluster.volumes()).toEqual([`${cluster.name}_lb1_0_1`]);
  });

  it('a network of the same name, and a subnet: told, and left alone', async () => {
    const network = await foreign.network(`${cluster.name}_net`);
    const overlapping = await foreign.network(`${cluster.name}-other`, '--subnet', cluster.rwSubnet);
    await cluster.write({
      cluster_name: cluster.name,
      network: { name: network, rw_subnet: cluster.rwSubnet },
      balancers: [{ name: 'lb1', replicas: 0 }],
    });
    const before = await foreign.look();
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '60']);
    expect({ code, stderr }).toMatchObject({ code: 3 });
    const [, summary = ''] = stderr.split('not converged');
    expect(about(summary, `network/${network}`)).toMatch(
      new RegExp(
        `^a network of that name exists and is not pgherd's .*\\[name-taken\\]\n +remedy: give another network.name, or remove it with \`docker network rm ${network}\``,
      ),
    );
    expect(about(summary, `network/${network}_rw`)).toMatch(
      new RegExp(
        `^${cluster.rwSubnet} overlaps the network ${overlapping} \\(${cluster.rwSubnet}\\) \\[subnet-overlap\\]\n +remedy: give another subnet, or remove that network with \`docker network rm ${overlapping}\``,
      ),
    );
    expect(await foreign.look()).toEqual(before);
    await cluster.untilUnlocked();
    expect([await cluster.networks(), await cluster.containers()]).toEqual([[], []]);
    expect(await cluster.pgherd(['plan', '--detailed-exitcode'])).toMatchObject({ code: 2 });
  });
});

describe('an image that is missing and cannot be pulled', () => {
  let cluster: TestCluster;

  beforeEach(async () => {
    cluster = await newCluster();
  });

  afterEach(() => cluster.cleanup());

  it("the balancer's: nodes converge and replicate, and it is said how to get it", async () => {
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      balancers: [{ name: 'lb1', image: 'pgherd-no-such:1', replicas: 1 }],
    });
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '180']);
    expect(code).toBe(3);
    const [, summary = ''] = stderr.split('not converged');
    expect(about(summary, 'balancer/lb1')).toMatch(
      /^error: image pgherd-no-such:1 is not on the engine and cannot be pulled.* \[image-missing\]\n +remedy: .*pgherd-no-such:1/,
    );
    expect(summary).not.toContain('timed out');
    expect(await psql(`${cluster.name}-lb1-primary`, 'SELECT state FROM pg_stat_replication')).toBe('streaming');
    const { clusters } = JSON.parse((await cluster.pgherd(['status', '--format', 'json'])).stdout) as {
      clusters: readonly unknown[];
    };
    expect(clusters).toMatchObject([
      {
        groups: [
          {
            leader: 'lb1-primary',
            nodes: [{ health: 'Healthy' }, { health: 'Healthy' }],
            balancer: { state: 'missing' },
          },
        ],
      },
    ]);
  });

  it("the servers': said, with nothing half done that the next run could not go on from", async () => {
    const topology = (image: string): Record<string, unknown> => ({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      postgres: { image },
      balancers: [{ name: 'lb1', replicas: 0 }],
    });
    await cluster.write(topology('pgherd-no-postgres:1'));
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '180']);
    expect(code).toBe(3);
    const [, summary = ''] = stderr.split('not converged');
    expect(about(summary, 'node/lb1-primary')).toMatch(
      /^error: image pgherd-no-postgres:1 is not on the engine and cannot be pulled.* \[image-missing\]\n +remedy: .*pgherd-no-postgres:1/,
    );
    expect(summary).not.toContain('timed out');
    await cluster.write(topology('postgres:17'));
    expect(await cluster.pgherd(['reconcile', '--once'])).toMatchObject(ok);
  });

  it('both: said for both, with exit code 3', async () => {
    await cluster.write({
      cluster_name: cluster.name,
      postgres: { image: 'pgherd-no-postgres:1' },
      balancers: [{ name: 'lb1', image: 'pgherd-no-such:1', replicas: 0 }],
    });
    const { code, stderr } = await cluster.pgherd(['reconcile', '--once', '--timeout', '30']);
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toMatch(/image pgherd-no-postgres:1 is not on the engine and cannot be pulled/);
    expect(stderr).not.toMatch(trace);
  });
});

describe('two at once', () => {
  let cluster: TestCluster;
  let lock: string;
  let edits = 4;

  /** Changes the file so that there is something small to do, and does it. */
  const applyAnEdit = async (): Promise<Running> => {
    edits += 1;
    await write();
    return cluster.spawnPgherd(['reconcile', '--once', '--timeout', '60']);
  };
  const write = (): Promise<string> =>
    cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      postgres: { parameters: { work_mem: `${edits}MB` } },
      balancers: [{ name: 'lb1', replicas: 0 }],
    });
  const workMem = (): Promise<string> => psql(`${cluster.name}-lb1-primary`, 'SHOW work_mem');
  const lockState = (): Promise<readonly string[]> =>
    dockerLines('ps', '--all', '--filter', `name=^${lock}$`, '--format', '{{.State}}');
  const lockLike = (): readonly string[] => [
    '--interactive',
    '--rm',
    `--name=${lock}`,
    `--label=${cluster.run.label}`,
    `--label=pgherd.cluster=${cluster.name}`,
    '--label=pgherd.kind=lock',
    '--label=pgherd.holder=ada@elsewhere (process 1)',
    '--network=none',
    '--tmpfs=/var/lib/postgresql/data',
    '--entrypoint=cat',
    'postgres:17',
  ];
  const waited = `waiting: the cluster is being changed by ada@elsewhere (process 1), since 20`;

  beforeAll(async () => {
    cluster = await newCluster();
    lock = `pgherd-lock-${cluster.name}`;
    await write();
  });

  afterAll(() => cluster.cleanup());

  it("a killed holder's lock is gone within seconds", async () => {
    const holder = await cluster.spawnPgherd(['reconcile', '--once']);
    await until('the lock is held', lockState, ([state]) => state === 'running');
    holder.child.kill('SIGKILL');
    await cluster.untilUnlocked();
  });

  it('one works, the other waits, says for whom, and finds nothing to do', async () => {
    const both = await Promise.all([cluster.pgherd(['reconcile', '--once']), cluster.pgherd(['reconcile', '--once'])]);
    expect(both).toMatchObject([ok, ok]);
    const isIdle = ({ stdout }: Result): boolean =>
      /converged, (?:nothing was changed|what there was to do was done by \S+@\S+ \(process \d+\))\./.test(stdout);
    const [idle, ...more] = both.filter(isIdle);
    expect(more).toEqual([]);
    const [waiting, ...steps] = (idle?.stderr ?? '').trimEnd().split('\n');
    expect(waiting).toMatch(/ waiting: the cluster is being changed by \S+@\S+ \(process \d+\), since \d{4}-/);
    // It says so again every ten seconds, and asks where Docker's own health check has not spoken yet.
    expect(steps.filter((step) => !/: await-(?:node|balancer) \(| still waiting: /.test(step))).toEqual([]);
    const [worker] = both.filter((result) => !isIdle(result));
    expect(worker?.stdout).toMatch(/converged, \d+ steps done/);
    expect(worker?.stderr).not.toContain('waiting');
    await cluster.untilUnlocked();
  });

  it('a lock created and never attached to is taken over', async () => {
    await docker('create', ...lockLike());
    const { code, stderr } = await (await applyAnEdit()).done;
    expect({ code, stderr }).toMatchObject(ok);
    expect(stderr).toContain(waited);
    expect(await workMem()).toBe(`${edits}MB`);
    await cluster.untilUnlocked();
  });

  it('a lock attached to and never started is taken over', async () => {
    await docker('create', ...lockLike());
    const attached = await attach(lock);
    attached.destroy();
    expect(await lockState()).toEqual(['created']);
    const { code, stderr } = await (await applyAnEdit()).done;
    expect({ code, stderr }).toMatchObject(ok);
    expect(stderr).toContain(waited);
    expect(await workMem()).toBe(`${edits}MB`);
    await cluster.untilUnlocked();
  });

  it('a lock that runs is waited for as long as its holder lives, and no longer', async () => {
    const holder = start('docker', ['run', ...lockLike()], {
      input: { open: true },
      env: { DOCKER_HOST: await engineHost() },
    });
    try {
      await until('the lock is held', lockState, ([state]) => state === 'running');
      const before = await workMem();
      const waiting = await applyAnEdit();
      await until('it waits', waiting.stderr, (text) => text.includes(waited));
      // Longer than a lock that does not run is left alone.
      await until('some seconds', () => Date.now(), deadlineIn(4_000));
      expect([await workMem(), await lockState()]).toEqual([before, ['running']]);
      holder.child.kill('SIGKILL');
      const killedAt = Date.now();
      expect(await waiting.done).toMatchObject(ok);
      expect(Date.now() - killedAt).toBeLessThan(30_000);
      expect(await workMem()).toBe(`${edits}MB`);
      await cluster.untilUnlocked();
    } finally {
      holder.child.kill('SIGKILL');
    }
  });

  it('who waits can be told to stop: by a time limit, by Ctrl-C', async () => {
    const holder = start('docker', ['run', ...lockLike()], {
      input: { open: true },
      env: { DOCKER_HOST: await engineHost() },
    });
    try {
      await until('the lock is held', lockState, ([state]) => state === 'running');
      edits += 1;
      await write();
      const impatient = await cluster.pgherd(['reconcile', '--once', '--timeout', '1']);
      expect(impatient).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/not converged after .*\(timed out\)/) as string,
      });
      expect(impatient.stderr).not.toMatch(trace);

      const waiting = await cluster.spawnPgherd(['reconcile', '--once']);
      await until('it waits', waiting.stderr, (text) => text.includes(waited));
      waiting.child.kill('SIGINT');
      const stopped = await waiting.done;
      expect(stopped).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/not converged after .*\(interrupted\)/) as string,
      });
      expect(stopped.stderr).not.toMatch(trace);
      expect(await lockState()).toEqual(['running']);
    } finally {
      holder.child.kill('SIGKILL');
    }
    await cluster.untilUnlocked();
    expect(await cluster.pgherd(['reconcile', '--once'])).toMatchObject(ok);
  });

  it('who has nothing to do, or only looks, waits for nobody', async () => {
    await cluster.untilUnlocked();
    await docker('create', ...lockLike());
    for (const args of [['plan', '--detailed-exitcode'], ['status'], ['reconcile', '--once']]) {
      expect(await cluster.pgherd(args)).toMatchObject({ code: 0, stderr: '' });
    }
    expect(await lockState()).toEqual(['created']);
    await docker('rm', '--force', lock);
  });

  it("a foreign container of the lock's name is told and left alone", async () => {
    const foreign = foreignOf(cluster);
    await foreign.container(lock);
    const before = await foreign.look();
    const { code, stderr } = await (await applyAnEdit()).done;
    expect({ code, stderr }).toMatchObject({ code: 3 });
    expect(stderr).toMatch(
      new RegExp(
        `the container ${lock} is not pgherd's, and has the name of its lock \\[name-taken\\]\n +remedy: remove it`,
      ),
    );
    expect(await foreign.look()).toEqual(before);
  });
});

/** What a summary says of one resource. */
function about(summary: string, resource: string): string {
  const [, said = ''] = summary.split(new RegExp(`^  ${resource}(?: is blocked)?: `, 'm'));
  return said;
}

/** Attaches to a container's input as the holder of a lock does, and gives the connection once the engine agrees. */
async function attach(container: string): Promise<Socket> {
  const socket = connect((await engineHost()).replace('unix://', ''));
  const agreed = new Promise<void>((resolve, reject) => {
    socket.once('error', reject).once('data', (reply) => {
      if (/^HTTP\/1\.1 (?:101|200) /.test(reply.toString())) resolve();
      else reject(new Error(reply.toString()));
    });
  });
  socket.write(
    `POST /v1.41/containers/${container}/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`,
  );
  await agreed;
  return socket;
}

function deadlineIn(milliseconds: number): (now: number) => boolean {
  const deadline = Date.now() + milliseconds;
  return (now) => now >= deadline;
}
