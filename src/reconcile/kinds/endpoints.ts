import type { Container, Network } from '../../docker/types.ts';
import type { GroupContext } from '../context.ts';
import type { FieldChange, Reason, Step } from '../plan.ts';
import type { ContainerAction } from './container.ts';

type Wanted = { readonly network: string; readonly address: string; readonly aliases: readonly string[] };

export type EndpointChanges = {
  readonly fields: readonly FieldChange[];
  readonly steps: readonly Step[];
  readonly reason: Reason | undefined;
};

const nothing: EndpointChanges = { fields: [], steps: [], reason: undefined };

/** A container's place on the cluster's network. */
export function compareMainEndpoint(
  context: GroupContext,
  resource: string,
  container: Container,
  address: string | undefined,
  alias: string,
): EndpointChanges {
  if (address === undefined) return nothing;
  const { name } = context.topology.network;
  return compareEndpoint(context, resource, container, { network: name, address, aliases: [alias] });
}

/** A container's place on the write network; `address` undefined: it has none there. */
export function compareWriteEndpoint(
  context: GroupContext,
  resource: string,
  container: Container,
  address: string | undefined,
): EndpointChanges {
  const network = context.topology.network.writeName;
  if (address !== undefined) return compareEndpoint(context, resource, container, { network, address, aliases: [] });
  const held = container.networks[network];
  if (held === undefined) return nothing;
  return {
    fields: [{ path: `networks.${network}`, before: held.address ?? '(any)', after: undefined, effect: 'live' }],
    steps: [endpointStep(resource, { do: 'disconnect', container: container.id, network })],
    reason: { code: 'write-address', detail: 'it holds the write address and does not lead' },
  };
}

export function joinEndpoints(...parts: readonly EndpointChanges[]): EndpointChanges {
  return {
    fields: parts.flatMap(({ fields }) => fields),
    steps: parts.flatMap(({ steps }) => steps),
    reason: parts.find(({ reason }) => reason !== undefined)?.reason,
  };
}

function compareEndpoint(
  context: GroupContext,
  resource: string,
  container: Container,
  wanted: Wanted,
): EndpointChanges {
  const live: Network | undefined = context.snapshot.networks.find(({ name }) => name === wanted.network);
  const held = container.networks[wanted.network];
  // A container that never started has no id of its network yet; one that runs without one was refused its connection.
  const isPending = held?.networkId === '' && container.state !== 'running';
  const isStale = live === undefined || (held !== undefined && !isPending && held.networkId !== live.id);
  if (held?.address === wanted.address && !isStale) return nothing;
  const isGone = held === undefined || isStale;
  return {
    fields: [
      {
        path: `networks.${wanted.network}`,
        before: isGone ? undefined : (held.address ?? '(any)'),
        after: wanted.address,
        effect: 'live',
      },
    ],
    steps: [endpointStep(resource, { do: 'connect', container: container.id, ...wanted })],
    reason: isGone
      ? { code: 'disconnected', detail: `it is not on the network ${wanted.network}` }
      : { code: 'address', detail: `its address on ${wanted.network} is not as wanted` },
  };
}

/** Steps of this kind may stand twice in a resource's plan, so the network is part of their name. */
export function endpointStep(
  resource: string,
  action: Extract<ContainerAction, { do: 'connect' | 'disconnect' }>,
): Step {
  return { id: `${resource}: ${action.do} ${action.network}`, resource, action, after: [] };
}
