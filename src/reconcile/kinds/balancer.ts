import { canonicalJson, digest } from '../../base/canonical.ts';
import { parseParameters, pcpPort, restApiPort, sqlPort, type BalancerConfig } from '../../balancer/config.ts';
import { mapReaders, toExtraHosts, toHostsLines, type Replica } from '../../balancer/hosts.ts';
import { balancerRevision, home, type BalancerRevision } from '../../balancer/revision.ts';
import type { Container, ContainerSpec } from '../../docker/types.ts';
import { formatSecretsName } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import { balancerResource, formatLabels } from '../names.ts';
import { inOrder, step, type Change, type FieldChange, type Part, type Step } from '../plan.ts';
import type { ObservedBalancer } from '../snapshot.ts';
import { readersMarker } from './balancer-actions.ts';
import { compareLimits, compareSpec } from './container.ts';
import { compareMainEndpoint, compareWriteEndpoint, endpointStep, joinEndpoints } from './endpoints.ts';

/**
 * The address of a container that has just gone answers nothing, and the kernel goes on asking for half a minute, with
 * every new session waiting. Two questions, 3 s, are enough on a bridge.
 * Source: https://docs.kernel.org/networking/ip-sysctl.html
 */
const balancerSysctls = { 'net.ipv4.tcp_syn_retries': '1' };

/** Seconds a balancer has to end its sessions. */
export const balancerStopSeconds = 10;

/**
 * The balancer of a group: made where it is missing, set right where it differs.
 * `starting`: slots of replicas that the same plan starts, after which they serve.
 */
export function planBalancer(context: GroupContext, starting: ReadonlySet<number>): Part {
  const { group, snapshot } = context;
  const observed = snapshot.balancers.find((each) => each.group === group.name);
  if (observed === undefined) return planMissing(context);
  const resource = balancerResource(group.name);
  const limits = compareLimits(group.balancer, observed.container);
  const spec = compareSpec(specLabel(context), observed.container);
  const recreate = [...spec, ...limits.fields.filter(({ effect }) => effect === 'recreate')];
  if (recreate.length === 0) return planInPlace(context, observed, limits, starting);
  const remove = step(resource, {
    do: 'remove-container',
    container: observed.container.id,
    stopSeconds: balancerStopSeconds,
  });
  const create = createSteps(context);
  const [first, ...rest] = create;
  return {
    changes: [
      {
        resource,
        kind: 'balancer',
        actions: ['delete', 'create'],
        reason: { code: 'changed', detail: 'these fields cannot change on a live container' },
        fields: recreate,
      },
    ],
    // Where it cannot be made again at once (no image, say), it is left as it is.
    steps:
      first?.action.do === 'create-container'
        ? [remove, { ...first, after: [...first.after, remove.id] }, ...rest]
        : create,
  };
}

function planMissing(context: GroupContext): Part {
  const { group, snapshot, topology, addresses } = context;
  const { balancer } = group;
  const resource = balancerResource(group.name);
  const taken = snapshot.taken.find(({ kind, name }) => kind === 'container' && name === balancer.containerName);
  if (taken !== undefined) {
    return {
      blocked: [
        {
          resource,
          reason: {
            code: 'name-taken',
            detail: `the container ${balancer.containerName} exists and is not pgherd's (${taken.by})`,
          },
          remedy: `give another container_name, or remove it with \`docker rm ${balancer.containerName}\` if nobody needs it`,
        },
      ],
    };
  }
  const created = (path: string, value: string | undefined): readonly FieldChange[] =>
    value === undefined ? [] : [{ path, before: undefined, after: value, effect: 'recreate' }];
  const published = (port: number | undefined): string | undefined =>
    port === undefined ? undefined : `${topology.bindAddress}:${String(port)}`;
  return {
    changes: [
      {
        resource,
        kind: 'balancer',
        actions: ['create'],
        reason: { code: 'missing', detail: 'not on the engine' },
        fields: [
          ...created('container_name', balancer.containerName),
          ...created('image', balancer.image),
          ...created('ip_address', addresses.balancer(group.name) ?? "(from the engine's choice)"),
          ...created('port', published(balancer.port)),
          ...created('pcp_port', published(balancer.pcpPort)),
          ...created('rest_api_port', published(balancer.restApiPort)),
        ],
      },
    ],
    steps: createSteps(context),
  };
}

