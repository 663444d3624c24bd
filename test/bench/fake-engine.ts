import { createHash } from 'node:crypto';
import type { ArchiveEntry } from '../../src/base/archive.ts';
import { formatCidr, formatIpv4, parseCidr, parseIpv4, subnetsOverlap, type Cidr } from '../../src/base/ipv4.ts';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import type { Attachment, Engine, EngineEvent, ExecCommand } from '../../src/docker/engine.ts';
import { statusOf, toFailure } from '../../src/docker/failure.ts';
import type { Container, ContainerSpec, ExecResult, Network, Volume } from '../../src/docker/types.ts';
import { baseName, FakeTree, join, parent } from './fake-engine-files.ts';
import { isHealthy, runCommand, startProcess, type Surroundings } from './fake-engine-programs.ts';
import {
  FakeContainer,
  type FakeEndpoint,
  type FakeImage,
  type FakeNetwork,
  type FakeVolume,
} from './fake-engine-state.ts';
import { FakeEvents, streamCommand } from './fake-engine-streams.ts';

type Calls = Omit<Engine, 'host'>;
type Method = keyof Calls;

/** A call to the engine, in the order in which they are made. */
export type FakeCall = { readonly index: number; readonly method: Method; readonly args: readonly unknown[] };

/** Told of every call of one client; what they throw, the caller gets. */
export type FakeHooks = {
  /** The engine has not done anything yet. */
  readonly before?: (call: FakeCall) => void;
  /** The engine has done it, and the answer is on its way. */
  readonly after?: (call: FakeCall) => void;
};

/** One controller's connection. */
export type FakeClient = {
  readonly engine: Engine;
  /** Every call made so far. */
  readonly calls: readonly FakeCall[];
  /** The process dies: whatever it still asks for fails, and what it holds open closes. */
  readonly die: () => void;
  /** What it holds open closes. */
  readonly disconnect: () => void;
};

/** Thrown at everything a dead controller asks for. */
export class ControllerDied extends Error {
  override readonly name = 'ControllerDied';
}

const host = 'fake://';

const passwd = (user: string, id: number): string =>
  `root:x:0:0::/:/bin/sh\n${user}:x:${String(id)}:${String(id)}::/:/bin/sh\n`;

/** The images of the tests' real engine. */
export const fakeImages: Readonly<Record<string, FakeImage>> = {
  'postgres:17': {
    id: 'sha256:postgres17',
    volumes: ['/var/lib/postgresql/data'],
    postgresMajor: 17,
    files: { '/etc/passwd': passwd('postgres', 999), '/var/lib/postgresql/data/.keep': '' },
  },
  'pgbalancer:latest': { id: 'sha256:pgbalancer', volumes: [], files: { '/etc/passwd': passwd('pgbalancer', 999) } },
};

/** What runs in containers. */
export type FakePrograms = {
  readonly start: (container: FakeContainer, around: Surroundings) => FakeContainer['process'];
  readonly exec: (container: FakeContainer, command: ExecCommand, around: Surroundings) => Promise<ExecResult>;
  readonly stream: typeof streamCommand;
  readonly isHealthy: (container: FakeContainer, around: Surroundings) => boolean;
  /** Of files that do not stand in the tree. */
  readonly pathExists: (container: FakeContainer, path: string) => boolean;
};

/** The clock of a world, and what its restart policies wait for. */
export type FakeTime = {
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** A call takes a moment. */
  readonly tick: () => void;
  /** A container is to be started again after a while. */
  readonly restartLater: (container: FakeContainer) => void;
};

