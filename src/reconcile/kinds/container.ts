import { PgherdError, hasCode } from '../../base/error.ts';
import { parseJson } from '../../base/json.ts';
import { isBeingRemoved, type Container, type ContainerSpec } from '../../docker/types.ts';
import type { ActionContext } from '../actions.ts';
import { clusterLabels, imageResource, labelNames } from '../names.ts';
import { step, type FieldChange, type Step } from '../plan.ts';

export type Limits = {
  readonly memory?: number;
  readonly cpus?: number;
  readonly restart?: Container['restart'];
};

/** What nodes and balancers have in common. `container` is an id where the container was seen, else its name. */
export type ContainerAction =
  | { readonly do: 'pull-image'; readonly image: string }
  | { readonly do: 'create-container'; readonly spec: ContainerSpec }
  | { readonly do: 'remove-container'; readonly container: string; readonly stopSeconds: number }
  | { readonly do: 'start'; readonly container: string }
  | { readonly do: 'restart'; readonly container: string; readonly stopSeconds: number }
  | { readonly do: 'unpause'; readonly container: string }
  | { readonly do: 'update-limits'; readonly container: string; readonly limits: Limits }
  | {
      readonly do: 'connect';
      readonly container: string;
      readonly network: string;
      readonly address: string;
      readonly aliases: readonly string[];
    }
  | { readonly do: 'disconnect'; readonly container: string; readonly network: string };

type Of<K extends ContainerAction['do']> = Extract<ContainerAction, { do: K }>;

export const containerActions = {
  'pull-image': async ({ image }: Of<'pull-image'>, { engine }: ActionContext) => {
    if ((await engine.inspectImage(image)) === undefined) await engine.pullImage(image);
  },
  'create-container': async ({ spec }: Of<'create-container'>, context: ActionContext) => {
    const existing = await context.engine.inspectContainer(spec.name);
    if (existing === undefined) await context.engine.createContainer(spec);
    else assertOurs(existing, context);
  },
  'remove-container': async (action: Of<'remove-container'>, context: ActionContext) => {
    const container = await stopForGood(action.container, action.stopSeconds, context);
    if (container !== undefined) await context.engine.removeContainer(container.id);
  },
  start: async (action: Of<'start'>, context: ActionContext) => {
    const container = await inspectOurs(action.container, context);
    // `start` does nothing for a container that waits for its next automatic restart: stopping skips the wait.
    if (container?.state === 'restarting') await context.engine.stopContainer(container.id, 0);
    if (container?.state === 'running') return;
    await start(action.container, context, container?.name).catch(async (error: unknown) => {
      // No start helps it any more. A server that the engine forgot keeps its volume to itself by a lock in it.
      if (hasCode(error, 'task-stuck') && container !== undefined) {
        await context.engine.removeContainer(container.id);
      }
      throw error;
    });
  },
  restart: async (action: Of<'restart'>, context: ActionContext) => {
    const container = await inspectOurs(action.container, context);
    if (container === undefined) throw gone(action.container);
    await context.engine.stopContainer(container.id, action.stopSeconds);
    await start(container.id, context, container.name);
  },
  unpause: async ({ container }: Of<'unpause'>, { engine }: ActionContext) => {
    if ((await engine.inspectContainer(container))?.state === 'paused') await engine.unpauseContainer(container);
  },
  'update-limits': async ({ container, limits }: Of<'update-limits'>, { engine }: ActionContext) =>
    engine.updateContainer(container, limits),
  connect: async (action: Of<'connect'>, context: ActionContext) => {
    const { engine } = context;
    const [container, network] = await Promise.all([
      inspectOurs(action.container, context),
      engine.inspectNetwork(action.network),
    ]);
    if (container === undefined) throw gone(action.container);
    const endpoint = container.networks[action.network];
    // A running container whose connection was refused keeps the name of the network, and is not on it.
    const isHalf = container.state === 'running' && endpoint?.networkId === '';
    if (endpoint !== undefined && !isHalf) {
      const isSame = endpoint.networkId === '' || endpoint.networkId === network?.id;
      if (endpoint.address === action.address && isSame) return;
      // A second connect of a stopped container answers 200 and changes nothing.
      await engine.disconnectNetwork(action.network, container.id);
    }
    const wanted = { address: action.address, aliases: action.aliases };
    const connect = (): Promise<void> => engine.connectNetwork(action.network, container.id, wanted);
    await connect().catch(async (cause: unknown) => {
      if (!hasCode(cause, 'address-taken')) throw cause;
      const ours = await engine.listContainers(clusterLabels(context.cluster));
      const holder = ours.find(
        ({ id, networks }) => id !== container.id && networks[action.network]?.address === action.address,
      );
      // Two that change places: the other one may have moved away by now, or does so next.
      if (holder === undefined) return connect();
      const message = `${container.name} waits for ${action.address}, which ${holder.name} still has`;
      throw new PgherdError('address-taken', message, { cause, retry: true });
    });
  },
  disconnect: async (action: Of<'disconnect'>, context: ActionContext) => {
    const container = await inspectOurs(action.container, context);
    if (container?.networks[action.network] === undefined) return;
    await context.engine.disconnectNetwork(action.network, container.id);
  },
};

