import type { Engine } from '../docker/engine.ts';
import type { Topology } from '../topology/model.ts';
import { observe, observeInForce } from './observe.ts';
import type { Plan } from './plan.ts';
import { findDiffering, planCluster, type Fingerprints } from './planner.ts';
import type { Snapshot } from './snapshot.ts';

/** Looks at a cluster and plans what is to be done next. Changes nothing. */
export async function look(
  engine: Engine,
  topology: Topology,
  fingerprints: Fingerprints,
  failed?: ReadonlySet<string>,
): Promise<{ readonly snapshot: Snapshot; readonly plan: Plan }> {
  const seen = await observe(engine, topology.cluster, topology);
  const differing = findDiffering(topology, seen, fingerprints);
  const snapshot = differing.length === 0 ? seen : await observeInForce(engine, seen, differing);
  return { snapshot, plan: planCluster(topology, snapshot, fingerprints, failed) };
}
