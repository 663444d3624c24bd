import { createStepQueue } from '../../src/reconcile/step-queue.ts';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { scramVerifier } from '../../src/postgres/scram.ts';
import { parseRecord } from '../../src/postgres/record.ts';
import { look } from '../../src/reconcile/look.ts';
import { readPasswords, type Passwords } from '../../src/reconcile/passwords.ts';
import type { Plan } from '../../src/reconcile/plan.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import type { Progress, Result, World } from '../../src/reconcile/work.ts';
import type { Topology } from '../../src/topology/model.ts';
import { databaseOf } from '../bench/fake-engine-programs.ts';
import type { FakeContainer, FakeVolume } from '../bench/fake-engine-state.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { ControllerDied, type FakeCall, type FakeHooks, type FakeWorld } from '../bench/fake-engine.ts';
import { topologyOf } from './support.ts';

/** A topology file, as the data it is made of. */
export type File = {
  readonly network: Readonly<Record<string, string>>;
  readonly onRemove: 'retain' | 'delete';
  readonly password: string | undefined;
  /** Of all groups; absent: as by default. */
  readonly failover?: Readonly<Record<string, unknown>>;
  readonly replication?: Readonly<Record<string, unknown>>;
  readonly groups: readonly FileGroup[];
};

type FileGroup = {
  readonly slots: readonly number[];
  readonly port: boolean;
  readonly memory: string | undefined;
  readonly cpus: number | undefined;
  readonly restart: string | undefined;
  readonly maxConnections: number | undefined;
  readonly workMem: string | undefined;
  readonly children: number | undefined;
  readonly primaryName: string | undefined;
};

const maybe = <T>(...values: readonly T[]): fc.Arbitrary<T | undefined> => fc.constantFrom(undefined, ...values);

const networks: fc.Arbitrary<File['network']> = fc.constantFrom(
  {},
  { subnet: '172.31.0.0/16', rw_subnet: '172.30.255.0/24' },
  { subnet: '10.77.0.0/26' },
  { rw_subnet: '10.78.0.0/28' },
);

const groups: fc.Arbitrary<FileGroup> = fc.record({
  slots: fc.uniqueArray(fc.constantFrom(1, 2, 3), { maxLength: 3 }).map((slots) => slots.toSorted((a, b) => a - b)),
  port: fc.boolean(),
  memory: maybe('256MiB', '512MiB'),
  cpus: maybe(0.5, 1),
  restart: maybe('always', 'unless-stopped'),
  maxConnections: maybe(500, 600),
  workMem: maybe('4MB', '8MB'),
  children: maybe(8, 16),
  primaryName: maybe('first'),
});

const contents = {
  onRemove: fc.constantFrom<File['onRemove']>('retain', 'delete'),
  password: maybe('open sesame', 'pencil'),
  groups: fc.array(groups, { minLength: 1, maxLength: 2 }),
};

export const files: fc.Arbitrary<File> = fc.record({ network: networks, ...contents });

/** A file and what it is edited to; a live subnet cannot change. */
export const edits: fc.Arbitrary<{ readonly from: File; readonly to: File }> = networks.chain((network) =>
  fc.record({
    from: fc.record({ network: fc.constant(network), ...contents }),
    to: fc.record({ network: fc.constant(network), ...contents }),
  }),
);

const parsed = new WeakMap<File, Topology>();

export function toTopology(file: File): Topology {
  const topology = parsed.get(file) ?? parse(file);
  parsed.set(file, topology);
  return topology;
}

function parse({ network, onRemove, password, failover, replication, groups: list }: File): Topology {
  return topologyOf(
    JSON.stringify({
      cluster_name: 'shop',
      ...(failover === undefined ? {} : { failover }),
      ...(replication === undefined ? {} : { replication }),
      ...(Object.keys(network).length === 0 ? {} : { network }),
      volumes: { on_remove: onRemove },
      ...(password === undefined ? {} : { postgres: { password: { env: 'PASSWORD' } } }),
      balancers: list.map((group, index) => ({
        name: `lb${String(index + 1)}`,
        ...(group.port ? { port: 20_000 + index * 100 } : {}),
        ...(group.children === undefined ? {} : { config: { num_init_children: group.children } }),
        primary: {
          ...(group.primaryName === undefined ? {} : { container_name: `${group.primaryName}${String(index)}` }),
          ...(group.port ? { port: 20_001 + index * 100 } : {}),
          ...settingsOf(group),
        },
        replicas: group.slots.map((slot) => ({ node_id: slot, ...settingsOf(group) })),
      })),
    }),
  );
}

