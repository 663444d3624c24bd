import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { output, run, type Result, type RunOptions } from './run.ts';
import { until } from './until.ts';

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What marks every engine object of one test run, so that all of them can be found and removed. */
export type TestRun = {
  readonly id: string;
  /** `key=value`, for `docker … --label` and for `sweep`. */
  readonly label: string;
  /** The same for `Labels` of the API. */
  readonly labels: Readonly<Record<string, string>>;
};

const RUN_LABEL = 'pgherd.test-run';

export function newRun(): TestRun {
  const id = randomBytes(4).toString('hex');
  return { id, label: `${RUN_LABEL}=${id}`, labels: { [RUN_LABEL]: id } };
}

let found: Promise<string> | undefined;

/** DOCKER_HOST of the engine the tests use: that of the environment, else what examples/quickstart/engine.sh finds. */
export function engineHost(): Promise<string> {
  found ??= findEngine();
  return found;
}

async function findEngine(): Promise<string> {
  const { code, stdout, stderr } = await run(`${ROOT}examples/quickstart/engine.sh`, []);
  const host = stdout.trim();
  if (code !== 0 || host === '') throw new Error(`these tests need a Docker engine, and there is none\n${stderr}`);
  return host;
}

/** Runs the docker CLI on the engine, whatever the exit code. */
export async function dockerResult(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return await run('docker', args, await onEngine(options));
}

/** Runs the docker CLI on the engine and gives standard output less the last newline; throws unless it exits 0. */
export async function docker(...args: readonly string[]): Promise<string> {
  return trimmed(await output('docker', args, await onEngine({})));
}

/** As `docker`, with something on standard input, a time limit, or another DOCKER_HOST in `env`. */
export async function dockerWith(options: RunOptions, ...args: readonly string[]): Promise<string> {
  return trimmed(await output('docker', args, await onEngine(options)));
}

async function onEngine(options: RunOptions): Promise<RunOptions> {
  return { ...options, env: { DOCKER_HOST: await engineHost(), DOCKER_CLI_HINTS: 'false', ...options.env } };
}

/**
 * Pauses a container when one of its health checks has just ended: the next one begins an interval later. Where a pause
 * meets the beginning of an exec, Engine 20.10 never answers for the container again.
 */
export async function pauseBetweenChecks(container: string): Promise<void> {
  const format = '{{with .State.Health}}{{json .Log}}{{end}}';
  const checks = (): Promise<string> => docker('inspect', '--format', format, container);
  const before = await checks();
  if (before !== '') await until(`a health check of ${container} ends`, checks, (now) => now !== before);
  await pause(container);
}

/** Pauses a container. Under load the kernel may not have frozen all of its processes in the time that runc gives it. */
export async function pause(container: string): Promise<void> {
  await until(
    `${container} is paused`,
    () => dockerResult(['pause', container]),
    ({ code }) => code === 0,
  );
}

const trimmed = (text: string): string => text.replace(/\n$/, '');

/** Gives the lines of `docker …`, without empty ones. */
export async function dockerLines(...args: readonly string[]): Promise<readonly string[]> {
  return (await docker(...args)).split('\n').filter((line) => line !== '');
}

/**
 * Removes every container, network and volume that carries the label (`key=value`), and waits until none is left.
 * Safe while others remove them too (AutoRemove).
 */
export async function sweep(label: string): Promise<void> {
  await until(
    `nothing with the label ${label} is left on the engine`,
    async () => await sweepOnce(label),
    (left) => left.length === 0,
    240_000,
  );
}

/** Removes what is there, and gives what it has found and why a removal failed. */
async function sweepOnce(label: string): Promise<readonly string[]> {
  const filter = ['--quiet', '--filter', `label=${label}`];
  // An engine that was killed at the wrong moment may list a container for ever that it does not have any more.
  const listed = await dockerLines('ps', '--all', '--no-trunc', ...filter);
  const known = await Promise.all(
    listed.map((id) => dockerResult(['container', 'inspect', '--format', '{{.Id}}', id])),
  );
  const containers = listed.filter((_, index) => known[index]?.code === 0);
  const reports = await removeEach(containers, (id) => ['rm', '--force', '--volumes', id]);
  const [networks, volumes] = await Promise.all([
    dockerLines('network', 'ls', '--no-trunc', ...filter),
    dockerLines('volume', 'ls', ...filter),
  ]);
  await Promise.all(networks.map(disconnectAll));
  return [
    ...reports,
    ...(await removeEach(networks, (id) => ['network', 'rm', id])),
    ...(await removeEach(volumes, (name) => ['volume', 'rm', '--force', name])),
  ];
}

async function removeEach(
  names: readonly string[],
  command: (name: string) => readonly string[],
): Promise<readonly string[]> {
  return await Promise.all(
    names.map(async (name) => {
      const { code, stderr } = await dockerResult(command(name));
      return `${command(name).join(' ')}: ${code === 0 ? 'done' : stderr.trim()}`;
    }),
  );
}

/** A network cannot be removed while anything is attached to it, also what is not of the run. */
async function disconnectAll(network: string): Promise<void> {
  const { stdout } = await dockerResult([
    'network',
    'inspect',
    '--format',
    '{{range $id, $_ := .Containers}}{{$id}} {{end}}',
    network,
  ]);
  const attached = stdout
    .trim()
    .split(' ')
    .filter((id) => id !== '');
  await Promise.all(attached.map((id) => dockerResult(['network', 'disconnect', '--force', network, id])));
}
