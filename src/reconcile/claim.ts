import { PgherdError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { compareRecords, formatRecordName, isSameReign, type RecordName } from '../postgres/layout.ts';
import { parseRecord, type GroupRecord } from '../postgres/record.ts';
import type { Topology } from '../topology/model.ts';
import type { ActionContext } from './actions.ts';
import { newestRecord, viewGroup } from './group.ts';
import { keepInMind, nextTimeline, writeRecord } from './kinds/group-record.ts';
import { targetOf } from './kinds/find-node.ts';
import { isFatal, type Lock } from './lock.ts';
import { readRecordFiles, type RecordFile } from './observe.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** What a holder of the lock has claimed, over its whole tenure. */
export type Tenure = {
  /** undefined: it has claimed nothing yet. */
  epoch: number | undefined;
  /** Groups that could not be claimed, and why: nothing is done to them, though some of their volumes may be of the epoch. */
  unclaimed: ReadonlyMap<string, PgherdError>;
};

export function newTenure(): Tenure {
  return { epoch: undefined, unclaimed: new Map() };
}

/**
 * Whether the newest records of all groups are of this epoch, but for those that could not be claimed: nobody else has held
 * the lock since.
 */
export function isClaimed(topology: Topology, snapshot: Snapshot, { epoch, unclaimed }: Tenure): boolean {
  const isOwn = ({ group, linked }: Recorded): boolean => linked.epoch === epoch || unclaimed.has(group);
  return epoch !== undefined && recordedGroups(topology, snapshot).every(isOwn);
}

/**
 * Writes the record of each group again, under an epoch of this holder of the lock, into every volume that can be reached:
 * from then on nodes refuse what an earlier holder instructs, and what that writes late does not count. What counts is
 * the newest record in any volume, whatever its link says: an earlier holder may have set that last. A group whose majority
 * cannot be read or written, or that goes by a record of a version that this one does not know, is left unclaimed, and holds
 * up no other. The caller looks again afterwards where the claims changed, which is returned: an earlier holder may have
 * acted until then. Throws `lock-lost` if the lock went meanwhile, and where the engine cannot be asked.
 */
export async function claim(
  topology: Topology,
  snapshot: Snapshot,
  tenure: Tenure,
  lock: Lock,
  context: ActionContext,
): Promise<boolean> {
  const { epoch: own, unclaimed: before } = tenure;
  const recorded = recordedGroups(topology, snapshot);
  const failed = new Map([...before].filter(([group]) => isUnread(group, recorded, snapshot)));
  const read = await eachGroup(recorded, failed, (each) => readGroup(each, context));
  const known = read.flatMap((each) => each ?? []);
  // Links that were set back count too: others go by them.
  const behind = known.filter(
    ({ group, newest, linked }) => newest.epoch !== own || linked.epoch !== own || before.has(group),
  );
  // One that was not claimed yet, or in too few of its volumes, is no reason to claim the others again.
  const isOwn =
    own !== undefined &&
    behind.every(({ group, newest, linked }) => before.has(group) || (newest.epoch < own && linked.epoch < own));
  const found = [...known.map(({ newest }) => newest.epoch), ...recorded.map(({ linked }) => linked.epoch)];
  const epoch = isOwn ? own : Math.max(lock.since, own ?? 0, ...found.map((each) => each + 1));
  const claimed = isOwn ? behind : known;
  if (!isOwn || claimed.length > 0) {
    await lock.verify();
    await eachGroup(claimed, failed, async ({ group, newest, targets }) => {
      const record = { ...newest, epoch };
      await writeRecord(record, targets.map(targetOf), context);
      keepInMind(group, record, context);
    });
    await lock.verify();
  }
  tenure.epoch = epoch;
  tenure.unclaimed = failed;
  const isNews = [...failed.keys()].some((group) => !before.has(group));
  return isNews || claimed.some(({ group }) => !failed.has(group));
}

/** Does something to each group, and notes why it fails at those at which it does. Throws what concerns them all. */
async function eachGroup<T extends { readonly group: string }, R>(
  groups: readonly T[],
  failed: Map<string, PgherdError>,
  act: (each: T) => Promise<R>,
): Promise<readonly (R | undefined)[]> {
  return Promise.all(
    groups.map((each) =>
      act(each).catch((error: unknown) => {
        if (!(error instanceof PgherdError) || isFatal(error)) throw error;
        failed.set(each.group, error);
        return undefined;
      }),
    ),
  );
}

// It has records, and cannot be claimed now, since too few of its volumes are read.
function isUnread(group: string, recorded: readonly Recorded[], { nodes }: Snapshot): boolean {
  return (
    !recorded.some((each) => each.group === group) && nodes.some((node) => node.group === group && node.facts.record)
  );
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
  return targets.length === 0 ? [] : [{ group, linked, newest, targets: targets.map(({ node }) => node) }];
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
  const timeline = isSameReign(linked, whole) || fork === undefined ? whole.timeline : nextTimeline(whole, fork);
  return { ...whole, epoch, version, leader, members, fork, sync, timeline };
}

function newestFirst(a: GroupRecord, b: GroupRecord): number {
  return compareRecords(b, a);
}
