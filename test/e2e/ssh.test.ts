import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonProcess } from './support/daemon.ts';
import { newCluster, type Result, type TestCluster } from './support/cluster.ts';
import { dockerLines, engineHost, ROOT } from './support/engine.ts';
import { output, start, type Running } from './support/run.ts';
import { until } from './support/until.ts';

const ok = { code: 0 };

let cluster: TestCluster;
let server: Running;
let port: number;
/** Of the engine. */
let socket: string;
/** Goes before all others on the path: an ssh with settings of the test's own. */
let programs: string;

beforeAll(async () => {
  cluster = await newCluster();
  [port = 0] = await cluster.ports(1);
  socket = (await engineHost()).slice('unix://'.length);
  await cluster.write({
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    balancers: [{ name: 'lb1', replicas: 1 }],
  });
  const { directory } = cluster;
  for (const name of ['id', 'stranger', 'host']) {
    await output('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
  }
  await startServer();
  const scanned = await output('ssh-keyscan', ['-t', 'ed25519', '-p', String(port), '127.0.0.1']);
  await writeFile(join(directory, 'known'), scanned);
  programs = join(directory, 'programs');
  await mkdir(programs);
  await configure({});
});

afterAll(async () => {
  server.child.kill('SIGKILL');
  await cluster.cleanup();
});

/** An SSH server that lets root in with one key. The user it wants for itself is one that only it sees. */
async function startServer(): Promise<void> {
  const { directory } = cluster;
  const program = (await output(`${ROOT}test/e2e/support/sshd.sh`, [])).trim();
  const passwd = join(directory, 'passwd');
  const user = 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n';
  await writeFile(passwd, (await readFile('/etc/passwd', 'utf8')).replace(/^sshd:.*\n/m, '') + user);
  const options = [
    'ListenAddress=127.0.0.1',
    `Port=${String(port)}`,
    `HostKey=${directory}/host`,
    `AuthorizedKeysFile=${directory}/id.pub`,
    'PasswordAuthentication=no',
    'StrictModes=no',
    'PidFile=none',
  ];
  const script = 'mkdir -p /run/sshd && mount --bind "$1" /etc/passwd && shift && exec "$@"';
  const command = [program, '-D', '-e', '-f', '/dev/null', ...options.flatMap((option) => ['-o', option])];
  server = start('unshare', ['--mount', '--fork', '--kill-child', 'bash', '-c', script, 'bash', passwd, ...command]);
  await until('the SSH server listens', server.stderr, (said) => said.includes('Server listening'));
}

/** Has ssh use another key, or know other hosts. */
async function configure({
  key = 'id',
  known = 'known',
}: {
  readonly key?: string;
  readonly known?: string;
}): Promise<void> {
  const { directory } = cluster;
  const options = [
    `IdentityFile=${directory}/${key}`,
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${directory}/${known}`,
  ];
  const words = options.map((option) => `-o '${option}'`).join(' ');
  const ssh = join(programs, 'ssh');
  await writeFile(ssh, `#!/bin/sh\nexec /usr/bin/ssh -F /dev/null ${words} "$@"\n`);
  await chmod(ssh, 0o755);
}

/** An address of the engine, by its socket there. */
const address = (path = socket): string => `ssh://root@127.0.0.1:${String(port)}${path}`;

const env = (): Record<string, string> => ({ PATH: `${programs}:${process.env['PATH'] ?? ''}` });

const pgherd = (...args: readonly string[]): Promise<Result> => cluster.pgherd(args, { host: address(), env: env() });

async function findFolders(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('pgherd-ssh-'));
}

async function findProcesses(): Promise<readonly string[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    numbers.map((number) => readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.startsWith(`/usr/bin/ssh\0`) && command.includes(`\0${String(port)}\0`));
}

/** What pgherd has left behind here. */
async function findLeft(): Promise<readonly string[]> {
  return [...(await findFolders()), ...(await findProcesses())];
}

describe('an engine behind ssh://', () => {
  it('is used as one here is: a cluster comes up, is looked at and gone into', async () => {
    expect(await pgherd('reconcile', '--once')).toMatchObject(ok);
    const { stdout } = await pgherd('status');
    expect(stdout).toContain(`${cluster.name}: Healthy, InSync`);
    expect(await pgherd('psql', '--', '-XAtc', "SELECT 'through'")).toEqual({
      code: 0,
      stdout: 'through\n',
      stderr: '',
    });
    expect(await pgherd('plan', '--detailed-exitcode')).toMatchObject(ok);
    await until('nothing is left', findLeft, ({ length }) => length === 0);
  });

  it('has its connections, locks and listeners go with a daemon that is killed', async () => {
    process.env['PATH'] = env()['PATH'];
    const daemon = await DaemonProcess.start(cluster, { host: address() });
    await daemon.become('Ready', 'True');
    await daemon.kill();
    const locks = (): Promise<readonly string[]> =>
      dockerLines('ps', '--all', '--filter', `name=pgherd-lock-${cluster.name}`, '--format', '{{.Names}}');
    await until('the lock is gone', locks, (names) => names.length === 0);
    await until('no ssh is left', findProcesses, (left) => left.length === 0);
    // Nobody was left to remove it.
    for (const folder of await findFolders()) await rm(join(tmpdir(), folder), { recursive: true });
  });

  it.each([
    ['whose key nobody knows', { known: 'nobody' }, undefined, 'Host key verification failed.'],
    ['that does not let us in', { key: 'stranger' }, undefined, 'Permission denied (publickey'],
    ['that has no engine there', {}, '/nonesuch.sock', 'open failed'],
  ])('%s is named with what ssh says', async (_, settings, path, says) => {
    await configure(settings);
    const { code, stderr } = await cluster.pgherd(['status'], { host: address(path), env: env() });
    await configure({});
    expect(code).toBe(1);
    expect(stderr).toContain(`no Docker engine answers at ${address(path)} (`);
    expect(stderr).toContain(says);
    expect(stderr).toContain('[engine-unreachable]');
    expect(stderr).toContain(
      `remedy: see that \`ssh -p ${String(port)} root@127.0.0.1 docker version\` works without asking`,
    );
    await until('nothing is left', findLeft, ({ length }) => length === 0);
  });
});
