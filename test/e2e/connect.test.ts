import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readPasswords, watchProcesses } from './fixtures/secrets.ts';
import { newCluster, type PgherdOptions, type Result, type Running, type TestCluster } from './support/cluster.ts';
import { docker, dockerResult, engineHost, ROOT } from './support/engine.ts';
import { psql as ask } from './support/psql.ts';
import { start } from './support/run.ts';
import { until } from './support/until.ts';

const ok = { code: 0 };

let cluster: TestCluster;
let primary = '';
let replica = '';
let balancer = '';

const pgherd = (args: readonly string[], options?: PgherdOptions): Promise<Result> => cluster.pgherd(args, options);

/** psql by the balancer, unaligned: its rows. */
async function rows(sql: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await pgherd(['psql', '--', '-XAtq', ...args], { input: sql });
  if (code !== 0) throw new Error(stderr);
  return stdout.trimEnd();
}

/** What pgherd has left in a container of a node: processes of a command and its guard, and files. */
async function findLeft(): Promise<string> {
  const script =
    'ls /tmp; for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <"$f" 2>/dev/null | grep -o "/tmp/pgherd-[0-9a-f][0-9a-f]*"; done';
  const left = await Promise.all([primary, replica].map((node) => docker('exec', node, 'sh', '-c', `${script}; :`)));
  return left.join('');
}

const nothingIsLeft = (): Promise<unknown> =>
  until('nothing of pgherd is left in a container', findLeft, (left) => left === '');

beforeAll(async () => {
  cluster = await newCluster();
  [balancer, primary, replica] = [`${cluster.name}-lb1`, `${cluster.name}-lb1-primary`, `${cluster.name}-lb1-replica1`];
  await cluster.write({
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: { user: 'owner', database: 'goods' },
    balancers: [{ name: 'lb1', replicas: 1, config: { num_init_children: 4, max_pool: 1 } }],
  });
  expect(await pgherd(['reconcile', '--once', '--timeout', '240'])).toMatchObject(ok);
});

afterAll(() => cluster.cleanup());

