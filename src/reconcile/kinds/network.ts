import { PgherdError, hasCode } from '../../base/error.ts';
import { formatCidr, parseCidr, subnetsOverlap, type Cidr } from '../../base/ipv4.ts';
import type { Network } from '../../docker/types.ts';
import type { Topology } from '../../topology/model.ts';
import type { ActionContext } from '../actions.ts';
import { formatLabels, labelNames, networkResource } from '../names.ts';
import { inOrder, step, type Part, type Blocked } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';

type Wanted = {
  readonly name: string;
  readonly kind: 'network' | 'write-network';
  readonly internal: boolean;
  readonly subnet: string | undefined;
};

export type NetworkAction =
  | {
      readonly do: 'create-network';
      readonly name: string;
      readonly internal: boolean;
      /** Undefined: the engine chooses one, which is then made explicit, since fixed addresses need that. */
      readonly subnet: string | undefined;
      /** The network whose chosen subnet's other half may be used. */
      readonly beside: string | undefined;
      readonly labels: Readonly<Record<string, string>>;
    }
  | { readonly do: 'remove-network'; readonly id: string; readonly name: string };

/** The cluster's network and its write network. */
export function planNetworks(topology: Topology, snapshot: Snapshot): Part {
  const { name, subnet, writeName, writeSubnet } = topology.network;
  const main = planNetwork(topology, snapshot, { name, kind: 'network', internal: false, subnet });
  const write = planNetwork(topology, snapshot, {
    name: writeName,
    kind: 'write-network',
    internal: true,
    subnet: writeSubnet,
  });
  // Engines give out subnets one at a time; the second may be carved out of what the first left.
  const mainCreated = main.steps?.at(-1)?.id;
  const chained =
    mainCreated === undefined
      ? write.steps
      : write.steps?.map((each) => ({ ...each, after: [...each.after, mainCreated] }));
  return {
    changes: [...(main.changes ?? []), ...(write.changes ?? [])],
    steps: [...(main.steps ?? []), ...(chained ?? [])],
    blocked: [...(main.blocked ?? []), ...(write.blocked ?? [])],
  };
}

function planNetwork(topology: Topology, snapshot: Snapshot, wanted: Wanted): Part {
  const resource = networkResource(wanted.name);
  const live = snapshot.networks.find((network) => network.name === wanted.name);
  if (live !== undefined && live.labels[labelNames.subnet] !== 'probe') return compareNetwork(resource, wanted, live);
  const hindrance = live === undefined ? findHindrance(snapshot, wanted) : undefined;
  if (hindrance !== undefined) return { blocked: [{ resource, ...hindrance }] };
  const create = step(resource, {
    do: 'create-network',
    name: wanted.name,
    internal: wanted.internal,
    subnet: wanted.subnet,
    beside: wanted.kind === 'write-network' ? topology.network.name : undefined,
    labels: formatLabels({ cluster: topology.cluster, kind: wanted.kind }),
  });
  const remove = live === undefined ? [] : [step(resource, { do: 'remove-network', id: live.id, name: live.name })];
  return {
    changes: [
      {
        resource,
        kind: wanted.kind,
        actions: ['create'],
        reason: { code: 'missing', detail: 'not on the engine' },
        fields: [
          { path: 'subnet', before: undefined, after: wanted.subnet ?? "(the engine's choice)", effect: 'recreate' },
        ],
      },
    ],
    steps: inOrder([...remove, create]),
  };
}

function compareNetwork(resource: string, wanted: Wanted, live: Network): Part {
  const [subnet] = live.subnets;
  if (wanted.subnet === undefined || wanted.subnet === subnet) return {};
  return {
    blocked: [
      {
        resource,
        reason: {
          code: 'subnet-changed',
          detail: `its subnet is ${subnet ?? 'unknown'}, the file says ${wanted.subnet}`,
        },
        remedy:
          'a live subnet cannot change: put the old one back, or `pgherd destroy` (volumes are kept) and reconcile',
      },
    ],
  };
}

