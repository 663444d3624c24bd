import type { Container, ContainerSpec, ContainerState } from '../../src/docker/types.ts';
import { FakeTree, FakeView } from './fake-engine-files.ts';

/** The database cluster in a volume's `pgdata`, as far as pgherd can tell one from another. */
export type FakeDatabase = {
  readonly system: string;
  timeline: number;
  /** Where timelines ended that it came through. */
  forks: readonly { readonly timeline: number; readonly lsn: number }[];
  /** Marks of the leaders it came through, the newest first. */
  reigns: readonly string[];
  /** `standby.signal` is there. */
  isStandby: boolean;
  /** The last it has is its leader's word that it shut down. */
  isShut: boolean;
  /** Physical replication slots; a clone has none. */
  readonly slots: Set<string>;
  /** Verifiers by role. */
  readonly passwords: Map<string, string>;
  /** What users wrote, so that a test sees whether it is still there. */
  readonly rows: string[];
  /** The settings that the WAL replayed so far asks a standby to have at least. */
  bounds: readonly number[];
};

export type FakeVolume = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly tree: FakeTree;
  database: FakeDatabase | undefined;
};

export type FakeNetwork = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly subnet: string;
  /** Fixed addresses need a subnet that was given. */
  readonly isGiven: boolean;
};

export type FakeEndpoint = {
  /** Empty until the container was first started with it, and after a connect that failed. */
  networkId: string;
  readonly address: string | undefined;
  /** The address in use while running. */
  live: string | undefined;
};

export type FakeImage = {
  readonly id: string;
  readonly volumes: readonly string[];
  readonly postgresMajor?: number;
  readonly files: Readonly<Record<string, string>>;
};

/** What a container's process does. */
export type FakeProcess = {
  /** Exit code after a stop signal. */
  readonly stopCode: number;
  /** A PostgreSQL server that accepts connections. */
  serves?: 'leader' | 'follower';
  /** It is told to stop in order. */
  readonly stop?: (seconds: number) => void | Promise<void>;
  /** Told after every change of the world; a clone or a former leader that waits for its leader goes on here. */
  readonly proceed?: () => void;
};

export class FakeContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly createdAt: number;
  readonly tree: FakeTree;
  readonly volumes: readonly { readonly target: string; readonly volume: FakeVolume }[];
  readonly endpoints = new Map<string, FakeEndpoint>();
  state: ContainerState = 'created';
  exitCode = 0;
  restartCount = 0;
  startedAt = 0;
  memory: number;
  cpus: number;
  restart: NonNullable<ContainerSpec['restart']>;
  process: FakeProcess | undefined;
  log = '';
  /** Lines of /etc/hosts that a start resets. */
  hosts: readonly string[] = [];
  /** What the last event about it said. */
  toldHealth: Container['health']['status'] = 'none';
  readonly attached = new Set<() => void>();
  /** Heartbeats that run in it, told after every change of the world, with the milliseconds that passed. */
  readonly heartbeats = new Set<(passed: number) => void>();
  /** Standard input was attached once, and has been closed. */
  inputEnded = false;
  #view: FakeView | undefined;

  constructor(id: string, spec: ContainerSpec, createdAt: number, image: FakeImage, volumes: FakeContainer['volumes']) {
    this.id = id;
    this.spec = spec;
    this.createdAt = createdAt;
    this.tree = new FakeTree(image.files);
    this.volumes = volumes;
    this.memory = spec.memory ?? 0;
    this.cpus = spec.cpus ?? 0;
    this.restart = spec.restart ?? 'no';
    if (spec.network !== 'none') {
      this.endpoints.set(spec.network.name, { networkId: '', address: spec.network.address, live: undefined });
    }
  }

  get name(): string {
    return this.spec.name;
  }

  get isUp(): boolean {
    return this.state === 'running' || this.state === 'paused';
  }

  get view(): FakeView {
    this.#view ??= new FakeView(
      this.tree,
      this.volumes.map(({ target, volume }) => ({ target, tree: volume.tree })),
    );
    return this.#view;
  }

  /** The same in another world, with the volumes of that. */
  copy(volumeOf: (name: string) => FakeVolume | undefined): FakeContainer {
    const volumes = this.volumes.map(({ target, volume }) => ({ target, volume: volumeOf(volume.name) ?? volume }));
    const copy = new FakeContainer(this.id, this.spec, this.createdAt, { id: '', volumes: [], files: {} }, volumes);
    for (const [path, entry] of this.tree.entries) copy.tree.put(path, entry);
    copy.endpoints.clear();
    for (const [name, endpoint] of this.endpoints) copy.endpoints.set(name, { ...endpoint });
    const { state, exitCode, restartCount, startedAt, memory, cpus, restart, log, hosts, toldHealth, inputEnded } =
      this;
    return Object.assign(copy, {
      ...{ state, exitCode, restartCount, startedAt, memory, cpus, restart, log, hosts, toldHealth, inputEnded },
      process: this.process === undefined ? undefined : { ...this.process },
    });
  }

  say(line: string): void {
    this.log += `${line}\n`;
  }
}
