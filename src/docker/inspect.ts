import type Docker from 'dockerode';
import { orNull } from './reply.ts';
import { containerStates, type Container, type ContainerState, type Network, type Volume } from './types.ts';

/**
 * The engine's inspect as pgherd compares it.
 * Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerInspect
 */
export function mapContainer(raw: Docker.ContainerInspectInfo): Container {
  const host = raw.HostConfig;
  return {
    id: raw.Id,
    name: raw.Name.replace(/^\//, ''),
    labels: raw.Config.Labels,
    image: raw.Config.Image,
    state: mapState(raw.State),
    exitCode: raw.State.ExitCode,
    restartCount: raw.RestartCount,
    startedAt: epoch(raw.State.StartedAt),
    createdAt: epoch(raw.Created),
    health: mapHealth(raw.State.Health),
    restart: mapRestart(host.RestartPolicy?.Name),
    extraHosts: mapExtraHosts(host.ExtraHosts),
    memory: host.Memory ?? 0,
    cpus: (host.NanoCpus ?? 0) / 1e9,
    networks: mapEndpoints(raw.NetworkSettings.Networks),
    volumes: mapVolumes(raw.Mounts),
    postgresMajor: readMajor(raw.Config.Env),
  };
}

/**
 * What the engine's list tells of a container, which it tells whatever else is done to that one; the rest is left blank.
 * Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerList
 */
export function mapListed(listed: Docker.ContainerInfo): Container {
  return {
    id: listed.Id,
    name: (listed.Names[0] ?? '').replace(/^\//, ''),
    labels: listed.Labels,
    image: listed.Image,
    state: containerStates.find((each) => each === listed.State) ?? 'exited',
    exitCode: 0,
    restartCount: 0,
    startedAt: 0,
    createdAt: listed.Created * 1000,
    health: { status: 'none', output: '' },
    restart: 'no',
    extraHosts: [],
    memory: 0,
    cpus: 0,
    networks: mapEndpoints(listed.NetworkSettings.Networks),
    volumes: mapVolumes(listed.Mounts),
    isBusy: true,
  };
}

/**
 * The major version of PostgreSQL by the variable that the official image has, and whatever is built on it.
 * Source: https://github.com/docker-library/postgres/blob/master/Dockerfile-debian.template
 */
export function readMajor(env: unknown): number | undefined {
  const variables = Array.isArray(env) ? env.map(String) : [];
  const [, major] = variables.map((each) => /^PG_MAJOR=(\d{1,3})$/.exec(each)).find((each) => each !== null) ?? [];
  return major === undefined ? undefined : Number(major);
}

export function mapNetwork(raw: Docker.NetworkInspectInfo): Network {
  return {
    id: raw.Id,
    name: raw.Name,
    labels: raw.Labels ?? {},
    internal: raw.Internal,
    subnets: (orNull(raw.IPAM?.Config) ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet])),
  };
}

export function mapVolume(raw: Docker.VolumeInspectInfo): Volume {
  const createdAt = 'CreatedAt' in raw && typeof raw.CreatedAt === 'string' ? raw.CreatedAt : '';
  return { name: raw.Name, labels: orNull(raw.Labels) ?? {}, createdAt };
}

// A restarting container also says Running, so the flags are asked in this order.
function mapState(state: Docker.ContainerInspectInfo['State']): ContainerState {
  if (state.Dead) return 'dead';
  if (state.Restarting) return 'restarting';
  if (state.Paused) return 'paused';
  if (state.Running) return 'running';
  if (state.Status === 'removing') return 'removing';
  return state.Status === 'created' ? 'created' : 'exited';
}

function mapHealth(health: Docker.ContainerInspectInfo['State']['Health']): Container['health'] {
  if (health === undefined) return { status: 'none', output: '' };
  const last = orNull(health.Log)?.at(-1);
  const status = health.Status;
  return {
    status: status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none',
    output: last?.Output.trim() ?? '',
  };
}

function mapVolumes(
  mounts: readonly { readonly Type?: string; readonly Name?: string | undefined; readonly Destination: string }[],
): Container['volumes'] {
  return mounts
    .filter((mount) => mount.Type === 'volume')
    .map((mount) => ({ name: mount.Name ?? '', target: mount.Destination }))
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

function mapExtraHosts(hosts: unknown): readonly string[] {
  return Array.isArray(hosts) ? hosts.map(String) : [];
}

function mapRestart(name: string | undefined): Container['restart'] {
  return name === 'always' || name === 'unless-stopped' || name === 'on-failure' ? name : 'no';
}

function mapEndpoints(networks: Docker.ContainerInspectInfo['NetworkSettings']['Networks']): Container['networks'] {
  const endpoints: Record<string, Container['networks'][string]> = {};
  for (const [name, endpoint] of Object.entries(networks)) {
    endpoints[name] = { networkId: endpoint.NetworkID, address: readAddress(endpoint.IPAMConfig) };
  }
  return endpoints;
}

function readAddress(config: unknown): string | undefined {
  if (config === null || typeof config !== 'object' || !('IPv4Address' in config)) return undefined;
  return typeof config.IPv4Address === 'string' && config.IPv4Address !== '' ? config.IPv4Address : undefined;
}

// The engine writes year 1 for 'never'.
function epoch(time: string): number {
  const value = Date.parse(time);
  return Number.isNaN(value) || value < 0 ? 0 : value;
}
