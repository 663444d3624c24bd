import { setTimeout as sleep } from 'node:timers/promises';
import { PgherdError } from '../../base/error.ts';
import type { NodeConfig, Role } from '../../postgres/config.ts';
import { baseName, compareRecords, formatRecordName, readRecordName, type RecordName } from '../../postgres/layout.ts';
import {
  keptChanges,
  nameOfRecord,
  parseRecord,
  recordEntries,
  recordsFolder,
  type GroupRecord,
  type LeaderChange,
} from '../../postgres/record.ts';
import { nodeRevision, revisionEntries } from '../../postgres/revision.ts';
import { passwordFingerprint } from '../../postgres/scram.ts';
import type { ActionContext } from '../actions.ts';
import { readText, writeFolder, type Placed } from './node-folder.ts';

export type NodeSettings = Omit<NodeConfig, 'role'>;

/** Where the record of a group can be read. */
export type RecordSource = Placed & { readonly record: RecordName };

/** A volume that a record is written into, at once with what its node is to be. */
export type RecordTarget = Placed & {
  readonly image: string;
  readonly config?: { readonly settings: NodeSettings; readonly role: Role; readonly atStart: boolean } | undefined;
};

/** The volumes that can say who leads. */
export type Votes = {
  /** Volumes of members that had a record. */
  readonly voters: readonly Placed[];
  /** How many there are with those that nobody reads: more than half of them must name who is promoted. */
  readonly votes: number;
};

/** Milliseconds in which enough volumes have the record that a node is promoted by: other steps may be writing it. */
const recordedTime = 5000;

/** Milliseconds between two looks at that. */
const recordedPause = 50;

/** A group's record, from what was last written or from a volume. */
export async function readRecord(group: string, source: RecordSource, context: ActionContext): Promise<GroupRecord> {
  const known = context.records.get(group);
  if (known !== undefined && compareRecords(known, source.record) >= 0) return known;
  const remembered = context.remembered.get(group);
  if (remembered !== undefined && nameOfRecord(remembered) === formatRecordName(source.record)) return remembered;
  const path = `${source.layout.home}/${recordsFolder}/${formatRecordName(source.record)}`;
  const record = parseRecord(await readText(context, source.container, path));
  if (record === undefined) {
    throw new PgherdError('node-failed', `the group record ${path} in ${source.container} cannot be read`, {
      remedy: 'compare it with the one in the volumes of the other nodes of the group',
    });
  }
  keepInMind(group, record, context);
  return record;
}

/** Under which the holder of the lock writes records. */
export function ownEpoch({ epoch }: ActionContext): number {
  const own = epoch();
  if (own === undefined) throw new Error('a record was to be written before the group was claimed');
  return own;
}

/**
 * Writes a record into volumes, where one fails into more than half of `votes` at least: into `spares` only where that takes
 * them.
 */
export async function writeRecord(
  record: GroupRecord,
  targets: readonly RecordTarget[],
  context: ActionContext,
  spares: readonly RecordTarget[] = [],
  votes = targets.length + spares.length,
): Promise<void> {
  const write = ({ config, ...target }: RecordTarget): Promise<void> => {
    const entries =
      config === undefined
        ? []
        : revisionEntries(nodeRevision({ ...config.settings, role: config.role }, target.layout), config.atStart);
    return writeFolder(target, target.image, context, [...recordEntries(record), ...entries]);
  };
  let written = await Promise.allSettled(targets.map(write));
  const isEnough = (): boolean => written.filter(({ status }) => status === 'fulfilled').length * 2 > votes;
  const failed = written.find((result) => result.status === 'rejected');
  if (failed === undefined || isEnough()) return;
  written = [...written, ...(await Promise.allSettled(spares.map(write)))];
  if (!isEnough()) throw failed.reason;
}

/**
 * Nobody is promoted by a record that could be forgotten: of any half of the volumes, one has it. Throws where they do not.
 * `name`: who is to be promoted.
 */
export async function proveRecorded(
  name: string,
  record: RecordName,
  { voters, votes }: Votes,
  { engine, signal }: ActionContext,
): Promise<void> {
  const holds = async ({ container, layout }: Placed): Promise<boolean> => {
    const target = await engine.readLink(container, `${layout.home}/record`).catch((error: unknown) => {
      if (error instanceof PgherdError) return undefined;
      throw error;
    });
    const seen = readRecordName(baseName(target));
    return seen?.leader === record.leader && compareRecords(seen, record) >= 0;
  };
  const end = performance.now() + recordedTime;
  for (;;) {
    const held = (await Promise.all(voters.map(holds))).filter(Boolean).length;
    if (held * 2 > votes) return;
    if (signal.aborted) throw new PgherdError('interrupted', 'called off');
    if (performance.now() >= end) {
      const message = `${name} is not promoted: ${String(held)} of ${String(votes)} volumes of its group say that it is to lead`;
      throw new PgherdError('node-failed', message, {
        remedy: 'bring back the containers of the others, so that more than half of the volumes can be written',
        retry: true,
      });
    }
    await sleep(recordedPause);
  }
}

/** The record that a group begins with: who bootstraps it, and passwords. */
export function firstRecord(group: string, slot: number, context: ActionContext): GroupRecord {
  const generate = (): string => context.randomBytes(24).toString('base64url');
  const given = context.passwordOf(group);
  return {
    format: 2,
    epoch: ownEpoch(context),
    version: 1,
    systemIdentifier: undefined,
    leader: slot,
    members: [slot],
    secrets: {
      version: 1,
      fingerprint: fingerprintOf(context.cluster, group, given),
      superuser: given ?? generate(),
      replication: generate(),
      monitor: generate(),
    },
  };
}

/** The group's secrets with the password that the file gives. */
export function renewSecrets(group: string, { secrets }: GroupRecord, context: ActionContext): GroupRecord['secrets'] {
  const given = context.passwordOf(group);
  if (given === undefined) return secrets;
  const fingerprint = fingerprintOf(context.cluster, group, given);
  return { ...secrets, version: secrets.version + 1, fingerprint, superuser: given };
}

/** The changes of leaders that a record keeps, with one more. */
export function remember({ changes = [] }: GroupRecord, change: Omit<LeaderChange, 'at'>): readonly LeaderChange[] {
  return [{ at: new Date().toISOString(), ...change }, ...changes].slice(0, keptChanges);
}

/**
 * The number of the timeline that begins with a change of leaders. By themselves, two that take over one after the other
 * begin two of the same number where the second has not heard of the first: nothing could tell their WAL apart.
 */
export function nextTimeline({ timeline, fork }: GroupRecord, change: Pick<LeaderChange, 'timeline'>): number {
  const last = timeline ?? (fork === undefined ? 1 : fork.timeline + 1);
  return Math.max(last, change.timeline) + 1;
}

/** Has the record not be read again. */
export function keepInMind(group: string, record: GroupRecord, { records, remembered }: ActionContext): void {
  records.set(group, record);
  remembered.set(group, record);
}

/** What the name of a group's secrets tells of the superuser's password. */
export function fingerprintOf(cluster: string, group: string, given: string | undefined): string {
  return given === undefined ? 'generated' : passwordFingerprint(given, `${cluster}/${group}`);
}
