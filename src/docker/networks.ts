import type Docker from 'dockerode';
import { messageOf } from '../base/error.ts';
import { toEndpoint } from './create.ts';
import { mapNetwork } from './inspect.ts';
import { deadlines, orUndefined, settled, toFilters, type Calls, type Run } from './run.ts';

export function networkCalls(
  docker: Docker,
  run: Run,
  extra: Readonly<Record<string, string>>,
): Calls<
  'listNetworks' | 'inspectNetwork' | 'createNetwork' | 'removeNetwork' | 'connectNetwork' | 'disconnectNetwork'
> {
  return {
    listNetworks: (labels) =>
      run.ask('list networks', async (abortSignal) => {
        const filters = labels === undefined ? {} : { filters: toFilters(labels) };
        const networks = await docker.listNetworks({ ...filters, abortSignal });
        return networks.map(mapNetwork).sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    inspectNetwork: (ref) =>
      orUndefined(
        run.ask(`inspect network ${ref}`, async (abortSignal) =>
          mapNetwork(await inspectable(docker, ref).inspect({ abortSignal })),
        ),
      ),
    createNetwork: (spec) =>
      run.tell(`create network ${spec.name}`, deadlines.write, async (abortSignal) => {
        const network = await docker.createNetwork({
          Name: spec.name,
          Driver: 'bridge',
          CheckDuplicate: true,
          Internal: spec.internal,
          Labels: { ...spec.labels, ...extra },
          ...(spec.subnet === undefined ? {} : { IPAM: { Driver: 'default', Config: [{ Subnet: spec.subnet }] } }),
          abortSignal,
        });
        return network.id;
      }),
    removeNetwork: (ref) =>
      run.tell(`remove network ${ref}`, deadlines.write, (abortSignal) =>
        settled(docker.getNetwork(ref).remove({ abortSignal }), 404),
      ),
    connectNetwork: (network, container, endpoint) =>
      run.tell(`connect ${container} to network ${network}`, deadlines.write, async (abortSignal) => {
        const options = { Container: container, EndpointConfig: toEndpoint(endpoint), abortSignal };
        await docker.getNetwork(network).connect(options);
      }),
    disconnectNetwork: (network, container) =>
      run.tell(`disconnect ${container} from network ${network}`, deadlines.write, async (abortSignal) => {
        const options = { Container: container, Force: true, abortSignal };
        // One that is between two restarts has lost its endpoint already, and gets it back with the next.
        await docker
          .getNetwork(network)
          .disconnect(options)
          .catch((thrown: unknown) => {
            if (!/is not connected to/i.test(messageOf(thrown))) throw thrown;
          });
      }),
  };
}

// dockerode's types leave out the options of this one call.
function inspectable(
  docker: Docker,
  ref: string,
): { inspect: (options: { readonly abortSignal: AbortSignal }) => Promise<Docker.NetworkInspectInfo> } {
  return docker.getNetwork(ref);
}
