import { connectDocker } from './connect.ts';
import { containerCalls } from './containers.ts';
import type { Endpoint } from './endpoint.ts';
import { eventCalls } from './events.ts';
import { imageCalls } from './images.ts';
import { insideCalls } from './inside.ts';
import { networkCalls } from './networks.ts';
import { operatorCalls } from './operator-calls.ts';
import type { OperatorEngine } from './operator.ts';
import { runner } from './run.ts';
import type { EngineCall } from './types.ts';
import { volumeCalls } from './volumes.ts';

/** The Docker engine at an endpoint, behind dockerode. `extraLabels` are put on everything that is created. */
export async function connectEngine(
  endpoint: Endpoint,
  options: {
    readonly onCall?: (call: EngineCall) => void;
    readonly extraLabels?: Readonly<Record<string, string>>;
  } = {},
): Promise<OperatorEngine> {
  const docker = await connectDocker(endpoint, options.onCall);
  const run = runner(endpoint.host);
  const extra = options.extraLabels ?? {};
  return {
    host: endpoint.host,
    ...containerCalls(docker, run, extra),
    ...networkCalls(docker, run, extra),
    ...volumeCalls(docker, run, extra),
    ...imageCalls(docker, run, endpoint.host),
    ...insideCalls(docker, run),
    ...eventCalls(docker, run, endpoint.host),
    ...operatorCalls(docker, run, endpoint.host),
  };
}
