import { PgherdError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { compareRecords, formatRecordName, isSameReign, type RecordName } from '../postgres/layout.ts';
import { nextReigns, parseRecord, type GroupRecord } from '../postgres/record.ts';
import type { Topology } from '../topology/model.ts';
import type { ActionContext } from './actions.ts';
import { newestRecord, viewGroup } from './group.ts';
import { keepInMind, nextTimeline, writeRecord } from './kinds/group-record.ts';
import { targetOf } from './kinds/find-node.ts';
import type { Lock } from './lock.ts';
import { readRecordFiles, type RecordFile } from './observe.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** The epoch of a holder of the lock, over its whole tenure; undefined: it has claimed nothing yet. */
export type Tenure = { epoch: number | undefined };

/** Whether the newest records of all groups are of this epoch: nobody else has held the lock since. */
export function isClaimed(topology: Topology, snapshot: Snapshot, { epoch }: Tenure): boolean {
  return epoch !== undefined && recordedGroups(topology, snapshot).every(({ linked }) => linked.epoch === epoch);
}

/**
 * Writes the record of each group again, under an epoch of this holder of the lock, into every volume that can be reached:
 * from then on nodes refuse what an earlier holder instructs, and what that writes late does not count. What counts is
 * the newest record in any volume, whatever its link says: an earlier holder may have set that last. The caller looks again
 * afterwards where anything was written, which is returned: an earlier holder may have acted until then. Throws `lock-lost`
 * if the lock went meanwhile, and `node-failed` where a group goes by a record of a version that this one does not know.
 */
export async function claim(
  topology: Topology,
  snapshot: Snapshot,
  tenure: Tenure,
  lock: Lock,
  context: ActionContext,
): Promise<boolean> {
  const recorded = recordedGroups(topology, snapshot);
  const known = (await Promise.all(recorded.map((each) => readGroup(each, context)))).flat();
  const found = [...known.map(({ newest }) => newest.epoch), ...recorded.map(({ linked }) => linked.epoch)];
  const own = tenure.epoch;
  // Links that were set back count too: others go by them.
  const isBehind = known.some(({ newest, linked }) => newest.epoch !== own || linked.epoch !== own);
  // A group of which no record can be read stays behind, and is no reason to claim the others again.
  if (own !== undefined && !isBehind) return false;
  const epoch = Math.max(lock.since, own ?? 0, ...found.map((each) => each + 1));
  await lock.verify();
  await Promise.all(
    known.map(async ({ group, newest, targets, votes }) => {
      const record = { ...newest, epoch };
      await writeRecord(record, targets.map(targetOf), context, [], votes);
      keepInMind(group, record, context);
    }),
  );
  await lock.verify();
  tenure.epoch = epoch;
  return isBehind;
}

type Recorded = {
  readonly group: string;
  /** Those whose volumes have a record. */
  readonly nodes: readonly ObservedNode[];
  /** The newest that their links name, or that is known to outrank them. */
  readonly linked: RecordName;
};

// Where too few volumes are read, one of the others may have a newer record, and an older one is not to outrank it.
function recordedGroups(topology: Topology, snapshot: Snapshot): readonly Recorded[] {
  const { nodes } = snapshot;
  const unread = topology.groups.filter((each) => viewGroup(each, snapshot).phase === 'unread').map(({ name }) => name);
  const groups = [...new Set(nodes.map(({ group }) => group))].filter((group) => !unread.includes(group));
  return groups.flatMap((group) => {
    const own = nodes.filter((node) => node.group === group && node.facts.record !== undefined);
    const linked = newestRecord(own)?.record;
    return linked === undefined ? [] : [{ group, nodes: own, linked }];
  });
}

type Claimable = Pick<Recorded, 'group' | 'linked'> & {
  readonly newest: GroupRecord;
  readonly targets: readonly ObservedNode[];
  /** With the volumes that cannot be read now: an earlier holder of the lock could still promote by half of them. */
  readonly votes: number;
};

async function readGroup({ group, nodes, linked }: Recorded, { engine }: ActionContext): Promise<readonly Claimable[]> {
  const read = await Promise.allSettled(
    nodes.map(async (node) => {
      const files = await readRecordFiles(engine, node);
      return { node, files, records: files.flatMap(({ text }) => parseRecord(text) ?? []).toSorted(newestFirst) };
    }),
  );
  const volumes = read.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = read.find((each) => each.status === 'rejected');
  // By more than half of them, what a leader was promoted by is known.
  if (failed !== undefined && volumes.length * 2 <= nodes.length) throw failed.reason;
  const whole = volumes.flatMap(({ records }) => records).toSorted(newestFirst)[0];
  const texts = volumes.flatMap(({ files }) => files);
  const newest = recoverLinked(group, linked, whole, texts);
  if (newest === undefined) return [];
  // An older volume of who leads, just mounted, is not what it leads with: its record is of before that reign.
  const targets = volumes.filter(
    ({ node, records: [own] }) =>
      node.slot !== newest.leader ||
      node.container.state !== 'created' ||
      (own !== undefined && isSameReign(own, newest)),
  );
  const votes = nodes.length - (volumes.length - targets.length);
  return targets.length === 0 ? [] : [{ group, linked, newest, targets: targets.map(({ node }) => node), votes }];
}

/**
 * The engine syncs nothing: where the host fails soon after a claim, all volumes may link a record of which they have the
 * name alone. That tells who leads and who may have what was acknowledged. Throws where it is whole, and of another version.
 */
function recoverLinked(
  group: string,
  linked: RecordName,
  whole: GroupRecord | undefined,
  files: readonly RecordFile[],
): GroupRecord | undefined {
  if (whole !== undefined && compareRecords(linked, whole) <= 0) return whole;
  const name = formatRecordName(linked);
  if (files.some((each) => formatRecordName(each.name) === name && parseJson(each.text) !== undefined)) {
    throw new PgherdError(
      'node-failed',
      `${group}: the record ${name} is of a version of pgherd that this one does not know`,
      { remedy: 'use the version that wrote it' },
    );
  }
  if (whole === undefined) return undefined;
  const { epoch, version, leader, members, fork, sync } = linked;
  const isSame = isSameReign(linked, whole);
  const timeline = isSame || fork === undefined ? whole.timeline : nextTimeline(whole, fork);
  const reigns = isSame ? whole.reigns : nextReigns(whole, linked);
  return { ...whole, epoch, version, leader, members, fork, sync, timeline, reigns };
}

function newestFirst(a: GroupRecord, b: GroupRecord): number {
  return compareRecords(b, a);
}
