import { dirname, resolve as resolvePath } from 'node:path';
import { planConnections, type Budget } from './budget.ts';
import { defaults } from './fields.gen.ts';
import type { Balancer, Group, Healthcheck, Node, PasswordSource, Topology } from './model.ts';
import type { Path } from './path.ts';
import type * as Raw from './types.gen.ts';
import { parseDuration, parseSize } from './units.ts';

/** Where in the file each part of a topology comes from; a replica that is only a number comes from that number. */
export type Origins = ReadonlyMap<Group | Node | Balancer, Path>;

export type Resolved = {
  readonly topology: Topology;
  readonly origins: Origins;
  readonly budgets: ReadonlyMap<Group, Budget>;
};

/** Settings in which the inner layer wins; parameters and the health check are merged key by key. */
type Layer = Pick<
  Raw.Postgres,
  'image' | 'parameters' | 'hba' | 'memory' | 'cpus' | 'shm_size' | 'healthcheck' | 'restart'
>;

/**
 * The topology that a file of the right shape describes, every default filled in. Relative paths start at the file's
 * directory; `cwd` is where the file's own path starts.
 */
export function resolveTopology(raw: Raw.TopologyFile, file: string, cwd: string): Resolved {
  const origins = new Map<Group | Node | Balancer, Path>();
  const budgets = new Map<Group, Budget>();
  const directory = dirname(resolvePath(cwd, file));
  const networkName = raw.network?.name ?? raw.cluster_name;
  const groups = raw.balancers.map((balancer, index) => {
    const resolved = resolveGroup(raw, balancer, ['balancers', index], directory, origins);
    budgets.set(resolved.group, resolved.budget);
    return resolved.group;
  });
  const [first, ...others] = groups;
  if (first === undefined) throw new RangeError('a topology without balancers');
  const topology: Topology = {
    file,
    cluster: raw.cluster_name,
    schemaVersion: raw.schema_version ?? defaults.schema_version,
    network: {
      name: networkName,
      subnet: raw.network?.subnet,
      writeName: raw.network?.rw_name ?? `${networkName}_rw`,
      writeSubnet: raw.network?.rw_subnet,
    },
    bindAddress: raw.bind_address ?? defaults.bind_address,
    volumes: { onRemove: raw.volumes?.on_remove ?? defaults.volumes.on_remove },
    ignoreChanges: raw.ignore_changes ?? defaults.ignore_changes,
    groups: [first, ...others],
  };
  return { topology, origins, budgets };
}

function resolveGroup(
  raw: Raw.TopologyFile,
  balancer: Raw.Balancer,
  path: Path,
  directory: string,
  origins: Map<Group | Node | Balancer, Path>,
): { group: Group; budget: Budget } {
  const top = raw.postgres ?? {};
  const own = balancer.postgres ?? {};
  const drafts = listNodes(balancer, path);
  const layered = drafts.map((draft) => ({ ...draft, parameters: mergeParameters([top, own, draft.node]) }));
  const budget = planConnections({
    ...readPool(balancer.config ?? {}),
    replicas: drafts.length - 1,
    maxConnections: firstNumber(layered.map(({ parameters }) => parameters['max_connections'])),
    reserved: countReserved(layered.map(({ parameters }) => parameters)),
  });
  const nodes = layered.map(({ node, slot, origin, parameters }) => {
    const name = node.host ?? (slot === 0 ? `${balancer.name}-primary` : `${balancer.name}-replica${slot}`);
    const resolved: Node = {
      name,
      slot,
      containerName: node.container_name ?? `${raw.cluster_name}-${name}`,
      address: node.ip_address,
      port: node.port,
      ...resolveLayers([top, own, node]),
      parameters: { ...parameters, max_connections: parameters['max_connections'] ?? String(budget.maxConnections) },
    };
    origins.set(resolved, origin);
    return resolved;
  });
  const [primary, ...replicas] = nodes;
  if (primary === undefined) throw new RangeError('a group without a primary');
  const resolvedBalancer = resolveBalancer(raw, balancer, budget);
  origins.set(resolvedBalancer, path);
  const failover = { ...defaults.failover, ...raw.failover, ...balancer.failover };
  const replication = { ...defaults.replication, ...raw.replication, ...balancer.replication };
  const rollout = { ...defaults.rollout, ...raw.rollout, ...balancer.rollout };
  const group: Group = {
    name: balancer.name,
    balancer: resolvedBalancer,
    user: own.user ?? top.user ?? defaults.postgres.user,
    database: own.database ?? top.database ?? defaults.postgres.database,
    password: resolvePassword(own.password ?? top.password, directory),
    initScripts: (own.init_scripts ?? top.init_scripts ?? []).map((script) => resolvePath(directory, script)),
    nodes: [primary, ...replicas.toSorted((a, b) => a.slot - b.slot)],
    replication: {
      mode: replication.mode,
      syncReplicas: replication.sync_replicas,
      durability: replication.durability,
    },
    failover: {
      mode: failover.mode,
      delay: parseDuration(failover.delay),
      maxLag: sizeOf(balancer.failover?.max_lag ?? raw.failover?.max_lag),
    },
    rollout: { maxUnavailable: rollout.max_unavailable, primary: rollout.primary },
  };
  origins.set(group, path);
  return { group, budget };
}

