import { PgherdError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import { compareRecords, formatRecordName, isSameReign, type RecordName } from '../postgres/layout.ts';
import { parseRecord, type GroupRecord } from '../postgres/record.ts';
import type { Topology } from '../topology/model.ts';
import type { Engine } from '../docker/engine.ts';
import { settlesWithin } from '../docker/deadline.ts';
import type { ActionContext } from './actions.ts';
import { newestRecord, viewGroup } from './group.ts';
import { keepInMind, nextTimeline, writeRecord } from './kinds/group-record.ts';
import { targetOf } from './kinds/find-node.ts';
import { isFatal, type Lock } from './lock.ts';
import { readRecordFiles, type RecordFile } from './observe.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** What a holder of the lock has claimed, over its whole tenure. */
export type Tenure = {
  /** The number of this holder, higher with each claim; undefined: it has claimed nothing yet. */
  epoch: number | undefined;
  /** By group; one that was never tried is not in it. */
  readonly claims: Map<string, Claim>;
};

export type Claim =
  | { readonly is: 'claimed'; readonly epoch: number }
  /** Some of its volumes may be of an epoch of this holder all the same. `again`: when it may be tried again. */
  | { readonly is: 'failed'; readonly error: PgherdError; readonly again: number };

export function newTenure(): Tenure {
  return { epoch: undefined, claims: new Map() };
}

/** Milliseconds in which a volume is read or written for a claim: no group waits for one that hangs. */
const claimTime = 10_000;

/** Milliseconds until a group that could not be claimed is tried again. */
const claimPause = 10_000;

/** A group whose newest record may be somebody else's. */
export type Unclaimed = Recorded & { readonly failed: Extract<Claim, { is: 'failed' }> | undefined };

/** The groups that have a record, and have not been claimed, or not since somebody else held the lock. */
export function findUnclaimed(topology: Topology, snapshot: Snapshot, tenure: Tenure): readonly Unclaimed[] {
  return recordedGroups(topology, snapshot).flatMap((each) => {
    const found = tenure.claims.get(each.group);
    if (isOwn(each.linked, found, tenure)) return [];
    return [{ ...each, failed: found?.is === 'failed' ? found : undefined }];
  });
}

// A group that was begun in this tenure is claimed by its first record.
function isOwn({ epoch }: RecordName, found: Claim | undefined, { epoch: own }: Tenure): boolean {
  if (own === undefined || found?.is === 'failed') return false;
  return epoch <= own && epoch >= (found?.epoch ?? own);
}

/**
 * Writes the record of each of these groups again, under a new epoch of this holder of the lock, into every volume that can be
 * reached: from then on nodes refuse what an earlier holder instructs, and what that writes late does not count. What counts
 * is the newest record in any volume, whatever its link says: an earlier holder may have set that last. A group is left
 * unclaimed, and holds up no other, where most of its volumes cannot be read or written, or where it goes by a record that
 * this version does not know. The caller looks again afterwards: an earlier holder may have acted until then. Throws
 * `lock-lost` if the lock went meanwhile, and where the engine cannot be asked. `now`: milliseconds, of the clock of `again`.
 */
export async function claim(
  groups: readonly Unclaimed[],
  tenure: Tenure,
  lock: Lock,
  now: () => number,
  context: ActionContext,
): Promise<void> {
  const quick = { ...context, engine: inTime(context.engine) };
  const attempt = <T>({ group }: Pick<Recorded, 'group'>, act: () => Promise<T>): Promise<T | undefined> =>
    act().catch((error: unknown) => {
      if (!(error instanceof PgherdError) || isFatal(error)) throw error;
      tenure.claims.set(group, { is: 'failed', error: explain(group, error), again: now() + claimPause });
      return undefined;
    });
  const read = await Promise.all(
    groups.map((each) =>
      attempt(each, async () => {
        const found = await readGroup(each, quick);
        // Nothing can be written again, and its links say who leads as before.
        if (found === undefined) tenure.claims.set(each.group, { is: 'claimed', epoch: each.linked.epoch });
        return found;
      }),
    ),
  );
  const known = read.filter((each) => each !== undefined);
  const found = [...known.map(({ newest }) => newest.epoch), ...groups.map(({ linked }) => linked.epoch)];
  await lock.verify();
  const epoch = Math.max(lock.since, ...[tenure.epoch ?? 0, ...found].map((each) => each + 1));
  // Whatever becomes of it, no other record is written under this number.
  tenure.epoch = epoch;
  const written = await Promise.all(
    known.map((each) =>
      attempt(each, async () => {
        const { group, newest, targets, votes } = each;
        tenure.claims.set(group, { is: 'failed', error: explain(group, cutShort), again: 0 });
        const record = { ...newest, epoch };
        await writeRecord(record, targets.map(targetOf), quick, votes);
        return { group, record };
      }),
    ),
  );
  await lock.verify();
  for (const each of written) {
    if (each === undefined) continue;
    tenure.claims.set(each.group, { is: 'claimed', epoch });
    keepInMind(each.group, each.record, context);
  }
}

const cutShort = new PgherdError('engine-error', 'writing it was cut short', { retry: true });

function explain(group: string, error: PgherdError): PgherdError {
  const message = `nothing is done to ${group} until its record can be written again, against controllers of before`;
  const { code, remedy, retry } = error;
  return new PgherdError(code, `${message}: ${error.message}`, { cause: error, remedy, retry });
}

function inTime(engine: Engine): Engine {
  const limit = async <T>(call: Promise<T>): Promise<T> => {
    if (await settlesWithin(claimTime, call)) return call;
    throw new PgherdError('engine-timeout', `a volume was not read or written in ${String(claimTime / 1000)} s`, {
      retry: true,
    });
  };
  return {
    ...engine,
    readArchive: (...args) => limit(engine.readArchive(...args)),
    writeArchive: (...args) => limit(engine.writeArchive(...args)),
  };
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

type Claimable = Pick<Recorded, 'group'> & {
  readonly newest: GroupRecord;
  readonly targets: readonly ObservedNode[];
  /** More than half of so many volumes must have the record. */
  readonly votes: number;
};

async function readGroup(
  { group, nodes, linked }: Recorded,
  { engine }: ActionContext,
): Promise<Claimable | undefined> {
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
  if (newest === undefined) return undefined;
  // An older volume of who leads, just mounted, is not what it leads with: its record is of before that reign.
  const targets = volumes.filter(
    ({ node, records: [own] }) =>
      node.slot !== newest.leader ||
      node.container.state !== 'created' ||
      (own !== undefined && isSameReign(own, newest)),
  );
  const votes = nodes.length - (volumes.length - targets.length);
  return { group, newest, targets: targets.map(({ node }) => node), votes };
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