/** Programs that take no time; those that wait are asked again. */
const quickPrograms: FakePrograms = {
  start: startProcess,
  exec: async (container, command, around) => {
    for (let left = patience; ; left -= 1) {
      const ran = runCommand(container, command, around);
      if (!('waiting' in ran)) return ran;
      if (command.signal?.aborted === true) throw command.signal.reason;
      if (!container.isUp) return { code: 137, stdout: '', stderr: '' };
      if (left === 0) return { code: 1, stdout: '', stderr: `${ran.waiting}\n` };
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  stream: streamCommand,
  isHealthy,
  pathExists: databasePathExists,
};

/** A clock that stands still but for calls and `advance`. */
function stillTime(): FakeTime & { readonly add: (milliseconds: number) => void } {
  let now = Date.parse('2026-01-01T00:00:00Z');
  return {
    now: () => now,
    tick: () => {
      now += 1;
    },
    add: (milliseconds) => {
      now += milliseconds;
    },
    restartLater: () => undefined,
  };
}

/** How often a script that waits looks again before its time is over; time is not real here. */
const patience = 60;

/**
 * An engine in memory: what pgherd asks of one, with the states, refusals and texts of Docker 20.10, and of its own
 * scripts no more than what they leave in volumes. The contract in `engine-contract.ts` holds it against a real one.
 * The same seed and calls give the same world.
 */
export class FakeWorld {
  readonly containers = new Map<string, FakeContainer>();
  readonly networks = new Map<string, FakeNetwork>();
  readonly volumes = new Map<string, FakeVolume>();
  readonly images = new Map<string, FakeImage>(Object.entries(fakeImages));
  /** Images that a registry would give. */
  readonly pullable = new Map<string, FakeImage>();
  /** Ports of the host that something else listens on. */
  readonly busyPorts = new Set<number>();
  /** Milliseconds until Docker's health check has been run after a start. */
  healthAfter = 10_000;
  #count = 0;
  readonly #time: FakeTime;
  readonly #still = stillTime();
  readonly #programs: FakePrograms;
  #random: number;
  /** What programs see of it. */
  readonly around: Surroundings;
  readonly #events = new FakeEvents();

  /** `time`, `programs`: for who has a clock that goes by itself, and servers that take their time. */
  constructor(
    seed = 1,
    { time, programs }: { readonly time?: FakeTime | undefined; readonly programs?: FakePrograms | undefined } = {},
  ) {
    this.#random = seed;
    this.#time = time ?? this.#still;
    this.#programs = programs ?? quickPrograms;
    this.around = {
      reach: (from, address) => this.#reach(from, address),
      exit: (container, code) => {
        this.#end(container, code, true);
      },
      containers: () => [...this.containers.values()],
      newSystemIdentifier: () => String(7_000_000_000_000_000_000n + BigInt(++this.#count)),
    };
  }

  /** Milliseconds; every call takes one. */
  now(): number {
    return this.#time.now();
  }

  /** Another world that begins as this one is, with whatever runs here left to `programs` to take up. */
  copy(seed: number, parts: { readonly time: FakeTime; readonly programs: FakePrograms }): FakeWorld {
    const copy = new FakeWorld(seed, parts);
    copy.#count = this.#count;
    copy.healthAfter = this.healthAfter;
    for (const [name, image] of this.images) copy.images.set(name, image);
    for (const [id, network] of this.networks) copy.networks.set(id, network);
    for (const [name, volume] of this.volumes) copy.volumes.set(name, { ...volume, tree: volume.tree.copy() });
    for (const [id, container] of this.containers) {
      copy.containers.set(
        id,
        container.copy((name) => copy.volumes.get(name)),
      );
    }
    return copy;
  }

  /** By a restart policy; where it cannot be started it stays down. */
  restart(container: FakeContainer): void {
    if (container.state !== 'restarting' || this.containers.get(container.id) !== container) return;
    container.restartCount += 1;
    this.#startIfPossible(container);
  }

  #startIfPossible(container: FakeContainer): void {
    try {
      this.#start(container);
    } catch {
      container.state = 'exited';
    }
  }

  /** The engine ends, and everything that runs with it. */
  goDown(): void {
    for (const container of [...this.containers.values()]) {
      if (container.isUp || container.state === 'restarting') this.#end(container, 137, false);
    }
  }

  /** The engine is back: it starts what its policy has come back, `order` says in which order. */
  comeUp(order: (containers: readonly FakeContainer[]) => readonly FakeContainer[] = (all) => all): void {
    const back = [...this.containers.values()].filter(
      ({ restart, startedAt, state }) => restart === 'always' && startedAt > 0 && state === 'exited',
    );
    for (const container of order(back)) {
      container.restartCount = 0;
      this.#startIfPossible(container);
    }
  }

  /** Lets time pass, in which the engine restarts what its policy says. */
  advance(milliseconds: number): void {
    this.#still.add(milliseconds);
    for (const container of this.containers.values()) this.restart(container);
    this.#proceed(milliseconds);
    for (const container of this.containers.values()) this.#tellHealth(container);
  }

  find(ref: string): FakeContainer | undefined {
    return this.containers.get(ref) ?? [...this.containers.values()].find(({ name }) => name === ref);
  }

  /** By hand, what the Engine type has no call for. */
  pause(ref: string): void {
    const container = this.find(ref);
    if (container?.state !== 'running') return;
    container.state = 'paused';
    this.#tell(container, 'pause');
  }

  /** The container's process ends by itself, as after a crash of the server. */
  crash(ref: string, code = 2): void {
    const container = this.find(ref);
    if (container?.isUp !== true) return;
    this.#end(container, code, true);
    this.#proceed();
  }

  /** A controller, or a person with the docker command. */
  connect(hooks: FakeHooks = {}): FakeClient {
    const calls: FakeCall[] = [];
    const attachments = new Set<() => void>();
    let isDead = false;
    const assertAlive = (): void => {
      if (isDead) throw new ControllerDied('the controller is dead');
    };
    const make = async <T>(method: Method, args: readonly unknown[], call: () => Promise<T>): Promise<T> => {
      assertAlive();
      const made: FakeCall = { index: calls.length, method, args };
      calls.push(made);
      await this.#turn();
      assertAlive();
      hooks.before?.(made);
      this.#time.tick();
      const asked = args.map((arg) => (typeof arg === 'string' ? arg : nameOf(arg))).join(' ');
      const answer = await call().catch((thrown: unknown) => {
        throw toThrow(thrown, `${method} ${asked}`);
      });
      this.#proceed();
      hooks.after?.(made);
      await this.#turn();
      assertAlive();
      return answer;
    };
    const raw = this.#calls(attachments);
    const methods = Object.keys(raw) as Method[];
    const guarded = methods.map((method) => {
      const call = raw[method] as (...args: unknown[]) => Promise<unknown>;
      return [method, (...args: unknown[]) => make(method, args, () => call(...args))];
    });
    return {
      engine: { host, ...(Object.fromEntries(guarded) as Calls) },
      calls,
      die: () => {
        isDead = true;
        for (const close of [...attachments]) close();
      },
      disconnect: () => {
        for (const close of [...attachments]) close();
      },
    };
  }

  // ---- calls

  #calls(attachments: Set<() => void>): Calls {
    const inspect = (container: FakeContainer): Container => this.#inspect(container);
    return {
      listContainers: async (labels, onInspected) => {
        const found = [...this.containers.values()].filter(({ spec }) => bears(spec.labels, labels)).map(inspect);
        for (const container of found) onInspected?.(container);
        return found.sort(byName);
      },
      inspectContainer: async (ref) => {
        const container = this.find(ref);
        return container === undefined ? undefined : inspect(container);
      },
      findPortHolder: async (port) => this.#portHolder(port)?.name,
      createContainer: async (spec) => this.#create(spec),
      startContainer: async (ref) => {
        const container = this.#container(ref);
        if (container.state === 'paused') throw reply(409, 'cannot start a paused container, try unpause instead');
        if (container.state === 'running' || container.state === 'restarting') return;
        container.restartCount = 0;
        this.#start(container);
      },
      stopContainer: async (ref, seconds) => {
        const container = this.find(ref);
        if (container === undefined || (!container.isUp && container.state !== 'restarting')) return;
        if (container.isUp) this.#tell(container, 'kill', { signal: '15' });
        const { process } = container;
        await process?.stop?.(seconds);
        // It ended by itself meanwhile, or was started again.
        if (container.process !== process) return;
        this.#proceed();
        this.#end(container, container.process?.stopCode ?? container.exitCode, false);
        this.#tell(container, 'stop');
      },
      unpauseContainer: async (ref) => {
        const container = this.find(ref);
        if (container === undefined) return;
        if (container.state !== 'paused') throw reply(500, `Container ${container.id} is not paused`);
        container.state = 'running';
        this.#tell(container, 'unpause');
      },
      killContainer: async (ref, signal) => {
        const container = this.find(ref);
        if (container === undefined) return;
        const why = `Container ${container.id} is not running`;
        // One that the engine is about to restart counts as running.
        if (!container.isUp && container.state !== 'restarting') {
          throw reply(409, `Cannot kill container: ${ref}: ${why}`);
        }
        this.#tell(container, 'kill', { signal: signal === 'SIGKILL' ? '9' : '1' });
        if (signal === 'SIGKILL') this.#end(container, 137, false);
      },
      removeContainer: async (ref) => {
        const container = this.find(ref);
        if (container === undefined) return;
        if (container.isUp) {
          this.#tell(container, 'kill', { signal: '9' });
          this.#end(container, 137, false);
        }
        this.#destroy(container);
      },
      updateContainer: async (ref, limits) => {
        this.#update(this.#container(ref), limits);
      },
      readLogs: async (ref, lines) => {
        const said = this.#container(ref).log.split('\n').slice(0, -1);
        return said
          .slice(-lines)
          .map((line) => `${line}\n`)
          .join('');
      },
      listNetworks: async (labels = {}) =>
        [...this.networks.values()]
          .filter((network) => bears(network.labels, labels))
          .map(mapNetwork)
          .sort(byName),
      inspectNetwork: async (ref) => {
        const network = this.#findNetwork(ref);
        return network === undefined ? undefined : mapNetwork(network);
      },
      createNetwork: async (spec) => this.#createNetwork(spec),
      removeNetwork: async (ref) => {
        const network = this.#findNetwork(ref);
        if (network === undefined) return;
        const which = `network ${network.name} id ${network.id}`;
        if (this.#endpointsOn(network).length > 0) {
          throw reply(403, `error while removing network: ${which} has active endpoints`);
        }
        this.networks.delete(network.id);
        this.#tellNetwork(network, 'destroy');
      },
      connectNetwork: async (ref, name, { address }) => {
        const container = this.#container(name);
        const network = this.#findNetwork(ref);
        // A container that does not run may be told of a network that is not there.
        if (network !== undefined) this.#connect(network, container, address);
        else if (container.isUp) throw reply(404, `network ${ref} not found`);
        else container.endpoints.set(ref, { networkId: '', address, live: undefined });
      },
      disconnectNetwork: async (network, container) => {
        this.#disconnect(network, container);
      },
      listVolumes: async (labels) =>
        [...this.volumes.values()]
          .filter((volume) => bears(volume.labels, labels))
          .map(mapVolume)
          .sort(byName),
      inspectVolume: async (name) => {
        const volume = this.volumes.get(name);
        return volume === undefined ? undefined : mapVolume(volume);
      },
      createVolume: async (name, labels) => mapVolume(this.#provideVolume(name, labels)),
      removeVolume: async (name) => {
        const volume = this.volumes.get(name);
        const user = [...this.containers.values()].find((each) => each.volumes.some((one) => one.volume === volume));
        if (user !== undefined) throw reply(409, `remove ${name}: volume is in use - [${user.id}]`);
        if (this.volumes.delete(name)) this.#tellVolume(name, 'destroy');
      },
      listVolumeUsers: async () => {
        const users = [...this.containers.values()].flatMap(({ name, volumes }) =>
          volumes.map(({ volume }) => ({ volume: volume.name, name })),
        );
        const namesOf = (volume: string): readonly string[] =>
          users.flatMap((each) => (each.volume === volume ? [each.name] : [])).sort();
        return new Map(users.map(({ volume }) => [volume, namesOf(volume)]));
      },
      inspectImage: async (ref) => {
        const image = this.images.get(ref);
        return image && { id: image.id, volumes: image.volumes, postgresMajor: image.postgresMajor };
      },
      pullImage: async (ref) => {
        const image = this.pullable.get(ref);
        if (image === undefined) {
          const message = `image ${ref} is not on the engine and cannot be pulled`;
          throw new PgherdError('image-missing', message, { remedy: 'pull or build it' });
        }
        this.images.set(ref, image);
      },
      readLink: async (ref, path) => {
        const target = this.find(ref)?.view.link(path);
        // The engine tells where it leads in the container, not what stands in the link.
        return target === undefined ? undefined : join(parent(path), target);
      },
      pathExists: async (ref, path) => {
        const container = this.find(ref);
        if (container === undefined) return false;
        return container.view.get(path) !== undefined || this.#programs.pathExists(container, path);
      },
      readArchive: async (ref, path) => {
        const container = this.find(ref);
        const files = container === undefined ? undefined : readFiles(container, path);
        if (container !== undefined && files !== undefined) this.#tell(container, 'archive-path');
        return files;
      },
      writeArchive: async (ref, folder, entries) => {
        const container = this.#container(ref);
        writeFiles(container, folder, entries);
        this.#tell(container, 'extract-to-dir');
      },
      exec: async (ref, command) => {
        const container = this.#container(ref);
        this.#startExec(container);
        const result = await this.#programs.exec(container, command, this.around);
        this.#tell(container, 'exec_die', { exitCode: String(result.code) });
        return result;
      },
      execStream: async (ref, command, signal) => {
        const container = this.#container(ref);
        this.#startExec(container);
        return this.#programs.stream(container, command, this.around, signal, attachments);
      },
      attachInput: async (ref) => {
        const container = this.#container(ref);
        this.#tell(container, 'attach');
        return this.#attach(container, attachments);
      },
      watchEvents: async (filter, signal) => this.#events.watch(filter, signal, attachments),
    };
  }

  // A few turns of the event loop, so that calls made together come in any order, and in the same one every time.
  async #turn(): Promise<void> {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) >>> 0;
    for (let turns = (this.#random >>> 16) % 4; turns >= 0; turns -= 1) await Promise.resolve();
  }

  #nextId(name: string): string {
    this.#count += 1;
    return createHash('sha256')
      .update(`${name} ${String(this.#count)}`)
      .digest('hex');
  }

  #proceed(passed = 0): void {
    for (const container of [...this.containers.values()]) container.process?.proceed?.();
    for (const { heartbeats } of this.containers.values()) for (const beat of heartbeats) beat(passed);
  }

  // ---- events

  #tell(container: FakeContainer, action: string, more: EngineEvent['attributes'] = {}): void {
    const { id, name, spec } = container;
    const attributes = { ...spec.labels, image: spec.image, name, ...more };
    this.#events.tell({ type: 'container', action, id, attributes, at: this.now() });
  }

  #tellNetwork({ id, name }: FakeNetwork, action: string, more: EngineEvent['attributes'] = {}): void {
    const attributes = { name, type: 'bridge', ...more };
    this.#events.tell({ type: 'network', action, id, attributes, at: this.now() });
  }

  #tellVolume(name: string, action: string): void {
    this.#events.tell({ type: 'volume', action, id: name, attributes: { driver: 'local' }, at: this.now() });
  }

  #tellHealth(container: FakeContainer): void {
    const health = this.#healthOf(container);
    if (!container.isUp || health === container.toldHealth) return;
    container.toldHealth = health;
    if (health === 'healthy' || health === 'unhealthy') this.#tell(container, 'health_status');
  }

  // ---- containers

  #container(ref: string): FakeContainer {
    const container = this.find(ref);
    if (container === undefined) throw reply(404, `No such container: ${ref}`);
    return container;
  }

  #inspect(container: FakeContainer): Container {
    return {
      id: container.id,
      name: container.name,
      labels: container.spec.labels,
      image: container.spec.image,
      state: container.state,
      exitCode: container.exitCode,
      restartCount: container.restartCount,
      startedAt: container.startedAt,
      createdAt: container.createdAt,
      health: { status: this.#healthOf(container), output: '' },
      extraHosts: container.spec.extraHosts ?? [],
      restart: container.restart,
      memory: container.memory,
      cpus: container.cpus,
      networks: Object.fromEntries(
        [...container.endpoints].map(([name, { networkId, address }]) => [name, { networkId, address }]),
      ),
      volumes: container.volumes
        .map(({ target, volume }) => ({ name: volume.name, target }))
        .sort((a, b) => (a.target < b.target ? -1 : 1)),
      postgresMajor: this.images.get(container.spec.image)?.postgresMajor,
    };
  }

  #healthOf(container: FakeContainer): Container['health']['status'] {
    if (container.spec.healthcheck === undefined || container.startedAt === 0) return 'none';
    if (!container.isUp) return 'unhealthy';
    if (this.now() - container.startedAt < this.healthAfter) return 'starting';
    return this.#programs.isHealthy(container, this.around) ? 'healthy' : 'unhealthy';
  }

  #create(spec: ContainerSpec): string {
    const holder = this.find(spec.name);
    if (holder !== undefined) {
      const conflict = `Conflict. The container name "/${spec.name}" is already in use by container "${holder.id}"`;
      throw reply(409, `${conflict}. You have to remove (or rename) that container to be able to reuse that name.`);
    }
    const image = this.images.get(spec.image);
    if (image === undefined) throw reply(404, `No such image: ${spec.image}`);
    const covered = new Set([...Object.keys(spec.tmpfs ?? {}), spec.volume?.target]);
    // A named volume that is not there is made, without a label; a declared one that nothing covers is anonymous.
    const anonymous = image.volumes.filter((path) => !covered.has(path));
    const mounted = [
      ...(spec.volume === undefined ? [] : [{ target: spec.volume.target, name: spec.volume.name }]),
      ...anonymous.map((target) => ({ target, name: this.#nextId(target) })),
    ];
    const volumes = mounted.map(({ target, name }) => ({
      target,
      volume: this.#provideVolume(name, {}),
    }));
    const container = new FakeContainer(this.#nextId(spec.name), spec, this.now(), image, volumes);
    this.containers.set(container.id, container);
    this.#tell(container, 'create');
    return container.id;
  }

  // Nothing has happened where it throws, but for the exit code.
  #start(container: FakeContainer): void {
    try {
      const networks = [...container.endpoints].map(([name, endpoint]) => {
        const network = endpoint.networkId === '' ? this.#network(name) : this.#network(endpoint.networkId);
        this.#assertFree(network, endpoint.address, container);
        return { network, endpoint };
      });
      for (const { host: port, address } of container.spec.ports ?? []) {
        if (this.#portHolder(port) === undefined && !this.busyPorts.has(port)) continue;
        const bind = `Bind for ${address}:${String(port)} failed: port is already allocated`;
        throw reply(500, `driver failed programming external connectivity on endpoint ${container.name}: ${bind}`);
      }
      for (const { network, endpoint } of networks) this.#join(network, endpoint, container);
    } catch (error) {
      for (const endpoint of container.endpoints.values()) endpoint.live = undefined;
      container.exitCode = 128;
      throw error;
    }
    container.state = 'running';
    container.exitCode = 0;
    this.#time.tick();
    container.startedAt = this.now();
    container.hosts = container.spec.extraHosts ?? [];
    container.toldHealth = 'starting';
    this.#tell(container, 'start');
    container.process = this.#programs.start(container, this.around);
  }

  // `byItself`: not by a call, so that the restart policy counts.
  #end(container: FakeContainer, code: number, byItself: boolean): void {
    const wasUp = container.isUp;
    container.state = 'exited';
    container.exitCode = code;
    container.process = undefined;
    const left = [...container.endpoints.values()].filter(({ live }) => live !== undefined);
    for (const endpoint of left) endpoint.live = undefined;
    for (const close of [...container.attached]) close();
    if (wasUp) this.#tell(container, 'die', { exitCode: String(code) });
    for (const { networkId } of left) {
      const network = this.networks.get(networkId);
      if (network !== undefined) this.#tellNetwork(network, 'disconnect', { container: container.id });
    }
    if (container.spec.autoRemove === true) this.#destroy(container);
    else if (byItself && container.restart !== 'no') {
      container.state = 'restarting';
      this.#time.restartLater(container);
    }
  }

  #destroy(container: FakeContainer): void {
    if (this.containers.delete(container.id)) this.#tell(container, 'destroy');
  }

  #update(
    container: FakeContainer,
    limits: { readonly memory?: number; readonly cpus?: number; readonly restart?: Container['restart'] },
  ): void {
    if (limits.memory !== undefined && limits.memory < 6 * 2 ** 20) {
      throw reply(400, 'Minimum memory limit allowed is 6MB');
    }
    if (limits.restart !== undefined && container.spec.autoRemove === true) {
      const why = 'Restart policy cannot be updated because AutoRemove is enabled for the container';
      throw reply(400, why);
    }
    container.memory = limits.memory ?? container.memory;
    container.cpus = limits.cpus ?? container.cpus;
    container.restart = limits.restart ?? container.restart;
    this.#tell(container, 'update');
  }

  #portHolder(port: number): FakeContainer | undefined {
    return [...this.containers.values()].find(
      (each) => each.isUp && (each.spec.ports ?? []).some((published) => published.host === port),
    );
  }

  #startExec(container: FakeContainer): void {
    if (container.state === 'paused') {
      throw reply(409, `Container ${container.name} is paused, unpause the container before exec`);
    }
    if (container.state !== 'running') throw reply(409, `Container ${container.id} is not running`);
    this.#tell(container, 'exec_create');
    this.#tell(container, 'exec_start');
  }

  #attach(container: FakeContainer, attachments: Set<() => void>): Attachment {
    let close = (): void => undefined;
    const closed = new Promise<void>((resolve) => {
      close = () => {
        attachments.delete(close);
        container.attached.delete(close);
        resolve();
        container.inputEnded = true;
        if (container.spec.stdinOnce === true && container.isUp) this.#end(container, 0, true);
      };
    });
    attachments.add(close);
    container.attached.add(close);
    return {
      write: () => {
        if (container.spec.entrypoint?.[0] === 'head' && container.isUp) this.#end(container, 0, true);
      },
      close: () => {
        close();
      },
      closed,
    };
  }

  // ---- networks

  #findNetwork(ref: string): FakeNetwork | undefined {
    return this.networks.get(ref) ?? [...this.networks.values()].find(({ name }) => name === ref);
  }

  #network(ref: string): FakeNetwork {
    const network = this.#findNetwork(ref);
    if (network === undefined) throw reply(404, `network ${ref} not found`);
    return network;
  }

  #createNetwork(spec: Parameters<Engine['createNetwork']>[0]): string {
    if ([...this.networks.values()].some(({ name }) => name === spec.name)) {
      throw reply(409, `network with name ${spec.name} already exists`);
    }
    const subnet = spec.subnet ?? this.#freePool();
    if (this.#isTaken(toCidr(subnet))) throw reply(403, 'Pool overlaps with other one on this address space');
    const id = this.#nextId(spec.name);
    const { name, labels, internal } = spec;
    const network = { id, name, labels, internal, subnet, isGiven: spec.subnet !== undefined };
    this.networks.set(id, network);
    this.#tellNetwork(network, 'create');
    return id;
  }

  #freePool(): string {
    const pools = Array.from({ length: 14 }, (_, index) => `172.${String(18 + index)}.0.0/16`);
    const free = pools.find((pool) => !this.#isTaken(toCidr(pool)));
    if (free !== undefined) return free;
    const which = 'IPv4 address pool among the defaults to assign to the network';
    throw reply(404, `could not find an available, non-overlapping ${which}`);
  }

  #isTaken(subnet: Cidr): boolean {
    return [...this.networks.values()].some((other) => subnetsOverlap(toCidr(other.subnet), subnet));
  }

  #endpointsOn(network: FakeNetwork): readonly FakeEndpoint[] {
    return [...this.containers.values()]
      .flatMap((container) => [...container.endpoints.values()])
      .filter(({ networkId, live }) => networkId === network.id && live !== undefined);
  }

  #assertFree(network: FakeNetwork, address: string | undefined, container: FakeContainer): void {
    if (address === undefined) return;
    if (!network.isGiven) {
      const where = 'when connecting to networks with user configured subnets';
      throw reply(400, `user specified IP address is supported only ${where}`);
    }
    const { first, last } = toCidr(network.subnet);
    const number = parseIpv4(address) ?? -1;
    if (number < first || number > last) {
      throw reply(500, `Invalid address ${address}: It does not belong to any of this network's subnets`);
    }
    const own = container.endpoints.get(network.name)?.live;
    const isGateway = number === first + 1;
    const isHeld = own !== address && this.#endpointsOn(network).some(({ live }) => live === address);
    if (isGateway || isHeld) throw reply(403, 'Address already in use');
  }

  #join(network: FakeNetwork, endpoint: FakeEndpoint, { id }: FakeContainer): void {
    endpoint.networkId = network.id;
    endpoint.live = endpoint.address ?? this.#freeAddress(network);
    this.#tellNetwork(network, 'connect', { container: id });
  }

  #freeAddress(network: FakeNetwork): string {
    const { first, last } = toCidr(network.subnet);
    const used = new Set(this.#endpointsOn(network).map(({ live }) => live));
    for (let address = first + 2; address < last; address += 1) {
      if (!used.has(formatIpv4(address))) return formatIpv4(address);
    }
    throw reply(500, 'no available IPv4 addresses on this network');
  }

  #connect(network: FakeNetwork, container: FakeContainer, address: string | undefined): void {
    const present = container.endpoints.get(network.name);
    if (!container.isUp) {
      // A stopped container that is attached already keeps what it has, and the engine says nothing.
      if (present === undefined) container.endpoints.set(network.name, { networkId: '', address, live: undefined });
      return;
    }
    if (present?.live !== undefined) {
      throw reply(403, `endpoint with name ${container.name} already exists in network ${network.name}`);
    }
    const endpoint: FakeEndpoint = { networkId: '', address, live: undefined };
    // It stays there, without a network, when the address is refused.
    if (address === undefined || network.isGiven) container.endpoints.set(network.name, endpoint);
    this.#assertFree(network, address, container);
    this.#join(network, endpoint, container);
  }

  #disconnect(ref: string, name: string): void {
    const container = this.find(name);
    if (container === undefined) throw reply(404, `endpoint ${name} not found`);
    const network = this.#findNetwork(ref);
    const endpoint = container.endpoints.get(network?.name ?? '');
    if (network === undefined || endpoint === undefined || (container.isUp && endpoint.live === undefined)) return;
    container.endpoints.delete(network.name);
    this.#tellNetwork(network, 'disconnect', { container: container.id });
  }

  #reach(from: FakeContainer, address: string): FakeContainer | undefined {
    const own = new Set(
      [...from.endpoints.values()].flatMap(({ networkId, live }) => (live === undefined ? [] : [networkId])),
    );
    return [...this.containers.values()].find(
      (each) =>
        each.state === 'running' &&
        [...each.endpoints.values()].some(({ networkId, live }) => live === address && own.has(networkId)),
    );
  }

  // ---- volumes

  // The engine tells of a volume as created also where it was there.
  #provideVolume(name: string, labels: Readonly<Record<string, string>>): FakeVolume {
    const volume = this.volumes.get(name) ?? this.#makeVolume(name, labels);
    this.#tellVolume(name, 'create');
    return volume;
  }

  #makeVolume(name: string, labels: Readonly<Record<string, string>>): FakeVolume {
    const createdAt = new Date(this.now()).toISOString();
    const volume: FakeVolume = { name, labels, createdAt, tree: new FakeTree(), database: undefined };
    this.volumes.set(name, volume);
    return volume;
  }
}

