import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { output, run, start, type Running } from './run.ts';
import { until } from './until.ts';

const PROGRAMS = ['unshare', 'nsenter', 'bash', 'ip', 'dockerd'];

/** An engine of its own takes root on Linux, and some programs. */
function assertCanStart(): void {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const missing = PROGRAMS.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  if (process.getuid?.() !== 0) throw new Error('this test starts an engine of its own, which takes root');
  if (missing.length > 0) throw new Error(`this test starts an engine of its own, which takes ${missing.join(', ')}`);
}

const NAMESPACES = ['--mount', '--net', '--pid'];

/**
 * The first process of the engine's namespaces. What is mounted there goes with them, and all other processes go with
 * this one, which ends when its standard input does: at the latest with the test's process. It is a shell that collects
 * processes whose parents have gone, as no engine starts beside a containerd that has ended and was not collected.
 */
const FIRST = 'ip link set lo up && mount -t tmpfs tmpfs /run && echo ready && read -r';

const LIMIT_MS = 60_000;

type Process = { readonly running: Running; readonly pid: number };

/** An engine of the test's own, that may be killed: with data, networks, containerd and processes of its own. */
export class PrivateEngine {
  /** For DOCKER_HOST. */
  readonly host: string;
  readonly #directory: string;
  /** What keeps the namespaces, and the first process in them. */
  readonly #place: Process;
  #dockerd: Process | undefined;

  private constructor(directory: string, place: Process) {
    this.#directory = directory;
    this.#place = place;
    this.host = `unix://${join(directory, 'docker.sock')}`;
  }

  /** Makes the place for it; it is not started yet. */
  static async create(): Promise<PrivateEngine> {
    assertCanStart();
    const directory = await mkdtemp(join(tmpdir(), 'pgherd-engine-'));
    const unshare = ['--fork', '--kill-child', '--mount-proc', ...NAMESPACES, 'bash', '-c', FIRST];
    const running = start('unshare', unshare, { input: { open: true } });
    await until(
      'the namespaces are there',
      () => running.stdout() + running.stderr(),
      (said) => said === 'ready\n',
    );
    const engine = new PrivateEngine(directory, { running, pid: await childOf(running) });
    await engine.#configure(false);
    return engine;
  }

  get isRunning(): boolean {
    return this.#dockerd !== undefined;
  }

  /** Starts it; done when it answers. Throws with the end of its log where it does not. */
  async start(): Promise<void> {
    if (this.#dockerd !== undefined) throw new Error('the engine runs already');
    const directory = this.#directory;
    // The /run of its namespaces hides the sockets and pid files of every other engine and containerd.
    const script = `exec dockerd --config-file ${directory}/daemon.json --data-root ${directory}/data \
      --exec-root /run/engine --pidfile /run/engine.pid --host ${this.host} >>${directory}/log 2>&1`;
    const running = start('nsenter', ['--target', String(this.#place.pid), ...NAMESPACES, 'bash', '-c', script]);
    const pid = await until('the engine has a process', () => childOf(running), Number.isInteger);
    this.#dockerd = { running, pid };
    const isUp = await until(
      'the engine answers, or has ended',
      async () => (hasEnded(running) ? undefined : (await this.#docker('version')).code === 0),
      (state) => state !== false,
      LIMIT_MS,
    );
    if (isUp === true) return;
    this.#dockerd = undefined;
    const log = await readFile(join(directory, 'log'), 'utf8');
    throw new Error(`the engine does not start:\n${log.split('\n').slice(-20).join('\n')}`);
  }

  /** Has the containers of the running engine outlive it from now on, or not; at first they do not. */
  async setLiveRestore(isOn: boolean): Promise<void> {
    await this.#configure(isOn);
    process.kill(this.#running().pid, 'SIGHUP');
    await until(
      `live-restore is ${isOn ? 'on' : 'off'}`,
      async () => (await this.#docker('info', '--format', '{{.LiveRestoreEnabled}}')).stdout.trim(),
      (said) => said === String(isOn),
    );
  }

  /** As `kill -9`; done when its containerd has ended too, as no engine starts before that. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** By SIGTERM; done when it and its containerd have ended. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Copies images of another engine. */
  async load(images: readonly string[], from: string): Promise<void> {
    const script = 'set -o pipefail; docker --host "$0" save "${@:2}" | docker --host "$1" load';
    await output('bash', ['-c', script, from, this.host, ...images]);
  }

  /** Ends it and all processes it has started, and removes what it has written. */
  async cleanup(): Promise<void> {
    this.#place.running.child.stdin?.end();
    await this.#place.running.done;
    await this.#dockerd?.running.done;
    const groups = ['-depth', '-type', 'd', '-path', `*/${basename(this.#directory)}*`];
    await output('find', ['/sys/fs/cgroup', ...groups, '-exec', 'rmdir', '{}', '+']);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #configure(liveRestore: boolean): Promise<void> {
    const settings = { 'live-restore': liveRestore, 'cgroup-parent': `/${basename(this.#directory)}` };
    return writeFile(join(this.#directory, 'daemon.json'), JSON.stringify(settings));
  }

  #running(): Process {
    if (this.#dockerd === undefined) throw new Error('the engine does not run');
    return this.#dockerd;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const { pid, running } = this.#running();
    const root = `/proc/${String(this.#place.pid)}/root`;
    const containerd = (await readFile(`${root}/run/engine/containerd/containerd.pid`, 'utf8')).trim();
    process.kill(pid, signal);
    const isOver = (): boolean => hasEnded(running) && !existsSync(`${root}/proc/${containerd}`);
    await until('the engine and its containerd have ended', isOver, Boolean, LIMIT_MS);
    this.#dockerd = undefined;
  }

  #docker(...args: readonly string[]): ReturnType<typeof run> {
    return run('docker', args, { env: { DOCKER_HOST: this.host } });
  }
}

/** The child of a process that has one: `unshare` and `nsenter` run their program in it. */
async function childOf({ child }: Running): Promise<number> {
  const pid = String(child.pid);
  return Number.parseInt(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10);
}

function hasEnded({ child }: Running): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
