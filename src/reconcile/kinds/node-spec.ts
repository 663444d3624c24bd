import { canonicalJson } from '../../base/canonical.ts';
import type { ContainerSpec } from '../../docker/types.ts';
import { serverPort } from '../../postgres/config.ts';
import type { Layout } from '../../postgres/layout.ts';
import type { Group, Node, Topology } from '../../topology/model.ts';
import { formatLabels } from '../names.ts';

/** Seconds a server has to stop: a fast shutdown with a checkpoint. */
export const nodeStopSeconds = 60;

/** The fields whose change makes a node's container anew, as its label keeps them. */
export function nodeSpecLabel(topology: Topology, node: Node, volume: string): string {
  const { interval, timeout, retries, startPeriod } = node.healthcheck;
  return canonicalJson({
    image: node.image,
    container_name: node.containerName,
    host: node.name,
    volume,
    ...(node.port === undefined ? {} : { port: node.port, bind_address: topology.bindAddress }),
    shm_size: node.shmSize,
    healthcheck: { interval, timeout, retries, start_period: startPeriod },
  });
}

/**
 * A node's container. Hardened: the image's postgres user, no capabilities, a read-only root with the few writable
 * places PostgreSQL needs; no variable, so nothing of pgherd's is in its environment.
 */
export function nodeContainer(
  topology: Topology,
  group: Group,
  node: Node,
  placement: { readonly volume: string; readonly layout: Layout; readonly address: string },
): ContainerSpec {
  const { volume, layout, address } = placement;
  const { interval, timeout, retries, startPeriod } = node.healthcheck;
  return {
    name: node.containerName,
    image: node.image,
    hostname: node.name,
    user: 'postgres',
    entrypoint: ['sh', `${layout.home}/config/start`],
    labels: formatLabels({
      cluster: topology.cluster,
      kind: 'node',
      group: group.name,
      slot: node.slot,
      spec: nodeSpecLabel(topology, node, volume),
    }),
    network: { name: topology.network.name, address, aliases: [node.name] },
    volume: { name: volume, target: layout.mount },
    ...(node.port === undefined
      ? {}
      : { ports: [{ container: serverPort, host: node.port, address: topology.bindAddress }] }),
    tmpfs: { '/tmp': 'mode=1777', '/var/run/postgresql': 'mode=1777' },
    restart: node.restart,
    ...(node.memory === undefined ? {} : { memory: node.memory }),
    ...(node.cpus === undefined ? {} : { cpus: node.cpus }),
    shmSize: node.shmSize,
    // As the first process PostgreSQL takes an orphan's end, as of a health check that was cut short, for a crash of its own.
    init: true,
    readOnly: true,
    dropCapabilities: true,
    stopSignal: 'SIGINT',
    stopTimeout: nodeStopSeconds,
    healthcheck: {
      command: ['sh', `${layout.home}/config/health`],
      interval,
      timeout,
      retries,
      startPeriod,
    },
  };
}