/** What dockerode throws for a reply. */
function reply(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${String(statusCode)}) ${message}`), { statusCode, json: { message } });
}

// A bug of the double is none of the engine's failures.
function toThrow(thrown: unknown, what: string): unknown {
  const isTold = statusOf(thrown) !== undefined || thrown instanceof InterruptedError || thrown instanceof DOMException;
  return isTold ? toFailure(thrown, { what, host }) : thrown;
}

function nameOf(arg: unknown): string {
  return arg !== null && typeof arg === 'object' && 'name' in arg ? String(arg.name) : '';
}

function toCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw reply(400, `invalid CIDR address: ${text}`);
  return cidr;
}

function bears(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function mapNetwork({ id, name, labels, internal, subnet }: FakeNetwork): Network {
  return { id, name, labels, internal, subnets: [formatCidr(toCidr(subnet))] };
}

function mapVolume({ name, labels, createdAt }: FakeVolume): Volume {
  return { name, labels, createdAt };
}

function databasePathExists({ volumes }: FakeContainer, path: string): boolean {
  return volumes.some(({ target, volume: { database } }) => {
    if (database === undefined || !path.startsWith(`${target}/pgdata/`)) return false;
    return path.endsWith('/PG_VERSION') || (path.endsWith('/standby.signal') && database.isStandby);
  });
}

function readFiles(container: FakeContainer, path: string): ReadonlyMap<string, string> | undefined {
  const { view } = container;
  const entry = view.get(path);
  if (entry === undefined) return undefined;
  if (entry.type === 'file') return new Map([[baseName(path), entry.content]]);
  if (entry.type === 'link') return new Map();
  const top = parent(path);
  return new Map(
    view.below(path).flatMap((each) => {
      const found = view.get(each);
      return found?.type === 'file' ? [[each.slice(join(top, '').length), found.content] as const] : [];
    }),
  );
}

function writeFiles(container: FakeContainer, folder: string, entries: readonly ArchiveEntry[]): void {
  const { view } = container;
  const isFolder = view.get(folder)?.type === 'directory' || view.isMounted(folder);
  if (!isFolder) throw reply(404, `Could not find the file ${folder} in container ${container.name}`);
  if (container.spec.readOnly === true && !view.isMounted(folder)) {
    throw reply(403, 'container rootfs is marked read-only');
  }
  for (const entry of entries) {
    const path = join(folder, entry.path);
    if (entry.type === 'file') view.put(path, { type: 'file', content: entry.content.toString() });
    else if (entry.type === 'link') view.put(path, { type: 'link', target: entry.target });
    else view.put(path, { type: 'directory' });
  }
}