function settingsOf({ memory, cpus, restart, maxConnections, workMem }: FileGroup): Record<string, unknown> {
  const parameters = {
    ...(maxConnections === undefined ? {} : { max_connections: maxConnections }),
    ...(workMem === undefined ? {} : { work_mem: workMem }),
  };
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(restart === undefined ? {} : { restart }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
  };
}

export async function passwordsOf(file: File): Promise<Passwords> {
  const env = file.password === undefined ? {} : { PASSWORD: file.password };
  return readPasswords(toTopology(file), { env, readFile: () => Promise.reject(new Error('no files here')) });
}

/** The world outside the engine: its clock is the engine's, its randomness is none. */
export function worldOf(engine: FakeWorld): World {
  let drawn = 0;
  return {
    now: () => engine.now(),
    sleep: async (milliseconds) => {
      engine.advance(milliseconds);
    },
    randomBytes: (size) => {
      drawn += 1;
      return createHash('sha512').update(String(drawn)).digest().subarray(0, size);
    },
    readFile: () => Promise.reject(new Error('no files here')),
  };
}

/** One group of a primary and a replica, nothing else said. */
export const leastFile: File = {
  network: {},
  onRemove: 'retain',
  password: undefined,
  groups: [
    {
      slots: [1],
      port: false,
      memory: undefined,
      cpus: undefined,
      restart: undefined,
      maxConnections: undefined,
      workMem: undefined,
      children: undefined,
      primaryName: undefined,
    },
  ],
};

export type Run = {
  readonly result: Result;
  /** Rounds in which there was something to do. */
  readonly rounds: number;
  readonly progress: readonly Progress[];
  readonly calls: readonly FakeCall[];
};

/**
 * Reconciles once, as `pgherd reconcile --once` does. `hooks` may let the controller die; `over` may put other calls over
 * those of its engine.
 */
export async function run(
  engine: FakeWorld,
  file: File,
  makeHooks: (die: () => void) => FakeHooks = () => ({}),
  over: (engine: Engine) => Partial<Engine> = () => ({}),
): Promise<Run> {
  const progress: Progress[] = [];
  const client = engine.connect(
    makeHooks(() => {
      client.die();
    }),
  );
  const result = await reconcile(
    { ...untilDeath(client.engine), ...over(client.engine) },
    toTopology(file),
    await passwordsOf(file),
    worldOf(engine),
    {
      timeout: 3_600_000,
      signal: new AbortController().signal,
      queue: createStepQueue(16),
      onProgress: (each) => progress.push(each),
    },
  );
  const rounds = progress.filter((each) => each.type === 'planned' && each.plan.steps.length > 0).length;
  return { result, rounds, progress, calls: client.calls };
}

/** Listeners go on beside a run: of a process that has died nothing does. */
function untilDeath(engine: Engine): Engine {
  const execStream: Engine['execStream'] = (...args) =>
    engine.execStream(...args).catch((error: unknown) => {
      if (error instanceof ControllerDied) return new Promise(() => undefined);
      throw error;
    });
  return { ...engine, execStream };
}

export async function planOf(engine: FakeWorld, file: File): Promise<Plan> {
  const { fingerprints } = await passwordsOf(file);
  return (await look(engine.connect().engine, toTopology(file), fingerprints)).plan;
}

const reads: ReadonlySet<string> = new Set([
  'listContainers',
  'inspectContainer',
  'findPortHolder',
  'listNetworks',
  'inspectNetwork',
  'listVolumes',
  'inspectVolume',
  'inspectImage',
  'readLink',
  'pathExists',
  'readArchive',
  'readLogs',
]);

/** Whether a call changes something; to wait for an answer does not. */
export function isMutating({ method, args }: FakeCall): boolean {
  if (method !== 'exec') return !reads.has(method);
  return !JSON.stringify(args[1]).includes('/await');
}

/**
 * What is wrong with a world that should be as the file says, seen from outside pgherd; nothing where it is right. Who
 * leads is not the file's to say.
 */
