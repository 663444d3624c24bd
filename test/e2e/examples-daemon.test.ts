import { access, chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { newCluster, type TestCluster } from './support/cluster.ts';
import { docker, dockerResult, engineHost, ROOT } from './support/engine.ts';
import { run, start, type Running } from './support/run.ts';
import { until } from './support/until.ts';

const EXAMPLES = join(ROOT, 'examples/daemon');
const IMAGE = join(ROOT, 'examples/docker');
const TOPOLOGIES = '/etc/pgherd/topologies';
const STATE = '/var/lib/pgherd';

/** What is read of compose.yaml. */
type Compose = {
  readonly services: {
    readonly pgherd: {
      readonly build: { readonly context: string; readonly dockerfile: string };
      readonly stop_grace_period: string;
      readonly volumes: readonly string[];
    };
  };
};

let unit: string;
let dockerfile: string;
let composeText: string;
let compose: Compose;
let directory: string;

beforeAll(async () => {
  [unit, dockerfile, composeText] = await Promise.all([
    readFile(join(EXAMPLES, 'pgherd.service'), 'utf8'),
    readFile(join(IMAGE, 'Dockerfile'), 'utf8'),
    readFile(join(EXAMPLES, 'compose.yaml'), 'utf8'),
  ]);
  compose = parse(composeText) as Compose;
  directory = await mkdtemp(join(tmpdir(), 'pgherd-daemon-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** The words after the command itself, of the unit's ExecStart or of the image's CMD. */
function unitArgs(): readonly string[] {
  const [command, ...args] = (/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '').split(' ');
  expect(Object.keys(packageJson.bin)).toContain(command);
  return args.map((arg) => arg.replace('%S', '/var/lib'));
}

function imageArgs(): readonly string[] {
  return JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '') as readonly string[];
}

/** The same with the places of this test. */
function here(args: readonly string[]): readonly string[] {
  return args.map((arg) => arg.replace(TOPOLOGIES, join(directory, 'topologies.yaml')).replace(STATE, directory));
}

describe('the command lines', () => {
  const composeArgs = (): readonly string[] =>
    (/# command: \[(.*)\]/.exec(composeText)?.[1] ?? '').split(',').map((word) => word.trim());

  it.each([
    ['of the unit', unitArgs],
    ['of the image', imageArgs],
    ['that compose.yaml proposes', composeArgs],
  ])('%s name the folder, and are understood', async (_name, args) => {
    expect(args()).toContain(TOPOLOGIES);
    const { code, stderr } = await run(process.execPath, [join(ROOT, 'dist/pgherd.js'), ...here(args())]);
    expect(stderr).toMatch(/^.*topologies\.yaml: no such file or directory/);
    expect(code).toBe(1);
  });
});

describe('the image', () => {
  it('copies what the repository has, and what its ignore file lets in', async () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, words = '']) =>
      words.split(' '),
    );
    expect(sources).toContain('package-lock.json');
    await Promise.all(sources.map((source) => access(join(ROOT, source))));
    const ignore = await readFile(join(IMAGE, 'Dockerfile.dockerignore'), 'utf8');
    expect(ignore.match(/^!.*$/gm)?.sort()).toEqual(sources.map((source) => `!${source}`).sort());
  });

  it('has the command that its entry point is', () => {
    expect(dockerfile).toContain(` ln -s /opt/pgherd/${packageJson.bin.pgherd} /usr/local/bin/pgherd\n`);
    expect(dockerfile).toContain('COPY --from=build /build/dist /opt/pgherd/dist\n');
    expect(dockerfile).toContain('ENTRYPOINT ["pgherd"]\n');
  });

  it('keeps its state where compose.yaml mounts a volume, and reads the folder that it mounts', () => {
    expect(dockerfile).toContain(`ENV XDG_STATE_HOME=${dirname(STATE)}\n`);
    expect(basename(STATE)).toBe('pgherd');
    expect(dockerfile).toContain(`VOLUME ${STATE}\n`);
    const { build, volumes } = compose.services.pgherd;
    expect(volumes).toContain(`state:${STATE}`);
    expect(volumes).toContainEqual(expect.stringMatching(`:${TOPOLOGIES}:ro$`));
    const context = resolve(EXAMPLES, build.context);
    expect(`${context}/`).toBe(ROOT);
    expect(join(context, build.dockerfile)).toBe(join(IMAGE, 'Dockerfile'));
  });
});

// Its first stage asks a registry for packages: what that builds stands in dist/ here, and Node is this one.
describe('one command in a container, as the Dockerfile proposes', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await newCluster();
  });
  afterAll(async () => {
    await dockerResult(['rmi', '--force', `pgherd-test-${cluster.run.id}`]);
    await cluster.cleanup();
  });

  it('plans on the engine by its socket, as the user who calls it', async () => {
    const { run: testRun, name, directory: work, file } = cluster;
    const context = join(work, 'context');
    const [, stage = ''] = dockerfile.split('FROM ${RUNTIME_IMAGE}\n');
    const base = 'FROM postgres:17\nUSER root\nCOPY node /usr/local/bin/node\n';
    await cp(join(ROOT, 'dist'), join(context, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') });
    for (const path of ['LICENSE', 'package.json']) await cp(join(ROOT, path), join(context, path));
    await cp(process.execPath, join(context, 'node'));
    await writeFile(join(context, 'Dockerfile'), base + stage.replaceAll('--from=build /build/', ''));
    const image = `pgherd-test-${testRun.id}`;
    await docker('build', '--quiet', '--label', testRun.label, '--tag', image, context);

    await cluster.write({ cluster_name: name, balancers: [{ name: 'lb1', replicas: 1 }] });
    await chmod(work, 0o755);
    const [, options = ''] = /alias pgherd='docker ((?:.*\n)*?.*) pgherd'/.exec(dockerfile) ?? [];
    const socket = (await engineHost()).replace('unix://', '');
    const command = options
      .replace(/\\\n# /g, '')
      .replace('-it ', '')
      .replace(':/var/run/docker.sock', ':SOCKET')
      .replaceAll('/var/run/docker.sock', socket)
      .replace(':SOCKET', ':/var/run/docker.sock');
    const planned = await run(
      'sh',
      ['-c', `docker ${command} --label ${testRun.label} ${image} plan ${basename(file)}`],
      {
        cwd: work,
        env: { DOCKER_HOST: await engineHost() },
      },
    );
    expect(planned).toMatchObject({ code: 0, stderr: '' });
    expect(planned.stdout).toContain('Plan: 7 to create');
  });
});

describe('the daemon as the unit starts it, its engine away', () => {
  let daemon: Running;
  let notifications: string;
  let stateFile: string;

  beforeAll(async () => {
    notifications = join(directory, 'notifications');
    stateFile = join(directory, 'clusters/exd.json');
    await writeFile(join(directory, 'topologies.yaml'), 'cluster_name: exd\nbalancers: [{ name: lb1 }]\n');
    const program = join(directory, 'systemd-notify');
    // The first message takes longer than what comes after it.
    await writeFile(program, `#!/bin/sh\ncase $1 in RELOADING*) sleep 0.5 ;; esac\necho "$@" >>'${notifications}'\n`);
    await chmod(program, 0o755);
    daemon = start(process.execPath, [join(ROOT, 'dist/pgherd.js'), ...here(unitArgs())], {
      env: {
        DOCKER_HOST: `unix://${directory}/none.sock`,
        NOTIFY_SOCKET: join(directory, 'notify'),
        PATH: `${directory}:${process.env['PATH'] ?? ''}`,
      },
    });
    await until(
      'a state file',
      () => readFile(stateFile, 'utf8'),
      (text) => text.includes('EngineReachable"'),
    );
  });

  afterAll(() => daemon.child.kill('SIGKILL'));

  it('is unhealthy for the image, and healthy once the state file says that the engine answers', async () => {
    const [, command = ''] = /^ {2}CMD (grep .*)$/m.exec(dockerfile) ?? [];
    const check = () => run('sh', ['-c', command.replaceAll(STATE, directory)]);
    const no = '"type":"EngineReachable","status":"False"';
    const away = await until(
      'the engine is away',
      () => readFile(stateFile, 'utf8'),
      (text) => text.includes(no),
    );
    expect(await check()).toMatchObject({ code: 1 });
    await writeFile(stateFile, away.replace(no, no.replace('False', 'True')));
    expect(await check()).toMatchObject({ code: 0 });
  });

  it('tells systemd of a reload and of its end in order, and ends with 0', async () => {
    const told = (lines: number) =>
      until(
        'notifications',
        async () => (await readFile(notifications, 'utf8')).trim().split('\n'),
        (all) => all.length >= lines,
      );
    daemon.child.kill('SIGHUP');
    expect(await told(2)).toEqual([expect.stringMatching(/^RELOADING=1 MONOTONIC_USEC=\d+$/), 'READY=1']);
    daemon.child.kill('SIGTERM');
    expect((await told(3)).slice(2)).toEqual(['STOPPING=1']);
    expect(await daemon.done).toMatchObject({ code: 0 });
  });
});

it('gives steps under way the time they have, in the unit and in compose.yaml', () => {
  const seconds = [
    /^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1],
    /^(\d+)s$/.exec(compose.services.pgherd.stop_grace_period)?.[1],
  ];
  for (const each of seconds) expect(Number(each)).toBeGreaterThan(30);
});
