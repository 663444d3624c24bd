import type { Engine } from '../docker/engine.ts';
import type { Topology } from '../topology/model.ts';
import { observe, observeAgain, observeInForce } from './observe.ts';
import { nodeName } from './kinds/find-node.ts';
import { nodeResource } from './names.ts';
import { earliest, type Plan } from './plan.ts';
import { findDiffering, planCluster, type Fingerprints } from './planner.ts';
import type { LeaderWatch } from './leader-watch.ts';
import { askDeciding } from './probe.ts';
import type { Voices } from './reports.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** One look at a cluster, and what is to be done next. */
export type Looked = {
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  /** Milliseconds after which something is done that is waited for now; the plan may be looked at again before. */
  readonly due?: number | undefined;
};

export type LookOptions = {
  /** Resources that nothing else is to wait for. */
  readonly failed?: ReadonlySet<string>;
  /** Nodes that are bootstrapped by who looks, and holds the lock; unless given, somebody else may bootstrap them. */
  readonly bootstraps?: ReadonlySet<string>;
  /** What the servers say; without, they are taken to be well. */
  readonly voices?: (snapshot: Snapshot) => Promise<Voices | undefined> | Voices | undefined;
  /** Looks after the leaders; without, they are taken to serve. */
  readonly watch?: LeaderWatch;
  /** Whether all servers are listened to all the time: then those that say nothing are waited for, or silent. */
  readonly listens?: boolean;
  /** What was seen last, and the containers in which anything was done since, which `observeAgain` knows of. */
  readonly since?: { readonly snapshot: Snapshot; readonly changed: ReadonlySet<string> } | undefined;
};

/** Looks at a cluster and plans what is to be done next. Changes nothing. */
export async function look(
  engine: Engine,
  topology: Topology,
  fingerprints: Fingerprints,
  options: LookOptions = {},
): Promise<Looked> {
  const { since } = options;
  const observed =
    since === undefined
      ? await observe(engine, topology.cluster, topology)
      : await observeAgain(engine, topology, since.snapshot, since.changed);
  const isUnderWay = (node: ObservedNode): boolean =>
    options.bootstraps?.has(nodeResource(nodeName(node))) ?? isBegun(observed, node);
  const nodes = observed.nodes.map((node) => (isUnderWay(node) ? { ...node, isUnderWay: true } : node));
  const seen = { ...observed, nodes };
  const differing = findDiffering(topology, seen, fingerprints);
  const read = differing.length === 0 ? seen : await observeInForce(engine, seen, differing);
  const voices = (await options.voices?.(read)) ?? (await askDeciding(engine, topology, read));
  const heard = { ...read, ...voices };
  const leaders = await options.watch?.find(engine, topology, heard, options.listens === true);
  const { recheck, doubt, ...found } = leaders ?? {};
  // A leader that hangs is asked for seconds; who is listened to goes on speaking.
  const latest = options.listens === true ? await options.voices?.(read) : undefined;
  const snapshot = { ...heard, ...latest, ...found };
  const plan = planCluster(topology, snapshot, fingerprints, options.failed);
  const isIdle = plan.steps.length === 0;
  const looksAgainIn = earliest([plan.recheck, recheck, isIdle ? doubt : undefined]);
  return { snapshot, plan: { ...plan, recheck: looksAgainIn }, due: plan.recheck };
}

// It goes on while its controller lives and its server does: nobody looks into it from outside.
function isBegun({ isLocked }: Snapshot, { container, facts }: ObservedNode): boolean {
  const isFirstRun = container.state === 'running' && container.restartCount === 0;
  return isLocked === true && facts.state.is === 'bootstrapping' && isFirstRun;
}