export function findFaults(engine: FakeWorld, file: File): readonly string[] {
  const topology = toTopology(file);
  const faults: string[] = [];
  const ours = [...engine.containers.values()].filter(({ spec }) => spec.labels['pgherd.cluster'] === 'shop');
  const wanted = topology.groups.flatMap(({ balancer, nodes }) => [
    balancer.containerName,
    ...nodes.map(({ containerName }) => containerName),
  ]);
  const names = ours.map(({ name }) => name).sort();
  if (names.join() !== wanted.toSorted().join()) faults.push(`containers: ${names.join()}, wanted ${wanted.join()}`);
  for (const { name, labels } of engine.volumes.values()) {
    if (Object.keys(labels).length === 0) faults.push(`anonymous volume ${name}`);
  }
  for (const group of topology.groups) {
    const balancer = engine.find(group.balancer.containerName);
    const nodes = group.nodes.map(({ containerName }) => engine.find(containerName));
    if (balancer === undefined || nodes.some((node) => node === undefined)) continue;
    const there = nodes.filter((node) => node !== undefined);
    faults.push(
      ...[balancer, ...there].filter(({ state }) => state !== 'running').map(({ name, state }) => `${name} ${state}`),
    );
    const leader = there.find(({ process }) => process?.serves === 'leader') ?? there[0];
    if (leader === undefined) continue;
    const followers = there.filter((each) => each !== leader);
    const database = databaseOf(leader);
    if (leader.process?.serves !== 'leader') faults.push(`${leader.name} does not lead`);
    const systems = new Set(there.map((node) => databaseOf(node)?.system));
    if (systems.size !== 1) faults.push(`systems: ${[...systems].join()}`);
    faults.push(
      ...followers.filter((each) => each.process?.serves !== 'follower').map(({ name }) => `${name} does not follow`),
    );
    const slots = [...(database?.slots ?? [])].sort().join();
    const wantedSlots = group.nodes
      .filter(({ containerName }) => containerName !== leader.name)
      .map(({ slot }) => `pgherd_${String(slot)}`)
      .join();
    if (slots !== wantedSlots) faults.push(`slots ${slots}, wanted ${wantedSlots}`);
    const write = [balancer, ...there].filter(
      ({ endpoints }) => endpoints.get(topology.network.writeName)?.live !== undefined,
    );
    if (write.map(({ name }) => name).join() !== [balancer, leader].map(({ name }) => name).join()) {
      faults.push(`on the write network: ${write.map(({ name }) => name).join()}`);
    }
    faults.push(...findReaderFaults(topology, balancer, followers), ...findPasswordFaults(file, group.user, there));
  }
  return faults;
}

// No reader may mean the leader, and each follower has one of its own.
function findReaderFaults(
  topology: Topology,
  balancer: FakeContainer,
  followers: readonly FakeContainer[],
): readonly string[] {
  const meant = balancer.hosts.map((line) => (line.includes(':') ? line.split(':')[1] : line.split(' ')[0]) ?? '');
  const wanted = followers.map(({ endpoints }) => endpoints.get(topology.network.name)?.live ?? '');
  return meant.join() === wanted.join() ? [] : [`${balancer.name}: readers ${meant.join()}, wanted ${wanted.join()}`];
}

// Every record names the password that is in force.
function findPasswordFaults(file: File, user: string, nodes: readonly FakeContainer[]): readonly string[] {
  return nodes.flatMap((node) => {
    const home = '/var/lib/postgresql/data/pgherd';
    const record = parseRecord(node.view.read(`${home}/record`) ?? '');
    const verifier = databaseOf(node)?.passwords.get(user) ?? '';
    const salt = Buffer.from(/^SCRAM-SHA-256\$4096:([^$]*)/.exec(verifier)?.[1] ?? '', 'base64');
    if (record === undefined) return [`${node.name} has no record`];
    const recorded = record.secrets.superuser;
    return [
      ...(scramVerifier(recorded, salt) === verifier ? [] : [`${node.name}: its password is not the recorded one`]),
      ...(file.password === undefined || recorded === file.password ? [] : [`${node.name}: not the file's password`]),
    ];
  });
}

/**
 * A world as people see it: what the same file gives however it came about. Generations of volumes may differ, and
 * addresses nobody asked for, which depend on what was free.
 */
