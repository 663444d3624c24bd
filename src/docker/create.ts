import type Docker from 'dockerode';
import type { ContainerSpec } from './types.ts';

const second = 1_000_000_000;

/**
 * The body of a create call.
 * Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerCreate
 */
export function toCreateOptions(spec: ContainerSpec): Docker.ContainerCreateOptions {
  return {
    name: spec.name,
    Image: spec.image,
    Labels: { ...spec.labels },
    ...(spec.hostname === undefined ? {} : { Hostname: spec.hostname }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.stopTimeout === undefined ? {} : { StopTimeout: spec.stopTimeout }),
    ...(spec.stdinOnce === true ? { OpenStdin: true, StdinOnce: true, AttachStdin: true } : {}),
    ...(spec.healthcheck === undefined ? {} : { Healthcheck: toHealthcheck(spec.healthcheck) }),
    ExposedPorts: Object.fromEntries((spec.ports ?? []).map((port) => [`${String(port.container)}/tcp`, {}])),
    HostConfig: toHostConfig(spec),
    ...(spec.network === 'none' ? {} : { NetworkingConfig: toNetworking(spec.network) }),
  };
}

function toHealthcheck(check: NonNullable<ContainerSpec['healthcheck']>): Docker.HealthConfig {
  return {
    Test: ['CMD', ...check.command],
    Interval: check.interval * second,
    Timeout: check.timeout * second,
    Retries: check.retries,
    StartPeriod: check.startPeriod * second,
  };
}

function toHostConfig(spec: ContainerSpec): Docker.HostConfig {
  return {
    NetworkMode: spec.network === 'none' ? 'none' : spec.network.name,
    RestartPolicy: { Name: spec.restart ?? 'no' },
    PortBindings: Object.fromEntries(
      (spec.ports ?? []).map((port) => [
        `${String(port.container)}/tcp`,
        [{ HostIp: port.address, HostPort: String(port.host) }],
      ]),
    ),
    ...(spec.volume === undefined
      ? {}
      : { Mounts: [{ Type: 'volume', Source: spec.volume.name, Target: spec.volume.target }] }),
    ...(spec.tmpfs === undefined ? {} : { Tmpfs: { ...spec.tmpfs } }),
    ...(spec.extraHosts === undefined ? {} : { ExtraHosts: [...spec.extraHosts] }),
    ...(spec.memory === undefined ? {} : { Memory: spec.memory }),
    ...(spec.cpus === undefined ? {} : { NanoCpus: Math.round(spec.cpus * 1e9) }),
    ...(spec.shmSize === undefined ? {} : { ShmSize: spec.shmSize }),
    ...(spec.sysctls === undefined ? {} : { Sysctls: { ...spec.sysctls } }),
    ...(spec.init === true ? { Init: true } : {}),
    ...(spec.readOnly === true ? { ReadonlyRootfs: true } : {}),
    ...(spec.dropCapabilities === true ? { CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] } : {}),
    ...(spec.autoRemove === true ? { AutoRemove: true } : {}),
  };
}

function toNetworking(
  network: Exclude<ContainerSpec['network'], 'none'>,
): Docker.ContainerCreateOptions['NetworkingConfig'] {
  return { EndpointsConfig: { [network.name]: toEndpoint(network) } };
}

/** An endpoint as create and connect take it. */
export function toEndpoint(endpoint: {
  readonly address?: string;
  readonly aliases?: readonly string[];
}): Docker.EndpointSettings {
  return {
    ...(endpoint.address === undefined ? {} : { IPAMConfig: { IPv4Address: endpoint.address } }),
    ...(endpoint.aliases === undefined ? {} : { Aliases: [...endpoint.aliases] }),
  };
}