function planInPlace(
  context: GroupContext,
  observed: ObservedBalancer,
  limits: ReturnType<typeof compareLimits>,
  starting: ReadonlySet<number>,
): Part {
  const { group, addresses, view } = context;
  const { container } = observed;
  const resource = balancerResource(group.name);
  const endpoints = joinEndpoints(
    compareMainEndpoint(context, resource, container, addresses.balancer(group.name), group.name),
    compareWriteEndpoint(context, resource, container, addresses.write(group.name)?.balancer),
  );
  const fields: FieldChange[] = [...limits.fields, ...endpoints.fields];
  const steps: Step[] = [...endpoints.steps];
  if (limits.fields.length > 0) {
    steps.unshift(step(resource, { do: 'update-limits', container: container.id, limits: limits.limits }));
  }
  const wanted = wantedRevision(context);
  const config = wantedConfig(context);
  const wait = step(resource, { do: 'await-balancer', container: container.id });
  // A balancer that nobody can serve yet is not started: it would only refuse.
  if (wanted === undefined || config === undefined || view.phase !== 'led') {
    return { changes: describe(resource, 'update', fields, endpoints.reason, limits.fields), steps: inOrder(steps) };
  }
  const isRunning = container.state === 'running' || container.state === 'paused';
  const differs = observed.config !== wanted.name;
  const restart = isRunning && observed.started !== wanted.name;
  if (differs) {
    fields.push(...parameterFields(context, container, wanted));
    steps.push(
      step(resource, {
        do: 'write-balancer',
        group: group.name,
        container: container.id,
        image: group.balancer.image,
        user: 'pgbalancer',
        config,
        superuser: group.user,
        secretsName: secretsName(context),
        source: { container: view.source.container.id, layout: view.source.layout, record: view.record },
      }),
    );
  }
  if (container.state === 'paused') steps.push(step(resource, { do: 'unpause', container: container.id }));
  if (restart) steps.push(step(resource, { do: 'restart', container: container.id, stopSeconds: balancerStopSeconds }));
  if (!isRunning) steps.push(step(resource, { do: 'start', container: container.id }));
  const isInterrupted = restart || !isRunning || container.state === 'paused';
  const readers = readersStep(context, resource, observed, isInterrupted, starting);
  if (readers !== undefined) {
    steps.push(readers.step);
    fields.push(readers.field);
  }
  if (isInterrupted) steps.push(wait);
  const reason =
    endpoints.reason ?? reasonOf(container, { differs, restart, isRunning, readers: readers !== undefined });
  const verb = !isRunning ? 'start' : restart ? 'restart' : 'update';
  const isHealthy = container.health.status === 'healthy';
  return {
    changes: describe(resource, verb, fields, steps.length > 0 ? reason : undefined, limits.fields),
    steps: inOrder(steps),
    checks: isHealthy || isInterrupted ? [] : [{ resource, action: wait.action }],
  };
}

function describe(
  resource: string,
  verb: Change['actions'][number],
  fields: readonly FieldChange[],
  reason: Change['reason'] | undefined,
  limits: readonly FieldChange[],
): readonly Change[] {
  if (fields.length === 0 && reason === undefined) return [];
  const paths = limits.map(({ path }) => path).join(', ');
  return [
    {
      resource,
      kind: 'balancer',
      actions: [verb],
      reason: reason ?? { code: 'limits', detail: `${paths} not as the file says` },
      fields,
    },
  ];
}

function reasonOf(
  container: Container,
  found: {
    readonly differs: boolean;
    readonly restart: boolean;
    readonly isRunning: boolean;
    readonly readers: boolean;
  },
): Change['reason'] | undefined {
  if (container.state === 'created') return { code: 'stopped', detail: 'created, and never started' };
  if (container.state === 'paused') return { code: 'paused', detail: 'its container is paused' };
  if (!found.isRunning) {
    return { code: 'stopped', detail: `its container is ${container.state} (exit code ${String(container.exitCode)})` };
  }
  if (found.differs) return { code: 'configuration', detail: 'its configuration is not as the file says' };
  if (found.restart)
    return { code: 'restart-pending', detail: 'it has not been restarted since its configuration changed' };
  return found.readers
    ? { code: 'readers', detail: "its readers' names do not mean the replicas that serve" }
    : undefined;
}

function createSteps(context: GroupContext): readonly Step[] {
  const { topology, group, addresses, snapshot } = context;
  const { balancer } = group;
  const resource = balancerResource(group.name);
  const address = addresses.balancer(group.name);
  const write = addresses.write(group.name);
  if (snapshot.images[balancer.image] === undefined)
    return [step(resource, { do: 'pull-image', image: balancer.image })];
  if (address === undefined || write === undefined) return [];
  const create = step(resource, { do: 'create-container', spec: balancerContainer(context, address) });
  const connect = endpointStep(resource, {
    do: 'connect',
    container: balancer.containerName,
    network: topology.network.writeName,
    address: write.balancer,
    aliases: [],
  });
  return inOrder([create, connect]);
}

