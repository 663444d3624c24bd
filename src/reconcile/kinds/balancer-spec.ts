import { canonicalJson } from '../../base/canonical.ts';
import { pcpPort, restApiPort, sqlPort } from '../../balancer/config.ts';
import { toExtraHosts } from '../../balancer/hosts.ts';
import { home } from '../../balancer/revision.ts';
import type { ContainerSpec } from '../../docker/types.ts';
import type { Balancer } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import { formatLabels } from '../names.ts';
import { followers } from './readers.ts';

/**
 * The address of a container that has just gone answers nothing, and the kernel goes on asking for half a minute, with
 * every new session waiting. Two questions, 3 s, are enough on a bridge.
 * Source: https://docs.kernel.org/networking/ip-sysctl.html
 */
const balancerSysctls = { 'net.ipv4.tcp_syn_retries': '1' };

/** Seconds a balancer has to end its sessions. */
export const balancerStopSeconds = 10;

/** The user that the images of a flavor run their balancer as. */
export function balancerUser({ flavor }: Balancer): string {
  return flavor === 'pgpool' ? 'postgres' : 'pgbalancer';
}

export function balancerContainer(context: GroupContext, address: string): ContainerSpec {
  const { topology, group } = context;
  const { balancer } = group;
  const ports = [
    { container: sqlPort, host: balancer.port },
    { container: pcpPort, host: balancer.pcpPort },
    { container: restApiPort, host: balancer.restApiPort },
  ];
  return {
    name: balancer.containerName,
    image: balancer.image,
    hostname: group.name,
    user: balancerUser(balancer),
    entrypoint: ['sh', `${home}/config/start`],
    labels: formatLabels({
      cluster: topology.cluster,
      kind: 'balancer',
      group: group.name,
      spec: balancerSpecLabel(context),
    }),
    network: { name: topology.network.name, address, aliases: [group.name] },
    ports: ports.flatMap(({ container, host }) =>
      host === undefined ? [] : [{ container, host, address: topology.bindAddress }],
    ),
    tmpfs: { '/tmp': 'mode=1777' },
    // What a restart without pgherd falls back to: every replica under its own name.
    extraHosts: toExtraHosts(followers(context, undefined).map((replica) => replica.address)),
    restart: balancer.restart,
    ...(balancer.memory === undefined ? {} : { memory: balancer.memory }),
    ...(balancer.cpus === undefined ? {} : { cpus: balancer.cpus }),
    dropCapabilities: true,
    sysctls: balancerSysctls,
    stopSignal: 'SIGINT',
    stopTimeout: balancerStopSeconds,
    healthcheck: { command: ['sh', `${home}/config/health`], interval: 10, timeout: 6, retries: 3, startPeriod: 30 },
  };
}

/** The fields whose change makes a balancer's container anew, as its label keeps them. */
export function balancerSpecLabel({ topology, group }: GroupContext): string {
  const { balancer } = group;
  return canonicalJson({
    image: balancer.image,
    container_name: balancer.containerName,
    flavor: balancer.flavor,
    ...(balancer.port === undefined ? {} : { port: balancer.port }),
    ...(balancer.pcpPort === undefined ? {} : { pcp_port: balancer.pcpPort }),
    ...(balancer.restApiPort === undefined ? {} : { rest_api_port: balancer.restApiPort }),
    bind_address: topology.bindAddress,
  });
}