function resolveBalancer(raw: Raw.TopologyFile, balancer: Raw.Balancer, budget: Budget): Balancer {
  return {
    containerName: balancer.container_name ?? `${raw.cluster_name}-${balancer.name}`,
    address: balancer.ip_address,
    port: balancer.port,
    pcpPort: balancer.pcp_port,
    restApiPort: balancer.rest_api_port,
    image: balancer.image ?? defaults.balancers.image,
    flavor: balancer.flavor ?? defaults.balancers.flavor,
    config: {
      num_init_children: String(budget.children),
      max_pool: String(budget.pool),
      ...mergeParameters([{ parameters: balancer.config }]),
    },
    ...(balancer.weight === undefined ? {} : { weight: balancer.weight }),
    memory: sizeOf(balancer.memory),
    cpus: balancer.cpus,
    restart: balancer.restart ?? defaults.balancers.restart,
  };
}

type Draft = { readonly node: Raw.Primary; readonly slot: number; readonly origin: Path };

/** The primary and the replicas with their slots. */
function listNodes(balancer: Raw.Balancer, path: Path): Draft[] {
  const primary = { node: balancer.primary ?? {}, slot: 0, origin: [...path, 'primary'] };
  const replicas = balancer.replicas ?? defaults.balancers.replicas;
  if (typeof replicas === 'number') {
    const numbered = Array.from({ length: replicas }, (_, index) => index + 1);
    return [primary, ...numbered.map((slot) => ({ node: {}, slot, origin: [...path, 'replicas'] }))];
  }
  const slots = assignSlots(replicas.map(({ node_id }) => node_id));
  const listed = replicas.map(({ node_id, ...node }, index) => {
    const slot = slots[index] ?? node_id ?? 0;
    return { node, slot, origin: [...path, 'replicas', index] };
  });
  return [primary, ...listed];
}

/** The slots of replicas by their `node_id`; one without takes the lowest that is free. */
export function assignSlots(given: readonly (number | undefined)[]): readonly number[] {
  const taken = new Set(given);
  let next = 1;
  return given.map((slot) => {
    while (slot === undefined && taken.has(next)) next++;
    return slot ?? next++;
  });
}

type NodeSettings = Omit<Node, 'name' | 'slot' | 'containerName' | 'address' | 'port' | 'parameters'>;

function resolveLayers(layers: readonly Layer[]): NodeSettings {
  const take = <K extends keyof Layer>(key: K) => layers.findLast((layer) => layer[key] !== undefined)?.[key];
  return {
    image: take('image') ?? defaults.postgres.image,
    hba: take('hba') ?? defaults.postgres.hba,
    memory: sizeOf(take('memory')),
    cpus: take('cpus'),
    shmSize: parseSize(take('shm_size') ?? defaults.postgres.shm_size),
    healthcheck: resolveHealthcheck(layers),
    restart: take('restart') ?? defaults.postgres.restart,
  };
}

function resolveHealthcheck(layers: readonly Layer[]): Healthcheck {
  const take = <K extends keyof Raw.Healthcheck>(key: K) =>
    layers.findLast(({ healthcheck }) => healthcheck?.[key] !== undefined)?.healthcheck?.[key];
  const standard = defaults.postgres.healthcheck;
  return {
    interval: parseDuration(take('interval') ?? standard.interval),
    timeout: parseDuration(take('timeout') ?? standard.timeout),
    retries: take('retries') ?? standard.retries,
    startPeriod: parseDuration(take('start_period') ?? standard.start_period),
  };
}

/** Names in lower case, as PostgreSQL and pgpool compare them; values as they read them. */
function mergeParameters(
  layers: readonly { readonly parameters?: Raw.PostgresParameters | undefined }[],
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const { parameters } of layers) {
    for (const [name, value] of Object.entries(parameters ?? {})) merged[name.toLowerCase()] = writeValue(value);
  }
  return merged;
}

function writeValue(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}

function resolvePassword(password: Raw.Password | undefined, directory: string): PasswordSource {
  if (password?.file !== undefined) return { from: 'file', path: resolvePath(directory, password.file) };
  if (password?.env !== undefined) return { from: 'env', name: password.env };
  return { from: 'generate' };
}

function sizeOf(size: number | string | undefined): number | undefined {
  return size === undefined ? undefined : parseSize(size);
}

function readPool(config: Raw.PostgresParameters): { children: number | undefined; pool: number | undefined } {
  const merged = mergeParameters([{ parameters: config }]);
  return { children: firstNumber([merged['num_init_children']]), pool: firstNumber([merged['max_pool']]) };
}

function countReserved(nodes: readonly Readonly<Record<string, string>>[]): number {
  const most = (name: string, otherwise: number) =>
    Math.max(...nodes.map((node) => firstNumber([node[name]]) ?? otherwise));
  return most('superuser_reserved_connections', 3) + most('reserved_connections', 0);
}

/** The first that is a whole number; what else may stand there is for the rules to report. */
function firstNumber(texts: readonly (string | undefined)[]): number | undefined {
  const found = texts.find((text) => text !== undefined && /^[0-9]{1,9}$/.test(text));
  return found === undefined ? undefined : Number(found);
}
