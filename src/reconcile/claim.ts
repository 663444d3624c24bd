import { compareRecords } from '../postgres/layout.ts';
import { parseRecord, type GroupRecord } from '../postgres/record.ts';
import type { Topology } from '../topology/model.ts';
import type { ActionContext } from './actions.ts';
import { isOfReign, newestRecord, viewGroup } from './group.ts';
import { keepInMind, writeRecord } from './kinds/group-record.ts';
import { targetOf } from './kinds/find-node.ts';
import type { Lock } from './lock.ts';
import { readRecordFiles } from './observe.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** The epoch of a holder of the lock, over its whole tenure; undefined: it has claimed nothing yet. */
export type Tenure = { epoch: number | undefined };

/** Whether the newest records of all groups are of this epoch: nobody else has held the lock since. */
export function isClaimed(topology: Topology, snapshot: Snapshot, { epoch }: Tenure): boolean {
  return epoch !== undefined && recordedGroups(topology, snapshot).every(({ newest }) => newest.epoch === epoch);
}

/**
 * Writes the record of each group again, under an epoch of this holder of the lock, into every volume that can be reached:
 * from then on nodes refuse what an earlier holder instructs, and what that writes late does not count. What counts is
 * the newest record in any volume, whatever its link says: an earlier holder may have set that last. The caller looks again
 * afterwards where anything was written, which is returned: an earlier holder may have acted until then. Throws `lock-lost`
 * if the lock went meanwhile.
 */
export async function claim(
  topology: Topology,
  snapshot: Snapshot,
  tenure: Tenure,
  lock: Lock,
  context: ActionContext,
): Promise<boolean> {
  const groups = await Promise.all(
    recordedGroups(topology, snapshot).map(async ({ group, nodes }) => {
      const found = await Promise.all(nodes.map((node) => readRecords(node, context)));
      const newest = found.flat().toSorted((a, b) => compareRecords(b, a))[0];
      return newest === undefined ? [] : [{ group, nodes, newest }];
    }),
  );
  const known = groups.flat();
  const epoch = Math.max(lock.since, tenure.epoch ?? 0, ...known.map(({ newest }) => newest.epoch + 1));
  await lock.verify();
  await Promise.all(
    known.map(async ({ group, nodes, newest }) => {
      const record = { ...newest, epoch };
      // An older volume of who leads, just mounted, is not what it leads with: its record is of before that reign.
      const isOlder = (node: ObservedNode): boolean =>
        node.slot === newest.leader && node.container.state === 'created' && !isOfReign(node, newest);
      const targets = nodes.filter((node) => !isOlder(node)).map(targetOf);
      await writeRecord(record, targets, context);
      keepInMind(group, record, context);
    }),
  );
  await lock.verify();
  tenure.epoch = epoch;
  return known.length > 0;
}

type Recorded = {
  readonly group: string;
  /** Those whose volumes have a record. */
  readonly nodes: readonly ObservedNode[];
  readonly newest: { readonly epoch: number };
};

// Where too few volumes are read, one of the others may have a newer record, and an older one is not to outrank it.
function recordedGroups(topology: Topology, snapshot: Snapshot): readonly Recorded[] {
  const { nodes } = snapshot;
  const unread = topology.groups.filter((each) => viewGroup(each, snapshot).phase === 'unread').map(({ name }) => name);
  const groups = [...new Set(nodes.map(({ group }) => group))].filter((group) => !unread.includes(group));
  return groups.flatMap((group) => {
    const own = nodes.filter((node) => node.group === group && node.facts.record !== undefined);
    const newest = newestRecord(own)?.record;
    return newest === undefined ? [] : [{ group, nodes: own, newest }];
  });
}

async function readRecords(node: ObservedNode, { engine }: ActionContext): Promise<readonly GroupRecord[]> {
  return (await readRecordFiles(engine, node)).flatMap(({ text }) => parseRecord(text) ?? []);
}