export function describeWorld(engine: FakeWorld): readonly string[] {
  const containers = [...engine.containers.values()].map(({ name, spec, state, memory, cpus, restart, endpoints }) =>
    JSON.stringify({
      name,
      state,
      memory,
      cpus,
      restart,
      spec: spec.labels['pgherd.spec']?.replaceAll(/_\d+"/g, '"'),
      networks: [...endpoints.keys()].sort(),
    }),
  );
  const networks = [...engine.networks.values()].map(({ name, subnet }) => `${name} ${subnet}`);
  return [...containers, ...networks].sort();
}

/** Somebody else's container, network and volume on the same engine. */
export async function addForeign(engine: FakeWorld): Promise<() => string> {
  const { engine: client } = engine.connect();
  const labels = { owner: 'someone' };
  await client.createNetwork({ name: 'foreign', labels, internal: false, subnet: '10.99.0.0/24' });
  await client.createVolume('foreign', labels);
  const id = await client.createContainer({
    name: 'foreign',
    image: 'postgres:17',
    entrypoint: ['sleep', 'infinity'],
    labels,
    network: { name: 'foreign', address: '10.99.0.9' },
    volume: { name: 'foreign', target: '/var/lib/postgresql/data' },
  });
  await client.startContainer(id);
  return () => {
    const container = engine.find('foreign');
    const network = [...engine.networks.values()].find(({ name }) => name === 'foreign');
    const { state, startedAt, restart, memory } = container ?? {};
    const mounted = container?.volumes.map(({ volume }) => volume.name);
    return JSON.stringify([
      container?.id,
      state,
      startedAt,
      restart,
      memory,
      mounted,
      network,
      [...(container?.endpoints ?? [])],
    ]);
  };
}

/** Volumes of which nothing may be lost: a clone that was cut short is not one. */
export function volumesWithData(engine: FakeWorld): readonly FakeVolume[] {
  return [...engine.volumes.values()].filter(({ database, tree }) => {
    const state = tree.get('/pgherd/state');
    return database !== undefined && !(state?.type === 'link' && state.target === 'cloning');
  });
}

/** Something that happens to a cluster behind pgherd's back, to its n-th container. */
export type Drift = { readonly what: (typeof drifts)[number]; readonly nth: number };

const drifts = [
  'stop',
  'kill',
  'remove',
  'pause',
  'crash',
  'leave the network',
  'leave the write network',
  'join the write network',
  'memory',
  'policy',
  'clone cut short',
  'networks removed',
] as const;

export const someDrift: fc.Arbitrary<readonly Drift[]> = fc.array(
  fc.record({ what: fc.constantFrom(...drifts), nth: fc.nat(9) }),
  { maxLength: 4 },
);

export async function apply(engine: FakeWorld, { what, nth }: Drift): Promise<void> {
  const { engine: hand } = engine.connect();
  const ours = await hand.listContainers({ 'pgherd.cluster': 'shop' });
  const container = ours[nth % ours.length];
  if (container === undefined) return;
  const { id, networks: joined } = container;
  const leave = async (network: string): Promise<void> => {
    if (joined[network] !== undefined) await hand.disconnectNetwork(network, id).catch(() => undefined);
  };
  const isFollower = container.labels['pgherd.kind'] === 'node' && container.labels['pgherd.node'] !== '0';
  if (what === 'stop') await hand.stopContainer(id, 1);
  else if (what === 'kill') await hand.killContainer(id, 'SIGKILL').catch(() => undefined);
  else if (what === 'remove') await hand.removeContainer(id);
  else if (what === 'pause') engine.pause(id);
  else if (what === 'crash') engine.crash(id);
  else if (what === 'leave the network') await leave('shop');
  else if (what === 'leave the write network') await leave('shop_rw');
  else if (what === 'join the write network') await hand.connectNetwork('shop_rw', id, {}).catch(() => undefined);
  else if (what === 'memory') await hand.updateContainer(id, { memory: 64 * 2 ** 20 });
  else if (what === 'policy') await hand.updateContainer(id, { restart: 'on-failure' });
  else if (what === 'clone cut short' && isFollower) {
    await hand.stopContainer(id, 1);
    const link = { type: 'link', path: 'pgherd/state', target: 'cloning' } as const;
    await hand.writeArchive(id, '/var/lib/postgresql/data', [link], 999);
    // Nothing of its own was ever in it.
    for (const { volume } of engine.containers.get(id)?.volumes ?? []) volume.database = undefined;
  } else if (what === 'networks removed') {
    for (const { id: each, networks: all } of ours) {
      for (const network of Object.keys(all)) await hand.disconnectNetwork(network, each).catch(() => undefined);
    }
    for (const network of ['shop', 'shop_rw']) await hand.removeNetwork(network).catch(() => undefined);
  }
}
