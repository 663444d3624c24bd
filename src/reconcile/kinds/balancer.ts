import { revisionNeedsRestart } from '../../base/revision.ts';
import type { Container } from '../../docker/types.ts';
import type { GroupContext } from '../context.ts';
import { findBusy } from '../group.ts';
import { balancerResource } from '../names.ts';
import { inOrder, step, withoutRestart, type Change, type FieldChange, type Part, type Step } from '../plan.ts';
import type { ObservedBalancer } from '../snapshot.ts';
import { parameterFields, secretsName, wantedConfig, wantedRevision } from './balancer-config.ts';
import { balancerContainer, balancerSpecLabel, balancerStopSeconds, balancerUser } from './balancer-spec.ts';
import { compareLimits, compareSpec, pullBeside, takenLive } from './container.ts';
import { compareMainEndpoint, compareWriteEndpoint, endpointStep, joinEndpoints } from './endpoints.ts';
import { readersReason, readersStep } from './readers.ts';

/**
 * The balancer of a group: made where it is missing, set right where it differs.
 * `starting`: slots of replicas that the same plan starts, after which they serve.
 */
export function planBalancer(context: GroupContext, starting: ReadonlySet<number>): Part {
  const { group, snapshot } = context;
  const observed = snapshot.balancers.find((each) => each.group === group.name);
  if (findBusy(snapshot, group.name, undefined) !== undefined) return {};
  if (observed === undefined) return planMissing(context);
  const resource = balancerResource(group.name);
  const limits = compareLimits(group.balancer, observed.container);
  const spec = compareSpec(balancerSpecLabel(context), observed.container);
  const recreate = [...spec, ...limits.fields.filter(({ effect }) => effect === 'recreate')];
  if (recreate.length === 0) return planInPlace(context, observed, limits, starting);
  const isMissing = snapshot.images[group.balancer.image] === undefined;
  if (isMissing && observed.started !== undefined) {
    return {
      changes: [recreated(resource, recreate)],
      steps: [...planMeanwhile(context, observed, limits, starting), pullBeside(group.balancer.image)],
    };
  }
  const remove = step(resource, {
    do: 'remove-container',
    container: observed.container.id,
    stopSeconds: balancerStopSeconds,
  });
  const create = createSteps(context);
  const [first, ...rest] = create;
  return {
    changes: [recreated(resource, recreate)],
    // Where it cannot be made again at once (no image, say), it is left as it is.
    steps:
      first?.action.do === 'create-container'
        ? [remove, { ...first, after: [...first.after, remove.id] }, ...rest]
        : create,
  };
}

function recreated(resource: string, fields: readonly FieldChange[]): Change {
  return {
    resource,
    kind: 'balancer',
    actions: ['delete', 'create'],
    reason: { code: 'changed', detail: 'these fields cannot change on a live container' },
    fields,
  };
}

/** Until its new image is there a balancer serves on with the one it has. It is not restarted, since it is recreated then. */
function planMeanwhile(
  context: GroupContext,
  observed: ObservedBalancer,
  limits: ReturnType<typeof compareLimits>,
  starting: ReadonlySet<number>,
): readonly Step[] {
  const { steps = [] } = planInPlace(context, observed, takenLive(limits), starting);
  return withoutRestart(steps);
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
  const restart = isRunning && (observed.started === undefined || revisionNeedsRestart(observed.started, wanted.name));
  if (differs) {
    fields.push(...parameterFields(context, container, wanted));
    steps.push(
      step(resource, {
        do: 'write-balancer',
        group: group.name,
        container: container.id,
        image: container.image,
        user: balancerUser(group.balancer),
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
  return found.readers ? readersReason : undefined;
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
