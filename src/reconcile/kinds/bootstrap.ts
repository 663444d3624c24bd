import type { Layout } from '../../postgres/layout.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import { nodeResource } from '../names.ts';
import { inOrder, step, type Step } from '../plan.ts';
import { endpointStep } from './endpoints.ts';
import { nodeSettings } from './node-config.ts';

/** From an empty volume to a server that leads; the followers' slots are there before anyone follows. */
export function bootstrapSteps(context: GroupContext, node: Node, layout: Layout): readonly Step[] {
  const { group, topology, addresses } = context;
  const resource = nodeResource(node.name);
  const placed = { container: node.containerName, layout };
  const settings = nodeSettings(context, node);
  const write = addresses.write(group.name);
  if (write === undefined) return [];
  return inOrder([
    step(resource, {
      do: 'prepare-bootstrap',
      group: group.name,
      slot: node.slot,
      node: placed,
      image: node.image,
      settings,
      initScripts: group.initScripts,
    }),
    endpointStep(resource, {
      do: 'connect',
      container: node.containerName,
      network: topology.network.writeName,
      address: write.leader,
      aliases: [],
    }),
    step(resource, { do: 'start', container: node.containerName }),
    step(resource, {
      do: 'finish-bootstrap',
      group: group.name,
      node: placed,
      settings,
      followers: group.nodes.filter(({ slot }) => slot !== node.slot).map(({ slot }) => slot),
    }),
  ]);
}
