import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { ActionContext } from './actions.ts';
import { guardedEngine } from './guarded-engine.ts';
import { execute } from './execute.ts';
import { takeLock, type Lock } from './lock.ts';
import type { Result, WorkOptions, World } from './work.ts';
import { nodeName } from './kinds/find-node.ts';
import { planHalfRemoved } from './kinds/half-removed.ts';
import { balancerStopSeconds } from './kinds/balancer-spec.ts';
import { Owners } from './kinds/node-folder.ts';
import { nodeStopSeconds } from './kinds/node-spec.ts';
import { balancerResource, clusterLabels, networkResource, nodeResource, volumeResource } from './names.ts';
import { observe } from './observe.ts';
import { step, type Change, type Plan, type Step } from './plan.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** Looks at a cluster and plans its end. Volumes go only where asked. */
export async function lookToDestroy(engine: Engine, cluster: string, withVolumes: boolean): Promise<Plan> {
  return planDestroy(await observe(engine, cluster, undefined), withVolumes);
}

/**
 * Balancers first, so that sessions end; then leaders, so that their followers have received everything; then
 * followers, networks and, where asked, volumes.
 */
function planDestroy(snapshot: Snapshot, withVolumes: boolean): Plan {
  const balancers = snapshot.balancers.map(({ group, container }) =>
    step(balancerResource(group), {
      do: 'remove-container',
      container: container.id,
      stopSeconds: balancerStopSeconds,
    }),
  );
  const remove = (node: ObservedNode, after: readonly string[]): Step =>
    step(
      nodeResource(nodeName(node)),
      { do: 'remove-container', container: node.container.id, stopSeconds: nodeStopSeconds },
      after,
    );
  const balancerIds = balancers.map(({ id }) => id);
  const leaders = snapshot.nodes.filter(leads).map((node) => remove(node, balancerIds));
  const leaderIds = leaders.map(({ id }) => id);
  const followers = snapshot.nodes
    .filter((node) => !leads(node))
    .map((node) => remove(node, [...balancerIds, ...leaderIds]));
  const unread = [...snapshot.halfRemoved, ...snapshot.busy];
  const halfRemoved = planHalfRemoved({ halfRemoved: unread }).map((each) => each.step);
  const containerIds = [...balancers, ...leaders, ...followers, ...halfRemoved].map(({ id }) => id);
  const networks = snapshot.networks.map(({ id, name }) =>
    step(networkResource(name), { do: 'remove-network', id, name }, containerIds),
  );
  const volumes = (withVolumes ? snapshot.volumes : []).map(({ volume }) =>
    step(volumeResource(volume.name), { do: 'remove-volume', name: volume.name }, containerIds),
  );
  const steps = [...balancers, ...leaders, ...followers, ...halfRemoved, ...networks, ...volumes];
  return {
    cluster: snapshot.cluster,
    steps,
    changes: steps.map(describe),
    blocked: [],
    checks: [],
    wanted: 0,
  };
}

function describe({ resource }: Step): Change {
  const kind = resource.slice(0, resource.indexOf('/'));
  return { resource, kind, actions: ['delete'], reason: { code: 'destroy', detail: 'asked for' }, fields: [] };
}

// Nodes that name nobody as their leader are followers here: the order then does not matter.
function leads({ slot, facts }: ObservedNode): boolean {
  return facts.record?.leader === slot;
}

/** Milliseconds. */
const retryPause = 500;

/** Ends a cluster as planned, under its lock, and looks again until nothing of it is left but what is kept. */
export async function destroy(
  engine: Engine,
  cluster: string,
  withVolumes: boolean,
  world: World,
  options: WorkOptions,
): Promise<Result> {
  const verifyLock = async (): Promise<void> => {
    await lock?.verify();
  };
  const context: ActionContext = {
    engine: guardedEngine(engine, verifyLock),
    cluster,
    verifyLock,
    // It writes no record, and instructs no server.
    epoch: () => undefined,
    records: new Map(),
    remembered: new Map(),
    owners: new Owners(),
    passwordOf: () => undefined,
    readFile: world.readFile,
    randomBytes: world.randomBytes,
    signal: options.signal,
  };
  let lock: Lock | undefined;
  let done = 0;
  try {
    for (;;) {
      const plan = await lookToDestroy(engine, cluster, withVolumes);
      const result = { cluster, done, blocked: [], failures: [], held: [] };
      if (plan.steps.length === 0) return { ...result, converged: true, stopped: undefined };
      try {
        lock ??= await lockFor(engine, cluster, world, options);
      } catch (error) {
        if (error instanceof PgherdError) {
          return {
            ...result,
            failures: [{ resource: `lock/${cluster}`, error }],
            converged: false,
            stopped: undefined,
          };
        }
        // The wait was called off.
        if (options.signal.aborted) return { ...result, converged: false, stopped: 'interrupted' };
        throw error;
      }
      const { outcomes } = await execute(plan.steps, context, {
        queue: options.queue,
        signal: options.signal,
        onStart: (started) => {
          options.onProgress({ type: 'step-started', step: started });
        },
        onEnd: (outcome) => {
          options.onProgress({ type: 'step-ended', outcome });
        },
      });
      done += outcomes.filter((outcome) => outcome.result === 'done').length;
      const failures = outcomes.flatMap((outcome) =>
        outcome.result === 'failed' && outcome.error instanceof PgherdError
          ? [{ resource: outcome.step.resource, error: outcome.error }]
          : [],
      );
      const isHopeless = failures.some(({ error }) => !error.retry);
      if (isHopeless || options.signal.aborted) {
        const stopped = options.signal.aborted ? 'interrupted' : undefined;
        return { ...result, done, failures, converged: false, stopped };
      }
      // What may help is tried again, but not without a pause.
      if (failures.length > 0) await world.sleep(retryPause, options.signal).catch(() => undefined);
    }
  } finally {
    await lock?.release();
  }
}

// A cluster without containers needs no lock: nothing of it can be in use by anyone who would take one.
async function lockFor(engine: Engine, cluster: string, world: World, options: WorkOptions): Promise<Lock | undefined> {
  const containers = await engine.listContainers(clusterLabels(cluster));
  const [image] = containers.map((container) => container.image);
  if (image === undefined) return undefined;
  return takeLock(engine, {
    cluster,
    image,
    signal: options.signal,
    onWait: (holder) => {
      options.onProgress({ type: 'waiting-for-lock', holder });
    },
    now: world.now,
    sleep: world.sleep,
  });
}