function findHindrance(snapshot: Snapshot, wanted: Wanted): Omit<Blocked, 'resource'> | undefined {
  const taken = snapshot.taken.find(({ kind, name }) => kind === 'network' && name === wanted.name);
  if (taken !== undefined) {
    return {
      reason: { code: 'name-taken', detail: `a network of that name exists and is not pgherd's (${taken.by})` },
      remedy: `give another network.name, or remove it with \`docker network rm ${wanted.name}\` if nobody needs it`,
    };
  }
  const subnet = wanted.subnet === undefined ? undefined : parseCidr(wanted.subnet);
  const holder = subnet === undefined ? undefined : snapshot.otherNetworks.find((other) => overlaps(other, subnet));
  if (holder === undefined) return undefined;
  return {
    reason: {
      code: 'subnet-overlap',
      detail: `${wanted.subnet ?? ''} overlaps the network ${holder.name} (${holder.subnets.join(', ')})`,
    },
    remedy: `give another subnet, or remove that network with \`docker network rm ${holder.name}\` if nobody needs it`,
  };
}

function overlaps(network: Network, subnet: Cidr): boolean {
  return network.subnets.some((text) => {
    const other = parseCidr(text);
    return other !== undefined && subnetsOverlap(other, subnet);
  });
}

export const networkActions = {
  'create-network': async (action: Extract<NetworkAction, { do: 'create-network' }>, context: ActionContext) => {
    const existing = await context.engine.inspectNetwork(action.name);
    if (existing !== undefined) {
      assertOurs(existing, context);
      return;
    }
    if (action.subnet !== undefined) await create(action, action.subnet, 'given', context);
    else await createChosen(action, context);
  },
  'remove-network': async (action: Extract<NetworkAction, { do: 'remove-network' }>, context: ActionContext) => {
    const network = await context.engine.inspectNetwork(action.id);
    if (network === undefined) return;
    assertOurs(network, context);
    await context.engine.removeNetwork(action.id);
  },
};

function assertOurs(network: Network, context: ActionContext): void {
  if (network.labels[labelNames.cluster] === context.cluster) return;
  throw new PgherdError('name-taken', `the network ${network.name} exists and is not pgherd's`, {
    remedy: `give another network.name, or remove it with \`docker network rm ${network.name}\` if nobody needs it`,
  });
}

type Create = Extract<NetworkAction, { do: 'create-network' }>;

async function create(
  action: Create,
  subnet: string | undefined,
  how: 'given' | 'chosen' | 'probe',
  { engine }: ActionContext,
): Promise<string> {
  const labels = { ...action.labels, [labelNames.subnet]: how };
  return engine.createNetwork({ name: action.name, internal: action.internal, subnet, labels });
}

// A network takes half of what the engine offers, so that the write network finds room in the other half and a cluster
// costs one of the engine's few address pools, not two.
async function createChosen(action: Create, context: ActionContext): Promise<void> {
  const main = action.beside === undefined ? undefined : await context.engine.inspectNetwork(action.beside);
  const [mainSubnet] = main?.subnets ?? [];
  if (mainSubnet !== undefined && main?.labels[labelNames.subnet] === 'chosen') {
    const other = otherHalf(mainSubnet);
    const created = await create(action, other, 'chosen', context).catch((error: unknown) => {
      if (!hasCode(error, 'subnet-overlap', 'name-taken')) throw error;
      return undefined;
    });
    if (created !== undefined) return;
  }
  const probe = await create(action, undefined, 'probe', context);
  const offered = (await context.engine.inspectNetwork(probe))?.subnets[0];
  await context.engine.removeNetwork(probe);
  if (offered === undefined)
    throw new PgherdError('subnet-exhausted', `the engine offers no subnet for ${action.name}`);
  await create(action, firstHalf(offered), 'chosen', context);
}

function firstHalf(text: string): string {
  const offered = parseCidr(text);
  if (offered === undefined)
    throw new PgherdError('subnet-exhausted', `the engine offers the subnet "${text}", which is none`);
  return offered.prefix > 28 ? text : formatCidr({ ...offered, prefix: offered.prefix + 1 });
}

/** 256 addresses at most, at the beginning of the half that `firstHalf` left. */
function otherHalf(text: string): string | undefined {
  const half = parseCidr(text);
  if (half === undefined) return undefined;
  return formatCidr({ first: half.last + 1, last: half.last, prefix: Math.max(24, half.prefix) });
}