describe('psql', () => {
  it("takes SQL from a pipe, as the group's superuser in its database, and asks for no password", async () => {
    expect(await rows('SELECT current_user, current_database();')).toBe('owner|goods');
    expect(await rows('SELECT current_database();', 'postgres')).toBe('postgres');
  });

  it('goes by the balancer: writes to the leader, and reads what a replica has', async () => {
    const wrote = await rows(
      'CREATE TABLE visits (id int); INSERT INTO visits VALUES (1) RETURNING inet_server_addr();',
    );
    expect(wrote).toContain(cluster.rwSubnet.replace(/0\/24$/, ''));
    await until(
      'the row is read on the replica',
      () => rows("SELECT id, current_setting('transaction_read_only') FROM visits;"),
      (seen) => seen === '1|on',
    );
  });

  it('goes straight to a node, running or a name of a container', async () => {
    const sql = ['--', '-XAtc', 'SELECT pg_is_in_recovery(), current_user, inet_server_addr()'];
    expect(await pgherd(['psql', '--node', 'lb1-replica1', ...sql])).toMatchObject({ ...ok, stdout: 't|owner|\n' });
    expect(await pgherd(['psql', '--node', primary, ...sql])).toMatchObject({ ...ok, stdout: 'f|owner|\n' });
  });

  it('ends with the exit code of psql, and gives what it says on standard error', async () => {
    const failed = await pgherd(['psql', '--', '-c', 'SELECT nonesuch']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('column "nonesuch" does not exist');
    expect(await pgherd(['psql', '--', '-v', 'ON_ERROR_STOP=1'], { input: 'SELECT nonesuch;' })).toMatchObject({
      code: 3,
    });
  });

  it('carries much both ways, byte for byte', async () => {
    const text = Array.from({ length: 200_000 }, (_, index) => `${String(index)}\tgrüße ${String(index % 97)}\n`).join(
      '',
    );
    await rows('CREATE TABLE carried (id int, word text);');
    const copied = await pgherd(['psql', '--', '-XAtqc', 'COPY carried FROM STDIN'], { input: text });
    expect(copied).toMatchObject({ ...ok, stderr: '' });
    const back = await pgherd(['psql', '--node', 'lb1-primary', '--', '-XAtqc', 'COPY carried TO STDOUT']);
    expect(back.stdout === text).toBe(true);
  });

  it('leaves no password in arguments, environments, logs or files', async () => {
    const { superuser } = await readPasswords(primary);
    const watched = watchProcesses([superuser]);
    const { code, stderr } = await pgherd(['psql', '-v', '--', '-XAtc', 'SELECT pg_sleep(0.5)']);
    const { looks, found } = watched.stop();
    expect(code).toBe(0);
    expect(looks).toBeGreaterThan(3);
    expect(found).toEqual([]);
    expect(stderr).toContain('engine: POST');
    expect(stderr).not.toContain(superuser);
    await nothingIsLeft();
  });

  it.each([
    ['SIGKILL', null],
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('leaves nothing in the container after %s', async (signal, expected) => {
    const input = 'SELECT 1 \\watch 0.1\n';
    const running = await cluster.spawnPgherd(['psql', '--', '-XAtq'], { input });
    await until('it prints', running.stdout, (text) => text.includes('1\n1\n'));
    expect(await findLeft()).not.toBe('');
    running.child.kill(signal);
    expect((await running.done).code).toBe(expected);
    await nothingIsLeft();
  });

  it('says what is amiss, and what to do', async () => {
    await docker('stop', '--time', '1', balancer);
    const refused = await pgherd(['psql', 'lb1', '--', '-c', 'SELECT 1']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('the balancer of group lb1 does not run (exited) [not-running]');
    expect(refused.stderr).toContain('pgherd psql --node lb1-replica1');
    await docker('start', balancer);
    expect((await pgherd(['psql', 'lb2'])).stderr).toContain('did you mean "lb1"? known here: ');
    expect((await pgherd(['psql', '-c', 'SELECT 1'])).stderr).toContain('what is meant for psql goes after --');
  });
});

describe('on a terminal', () => {
  const open: Running[] = [];
  afterEach(() => {
    for (const { child } of open.splice(0)) child.kill('SIGKILL');
  });

  /** Runs pgherd on a terminal of 40 lines of 111 characters; afterwards the terminal says how it is. */
  async function onTerminal(...args: readonly string[]): Promise<{
    readonly running: Running;
    readonly type: (keys: string) => void;
    readonly sees: (what: string | RegExp) => Promise<unknown>;
    readonly device: string;
    /** Of pgherd. */
    readonly pid: number;
  }> {
    const words = [process.execPath, `${ROOT}dist/pgherd.js`, ...args].map((word) => `'${word}'`).join(' ');
    const run = `sh -c 'echo "<$$>"; exec "$@"' sh ${words}`;
    const command = `stty rows 40 cols 111; echo "<$(tty)>"; ${run}; echo "ended with $?"; stty -a`;
    const running = start('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
      cwd: cluster.directory,
      env: { DOCKER_HOST: await engineHost(), TERM: 'xterm', SHELL: '/bin/sh' },
      input: { open: true },
    });
    open.push(running);
    let read = 0;
    const sees = (what: string | RegExp): Promise<unknown> =>
      until(
        () => `the terminal shows ${String(what)}; it shows ${running.stdout()}`,
        () => running.stdout().slice(read).search(what) >= 0,
        (holds) => holds,
      ).then(() => (read = running.stdout().length));
    const type = (keys: string): void => void running.child.stdin?.write(keys);
    const begun = /<(.*)>\s+<(\d+)>/;
    await until('it has begun', running.stdout, (text) => begun.test(text));
    const [, device = '', pid] = begun.exec(running.stdout()) ?? [];
    return { running, type, sees, device, pid: Number(pid) };
  }

  it('psql is as on the spot: its size, Ctrl-C, Ctrl-D, and the terminal as it was', async () => {
    const { running, type, sees, device } = await onTerminal('psql');
    await sees('goods=#');
    type('\\! stty size\r');
    await sees('40 111');
    expect(await start('stty', ['-F', device, 'rows', '30', 'cols', '99']).done).toMatchObject(ok);
    await until(
      'psql knows the new size',
      () => {
        type('\\! stty size\r');
        return running.stdout();
      },
      (text) => text.includes('30 99'),
    );
    type('SELECT pg_sleep(1000);\r');
    await until(
      'it sleeps',
      () =>
        ask(primary, "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000);'", { user: 'owner' }),
      (count) => count === '1',
    );
    type('\u0003');
    await sees('canceling statement due to user request');
    type("SELECT 'gr' || 'üße';\r");
    await sees('grüße');
    type('\u0004');
    await sees('ended with 0');
    await running.done;
    expect(running.stdout()).toMatch(/[^-]icanon/);
    expect(running.stdout()).toMatch(/[^-]echo /);
    await nothingIsLeft();
  });

  it('one whose pgherd is killed leaves nothing, a pager neither, and no server takes it for a crash', async () => {
    const { type, sees, pid } = await onTerminal('psql', '--', '--pset=pager=always');
    await sees('goods=#');
    type('SELECT generate_series(1, 500);\r');
    await sees('More');
    expect(await findLeft()).not.toBe('');
    process.kill(pid, 'SIGKILL');
    await sees('ended with 137');
    await nothingIsLeft();
    const { stdout, stderr } = await dockerResult(['logs', replica]);
    expect(`${stdout}${stderr}`).not.toContain('was terminated by signal');
  });
});

describe('exec', () => {
  it('gives what a command writes, and its exit code', async () => {
    const script = 'cat; echo err >&2; exit 7';
    const ran = await pgherd(['exec', 'lb1-primary', '--', 'sh', '-c', script], { input: 'grüße' });
    expect(ran).toEqual({ code: 7, stdout: 'grüße', stderr: 'err\n' });
    expect((await pgherd(['exec', 'lb1', '--', 'cat', '/proc/1/comm'])).stdout).toBe('pgbalancer\n');
    expect((await pgherd(['exec', '--user', 'root', primary, '--', 'id', '-u'])).stdout).toBe('0\n');
    expect(await pgherd(['exec', 'lb1-primary', '--', 'nonesuch'])).toMatchObject({ code: 127, stdout: '' });
  });

  it('leaves the server alone where something it has left in the background ends badly', async () => {
    const script = ['-c', '\\! (sleep 0.2; exit 2) & exit 0', '-c', "SELECT 'goes on' FROM pg_sleep(1)"];
    const ran = await pgherd(['exec', 'lb1-primary', '--', 'psql', '-XAtq', '-U', 'owner', '-d', 'goods', ...script]);
    expect(ran).toEqual({ code: 0, stdout: 'goes on\n', stderr: '' });
  });

  it('knows the names that there are', async () => {
    const { code, stderr } = await pgherd(['exec', 'lb1-primry', '--', 'true']);
    expect(code).toBe(1);
    expect(stderr).toContain('there is no node or balancer "lb1-primry" on this engine [not-found]');
    expect(stderr).toContain('did you mean "lb1-primary"? known here: ');
  });
});

describe('logs', () => {
  type Line = { readonly cluster: string; readonly node: string; readonly at: string; readonly line: string };
  const parse = (text: string): readonly Line[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);

  it('tells the last of each, in order of time, behind the names', async () => {
    const told = await pgherd(['logs', '--cluster', cluster.name, '--tail', '2']);
    expect(told).toMatchObject(ok);
    const lines = told.stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.slice(0, line.indexOf('|'))).toSorted()).toEqual(
      ['lb1', 'lb1-primary', 'lb1-replica1'].flatMap((name) => [`${name.padEnd(12)}  `, `${name.padEnd(12)}  `]),
    );
    const json = parse((await pgherd(['logs', '--format', 'json', '--cluster', cluster.name])).stdout);
    expect(json.map(({ at }) => at)).toEqual(json.map(({ at }) => at).toSorted());
    expect(new Set(json.map((each) => each.cluster))).toEqual(new Set([cluster.name]));
  });

  it('shows what a client has put into it, and no terminal obeys that', async () => {
    const hostile = '\u001b[2J\u009b31m\r';
    await dockerResult(['exec', replica, 'psql', '-U', 'owner', '-d', 'postgres', '-c', `SELECT "${hostile}"`]);
    const { stdout } = await pgherd(['logs', '--tail', '9', 'lb1-replica1']);
    expect(stdout).toContain(String.raw`"\x1b[2J\x9b31m\x0d" does not exist`);
    expect(stdout).not.toMatch(/[^\P{Cc}\t\n]/u);
    const { stdout: json } = await pgherd(['logs', '--format', 'json', 'lb1-replica1']);
    expect(json).not.toMatch(/[^\P{Cc}\n]/u);
    expect(parse(json).some(({ line }) => line.includes(hostile))).toBe(true);
  });

  it('goes on with the next run and with the next container, each line once', async () => {
    const say = (word: string): Promise<unknown> =>
      until(
        `the server takes ${word}`,
        () => dockerResult(['exec', replica, 'psql', '-U', 'owner', '-d', 'postgres', '-c', `SELECT ${word}`]),
        ({ stderr }) => stderr.includes(`"${word}" does not exist`),
      );
    const following = await cluster.spawnPgherd(['logs', '-f', '--tail', '0', '--format', 'json', 'lb1-replica1']);
    const tells = (word: string): Promise<unknown> =>
      until(
        `${word} is told`,
        () => parse(following.stdout().replace(/[^\n]*$/, '')),
        (lines) => lines.some(({ line }) => line.includes(`"${word}"`)),
      );
    await until(
      'it follows',
      async () => {
        await say('begun');
        return following.stdout();
      },
      (text) => text.includes('begun'),
    );
    await docker('restart', replica);
    await say('second');
    await tells('second');
    await docker('rm', '--force', replica);
    expect(await pgherd(['reconcile', '--once', '--timeout', '240'])).toMatchObject(ok);
    await say('third');
    await tells('third');
    following.child.kill('SIGINT');
    const { code, stdout, stderr } = await following.done;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = parse(stdout);
    expect(new Set(lines.map(({ at, line }) => `${at} ${line}`)).size).toBe(lines.length);
    expect(lines.filter(({ line }) => line.includes('database system is ready')).length).toBe(2);
  });

  it('ends quietly when nobody reads on', async () => {
    const command = `'${process.execPath}' '${ROOT}dist/pgherd.js' logs -f --cluster ${cluster.name} | head -n 1`;
    const env = { DOCKER_HOST: await engineHost() };
    const { stdout, stderr } = await start('sh', ['-c', command], { cwd: cluster.directory, env }).done;
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
  });
});

describe('volumes and passwords', () => {
  it('are shown as the engine has them', async () => {
    const { stdout } = await pgherd(['volumes', cluster.name, '--size', '--format', 'json']);
    const { volumes } = JSON.parse(stdout) as { readonly volumes: readonly { readonly size_bytes: number }[] };
    expect(volumes).toMatchObject([
      { group: 'lb1', node: 'lb1-primary', generation: 1, state: 'in use', used_by: [primary], note: 'leads' },
      { group: 'lb1', node: 'lb1-replica1', generation: 1, state: 'in use', used_by: [replica], note: 'follows' },
    ]);
    for (const { size_bytes: size } of volumes) expect(size).toBeGreaterThan(10_000_000);
    expect((await pgherd(['volumes', cluster.name])).stdout).toMatch(
      /^CLUSTER +GROUP +NODE +GENERATION +STATE +CREATED/,
    );
  });

  it('a leftover goes when it is named, and nothing else does', async () => {
    const labels = ['cluster', cluster.name, 'kind', 'volume', 'group', 'lb1', 'node', '7', 'spec-version', '1'];
    const marks = [0, 2, 4, 6, 8].flatMap((at) => ['--label', `pgherd.${labels[at] ?? ''}=${labels[at + 1] ?? ''}`]);
    const [own, leftover] = [`${cluster.name}_lb1_0_1`, `${cluster.name}_lb1_7_1`];
    await docker('volume', 'create', ...marks, '--label', cluster.run.label, leftover);
    const offered = await pgherd(['prune']);
    expect(offered).toMatchObject(ok);
    expect(offered.stdout).toContain(`\n  pgherd prune ${leftover}\n`);

    const asked = await pgherd(['prune', leftover]);
    expect(asked).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no terminal to ask on') as string,
    });
    const mixed = await pgherd(['prune', '--yes', own, leftover]);
    expect(mixed).toMatchObject({ code: 1, stdout: `${leftover}: removed.\n` });
    expect(mixed.stderr).toContain(`${own} is in use by ${primary} [volume-in-use]`);
    expect(await cluster.volumes()).toEqual([own, `${cluster.name}_lb1_1_1`]);
    expect((await pgherd(['events', '--type', 'step', '--limit', '1'])).stdout).toContain(`volume/${leftover}`);
  });

  it('the password is printed alone, and where it stands', async () => {
    const { superuser } = await readPasswords(primary);
    expect(await pgherd(['password', 'show'])).toEqual({ code: 0, stdout: `${superuser}\n`, stderr: '' });
    expect((await pgherd(['password', 'show', '-v'])).stderr).not.toContain(superuser);
    const { stdout } = await pgherd(['password', 'path', 'lb1']);
    const [container = '', file = ''] = stdout.trimEnd().split(':');
    expect(await docker('exec', container, 'cat', file)).toBe(superuser);
  });
});
