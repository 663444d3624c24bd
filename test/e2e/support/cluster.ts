import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerLines, engineHost, newRun, ROOT, sweep, type TestRun } from './engine.ts';
import { takePlaces, type Place } from './places.ts';
import { start, type Result, type Running, type RunOptions } from './run.ts';
import { until } from './until.ts';

export type { Result, Running } from './run.ts';

export type PgherdOptions = RunOptions & {
  /** DOCKER_HOST, e.g. a recording proxy's `host`; the test engine's unless given. */
  readonly host?: string;
};

/** A name, addresses, ports and a directory that no other test has, and the CLI to use them with. */
export type TestCluster = {
  /** Unique; goes into `cluster_name`. */
  readonly name: string;
  readonly run: TestRun;
  /** Temporary; removed by `cleanup`. */
  readonly directory: string;
  /** `<directory>/topology.yaml`. */
  readonly file: string;
  /** Free /24s, for `network.subnet` and `network.rw_subnet`. */
  readonly subnet: string;
  readonly rwSubnet: string;
  /** Gives an address of `subnet`: `address(20)` is `10.200.x.20`. */
  address(last: number): string;
  /** Takes free host ports. */
  ports(count: number): Promise<readonly number[]>;
  /** Writes the topology file: text as it stands, anything else as JSON (which is YAML). Gives its path. */
  write(topology: unknown, file?: string): Promise<string>;
  /** Runs `pgherd <args>` in `directory` to its end. */
  pgherd(args: readonly string[], options?: PgherdOptions): Promise<Result>;
  /** Starts `pgherd <args>`, to be killed. */
  spawnPgherd(args: readonly string[], options?: PgherdOptions): Promise<Running>;
  /** Names of its containers, sorted; all of them, also stopped ones. */
  containers(): Promise<readonly string[]>;
  volumes(): Promise<readonly string[]>;
  networks(): Promise<readonly string[]>;
  /** Waits until its lock is gone: the engine may still be at removing that of a run that has ended. */
  untilUnlocked(): Promise<unknown>;
  /** Kills what still runs, removes everything with the run's or the cluster's label, gives ports and subnets back. */
  cleanup(): Promise<void>;
  /** The same, but for what is on the engine: for one that goes itself, and may not get rid of all after it was killed. */
  leave(): Promise<void>;
};

const PROGRAM = `${ROOT}dist/pgherd.js`;

/** Takes a free place on the engine; nothing is created there yet. Call `cleanup` in `afterEach` or `afterAll`. */
export async function newCluster(run: TestRun = newRun()): Promise<TestCluster> {
  const name = `t${newRun().id}`;
  const directory = await mkdtemp(join(tmpdir(), 'pgherd-e2e-'));
  const file = join(directory, 'topology.yaml');
  const [own, write] = await takeTwoPlaces();
  const running = new Set<Running>();

  const spawnPgherd = async (
    args: readonly string[],
    { host, env, ...options }: PgherdOptions = {},
  ): Promise<Running> => {
    const engine = {
      DOCKER_HOST: host ?? (await engineHost()),
      PGHERD_EXTRA_LABELS: run.label,
      XDG_STATE_HOME: join(directory, 'state'),
    };
    const settings = { cwd: directory, ...options, env: { ...engine, ...env } };
    const started = start(process.execPath, [PROGRAM, ...args], settings);
    running.add(started);
    void started.done.finally(() => running.delete(started)).catch(() => undefined);
    return started;
  };
  const killAll = (): Promise<unknown> => Promise.all([...running].map(kill));
  const leave = async (): Promise<void> => {
    await killAll();
    await Promise.all([own.release(), write.release()]);
    await rm(directory, { recursive: true, force: true });
  };
  const named = (...command: readonly string[]): Promise<readonly string[]> => listNames(name, command);

  return {
    name,
    run,
    directory,
    file,
    subnet: own.subnet,
    rwSubnet: write.subnet,
    address: (last) => own.subnet.replace(/0\/24$/, String(last)),
    ports: (count) => own.ports(count),
    write: async (topology, path = file) => {
      await writeFile(path, typeof topology === 'string' ? topology : `${JSON.stringify(topology, null, 2)}\n`);
      return path;
    },
    pgherd: async (args, options) => await (await spawnPgherd(args, options)).done,
    spawnPgherd,
    containers: () => named('ps', '--all', '--format', '{{.Names}}'),
    volumes: () => named('volume', 'ls', '--format', '{{.Name}}'),
    networks: () => named('network', 'ls', '--format', '{{.Name}}'),
    untilUnlocked: () =>
      until(
        `the lock of ${name} is gone`,
        () => dockerLines('ps', '--all', '--filter', `name=^pgherd-lock-${name}$`, '--format', '{{.State}}'),
        (states) => states.length === 0,
      ),
    cleanup: async () => {
      await killAll();
      await sweep(`pgherd.cluster=${name}`);
      await sweep(run.label);
      await leave();
    },
    leave,
  };
}

async function takeTwoPlaces(): Promise<readonly [Place, Place]> {
  const [own, write] = await takePlaces(2);
  if (own === undefined || write === undefined) throw new Error('fewer places than asked for');
  return [own, write];
}

async function kill(running: Running): Promise<void> {
  running.child.kill('SIGKILL');
  await running.done;
}

async function listNames(cluster: string, command: readonly string[]): Promise<readonly string[]> {
  const names = await dockerLines(...command, '--filter', `label=pgherd.cluster=${cluster}`);
  return names.toSorted();
}