function balancerContainer(context: GroupContext, address: string): ContainerSpec {
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
    user: 'pgbalancer',
    entrypoint: ['sh', `${home}/config/start`],
    labels: formatLabels({ cluster: topology.cluster, kind: 'balancer', group: group.name, spec: specLabel(context) }),
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

function specLabel({ topology, group }: GroupContext): string {
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

function wantedConfig({ addresses, group }: GroupContext): BalancerConfig | undefined {
  const write = addresses.write(group.name);
  if (write === undefined) return undefined;
  const { balancer } = group;
  return {
    flavor: balancer.flavor,
    writeAddress: write.leader,
    readers: group.nodes.length - 1,
    parameters: balancer.config,
    pcp: balancer.pcpPort !== undefined,
  };
}

/** The revision a balancer is to have, undefined while nobody can know. */
export function wantedRevision(context: GroupContext): BalancerRevision | undefined {
  const config = wantedConfig(context);
  if (config === undefined || context.view.phase !== 'led') return undefined;
  return balancerRevision(config, secretsName(context));
}

function secretsName({ view }: GroupContext): string {
  const secrets = view.phase === 'led' ? view.source.facts.secrets : undefined;
  return secrets === undefined ? '' : formatSecretsName(secrets);
}

// In slot order: reader 1 is the first follower, whoever leads. One whose container is not running is silent, and every
// new session would wait for it. `starting` undefined: all are taken to serve.
function followers(
  { addresses, group, snapshot, view }: GroupContext,
  starting: ReadonlySet<number> | undefined,
): readonly Replica[] {
  const leader = view.phase === 'led' ? view.leader.slot : group.nodes[0].slot;
  return group.nodes
    .filter(({ slot }) => slot !== leader)
    .map(({ slot }) => {
      const container = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container;
      const serves = starting === undefined || starting.has(slot) || container?.state === 'running';
      return { address: addresses.node(group.name, slot) ?? '127.0.0.1', serves };
    });
}

// At its start a balancer has what ExtraHosts says; what was written since counts for that run only.
function readersStep(
  context: GroupContext,
  resource: string,
  { container, readers }: ObservedBalancer,
  isInterrupted: boolean,
  starting: ReadonlySet<number>,
): { readonly step: Step; readonly field: FieldChange } | undefined {
  const wanted = mapReaders(followers(context, starting));
  const lines = toHostsLines(wanted);
  const name = digest(lines);
  const isWritten = !isInterrupted && readers?.endsWith(`.${String(container.startedAt)}`) === true;
  const isInForce = isWritten
    ? readers === readersMarker(name, container.startedAt)
    : sameHosts(container.extraHosts, toExtraHosts(wanted));
  if (isInForce) return undefined;
  return {
    step: step(resource, { do: 'write-readers', container: container.id, lines, name }),
    field: {
      path: 'readers.hosts',
      before: isWritten ? undefined : container.extraHosts.join(', '),
      after: toExtraHosts(wanted).join(', '),
      effect: 'live',
    },
  };
}

function sameHosts(a: readonly string[], b: readonly string[]): boolean {
  return canonicalJson([...a].sort()) === canonicalJson([...b].sort());
}

function parameterFields(
  context: GroupContext,
  container: Container,
  wanted: BalancerRevision,
): readonly FieldChange[] {
  const live = context.snapshot.inForce[container.id];
  if (live === undefined) return [];
  const before = parseParameters(live['pgbalancer.conf'] ?? '');
  const backends = countBackends(before);
  const wantedBackends = countBackends(wanted.parameters);
  const readers: readonly FieldChange[] =
    backends === wantedBackends
      ? []
      : [{ path: 'readers', before: String(backends - 1), after: String(wantedBackends - 1), effect: 'restart' }];
  const names = [...new Set([...Object.keys(before), ...Object.keys(wanted.parameters)])].sort();
  // A backend more or less is several parameters; what a reader wants to know is how many there are.
  const parameters = names
    .filter((name) => before[name] !== wanted.parameters[name])
    .filter((name) => backends === wantedBackends || !name.startsWith('backend_'))
    .map((name): FieldChange => ({
      path: `config.${name}`,
      before: before[name],
      after: wanted.parameters[name],
      effect: 'restart',
    }));
  return [...readers, ...parameters];
}

function countBackends(parameters: Readonly<Record<string, string>>): number {
  return Object.keys(parameters).filter((name) => name.startsWith('backend_hostname')).length;
}