/** Stops a container that is to be removed; undefined: it is gone. */
export async function stopForGood(
  ref: string,
  stopSeconds: number,
  context: ActionContext,
): Promise<Container | undefined> {
  const container = await inspectOurs(ref, context);
  if (container === undefined) return undefined;
  if (isBeingRemoved(container)) return container;
  // `always` would bring it back between the two.
  await context.engine.updateContainer(container.id, { restart: 'no' });
  await context.engine.stopContainer(container.id, stopSeconds);
  return container;
}

async function start(container: string, { engine }: ActionContext, name = container): Promise<void> {
  await engine.startContainer(container).catch(async (error: unknown) => {
    if (!(error instanceof PgherdError) || error.code !== 'port-taken') throw error;
    const port = Number(/:(\d+)(?: failed|:|$)/.exec(error.message)?.[1]);
    const holder = Number.isNaN(port) ? undefined : await engine.findPortHolder(port);
    const by = holder === undefined ? 'something outside this engine' : `the container ${holder}`;
    throw new PgherdError('port-taken', `${name}: port ${String(port)} of the host is in use by ${by}`, {
      remedy: 'give another port in the topology file, or stop what uses it',
    });
  });
}

async function inspectOurs(ref: string, context: ActionContext): Promise<Container | undefined> {
  const container = await context.engine.inspectContainer(ref);
  if (container !== undefined) assertOurs(container, context);
  return container;
}

function assertOurs(container: Container, { cluster }: ActionContext): void {
  if (container.labels[labelNames.cluster] === cluster) return;
  throw new PgherdError('name-taken', `the container ${container.name} exists and is not pgherd's`, {
    remedy: `give another container_name, or remove it with \`docker rm ${container.name}\` if nobody needs it`,
  });
}

function gone(container: string): PgherdError {
  return new PgherdError('not-found', `the container ${container} went away meanwhile`, { retry: true });
}

/** Gets an image while a container goes on with the one it has: nothing of the container waits for it. */
export function pullBeside(image: string): Step {
  return step(imageResource(image), { do: 'pull-image', image });
}

/** Of these changes those that a live container takes. */
export function takenLive<T extends { readonly fields: readonly FieldChange[] }>(limits: T): T {
  return { ...limits, fields: limits.fields.filter(({ effect }) => effect === 'live') };
}

/** What differs in the limits and the restart policy, and whether the engine can change it on a live container. */
export function compareLimits(
  wanted: {
    readonly memory: number | undefined;
    readonly cpus: number | undefined;
    readonly restart: Container['restart'];
  },
  live: Container,
): { readonly fields: readonly FieldChange[]; readonly limits: Limits } {
  const fields: FieldChange[] = [];
  const memory = wanted.memory ?? 0;
  const cpus = wanted.cpus ?? 0;
  // The engine takes 0 for 'unchanged': a limit can be changed on a live container, not taken away.
  if (memory !== live.memory) {
    fields.push({
      path: 'memory',
      before: bytes(live.memory),
      after: bytes(memory),
      effect: memory === 0 ? 'recreate' : 'live',
    });
  }
  if (cpus !== live.cpus) {
    fields.push({
      path: 'cpus',
      before: limit(live.cpus),
      after: limit(cpus),
      effect: cpus === 0 ? 'recreate' : 'live',
    });
  }
  if (wanted.restart !== live.restart) {
    fields.push({ path: 'restart', before: live.restart, after: wanted.restart, effect: 'live' });
  }
  return {
    fields,
    limits: {
      ...(memory === live.memory || memory === 0 ? {} : { memory }),
      ...(cpus === live.cpus || cpus === 0 ? {} : { cpus }),
      ...(wanted.restart === live.restart ? {} : { restart: wanted.restart }),
    },
  };
}

function limit(value: number): string {
  return value === 0 ? 'no limit' : String(value);
}

/** Bytes as a file would say them. */
function bytes(value: number): string {
  if (value === 0) return 'no limit';
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (value % size === 0) return `${String(value / size)} ${unit}`;
  }
  return `${String(value)} B`;
}

/** The fields of a spec label that differ, all of them a reason to make the container anew. */
export function compareSpec(wanted: string, live: Container): readonly FieldChange[] {
  const before = readSpec(live.labels[labelNames.spec]);
  const after = readSpec(wanted);
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => ({ path, before: before.get(path), after: after.get(path), effect: 'recreate' }));
}

/** One field of the spec that a container was made with. */
export function readSpecField(container: Container, path: string): string | undefined {
  return readSpec(container.labels[labelNames.spec]).get(path);
}

function readSpec(text: string | undefined): Map<string, string> {
  const spec = parseJson(text ?? '{}');
  return flatten(spec === undefined ? {} : spec);
}

function flatten(value: unknown, path = ''): Map<string, string> {
  if (value === null || typeof value !== 'object') return new Map([[path, String(value)]]);
  const entries = Object.entries(value).flatMap(([name, member]) => [
    ...flatten(member, path === '' ? name : `${path}.${name}`),
  ]);
  return new Map(entries);
}
