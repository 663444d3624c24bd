import { slotName } from '../postgres/config.ts';
import { followedAnother } from '../postgres/reigns.ts';
import type { Report } from '../postgres/report.ts';
import type { Snapshot } from './snapshot.ts';

/** A report with what its time tells. */
export type Heard = Report & {
  /** Milliseconds of a clock that only goes forward: when it was heard. */
  readonly at: number;
  /** It has not replayed or written anything since a second ago at least. */
  readonly isStill: boolean;
  /** Of a leader that is listened to: when its followers were last seen to stream. */
  readonly streamed?: Streamed;
  /** Milliseconds for which a follower has not followed the leader that is heard; undefined: it does, or none is heard. */
  readonly driftsFor?: number | undefined;
};

/** Milliseconds of the clock of the reports. */
export type Streamed = {
  /** When the leader was first heard: what was before, nobody knows. */
  readonly since: number;
  /** By application_name. */
  readonly at: ReadonlyMap<string, number>;
};

/**
 * Milliseconds since a follower was last seen to stream from this leader; infinite where nobody listened, and what is seen
 * now is all that is known.
 */
export function unlinkedFor({ streamed }: Heard, name: string, now: number): number {
  return streamed === undefined ? Infinity : Math.max(0, now - (streamed.at.get(name) ?? streamed.since));
}

/** Milliseconds after which one that does not follow is not read from any more: it takes less to connect anew. */
const adriftAfter = 10_000;

/** Whether a follower has lost its leader for good, as far as its readers are concerned. */
export function isAdrift({ driftsFor }: Heard): boolean {
  return driftsFor !== undefined && driftsFor >= adriftAfter;
}

/** What servers said last, by container id. */
export type Reports = ReadonlyMap<string, Heard>;

/** All that is known from listening to servers. */
export type Voices = Pick<Snapshot, 'reports' | 'silent' | 'past' | 'heardUntil'>;

/**
 * Whether a follower streams from this leader: both say so, on the leader's timeline. The follower's word alone counts
 * while nobody hears the leader, or it does not lead yet. Of two reports one is a moment older: what both must say is seen a
 * moment later for that, and does not come and go.
 */
export function streamsFrom(leader: Report | undefined, follower: Report | undefined, name: string): boolean {
  if (follower?.recovery !== true || follower.receiver !== 'streaming') return false;
  if (leader === undefined || leader.recovery) return true;
  return leader.timeline === follower.timeline && isListedStreaming(leader, name);
}

/** Whether a follower is on its way with this leader, however far behind it is. */
export function follows(leader: Report, follower: Report, name: string): boolean {
  return streamsFrom(leader, follower, name) || leader.senders?.[name]?.state === 'catchup';
}

function isListedStreaming({ senders }: Report, name: string): boolean {
  // A revision of an earlier version does not tell.
  return senders === undefined || senders === null || listStreaming(senders).includes(name);
}

/** The names of those that a leader lists as streaming. */
export function listStreaming(senders: Report['senders']): readonly string[] {
  const streaming = Object.entries(senders ?? {}).filter(([, { state }]) => state === 'streaming');
  return streaming.map(([name]) => name).sort();
}

/** Why a follower cannot go on from the data it has. */
export type Ailment = { readonly code: 'diverged' | 'wal-gone'; readonly detail: string };

/** The slots of these followers that their leader says it has not, or has and cannot serve; none while it says nothing. */
export function findLackingSlots(leader: Heard | undefined, followers: readonly number[]): readonly string[] {
  if (leader === undefined || leader.recovery) return [];
  return followers.map(slotName).filter((name) => (leader.slots[name] ?? 'lost') === 'lost');
}

/**
 * Tells whether a follower must be cloned anew: it has what its leader has not, or what it lacks is gone from its leader.
 * It says nothing where it is not sure; who only waits for its leader is not ill, and who takes writes is no follower.
 */
export function diagnose(leader: Heard | undefined, follower: Heard | undefined, slot: string): Ailment | undefined {
  if (follower?.recovery !== true || leader === undefined || leader.recovery) return undefined;
  // Where its timeline ended for its leader. One that is beyond connects again and again, and may seem to stream.
  const isOlder = follower.isStill && follower.timeline < leader.timeline && leader.forks?.[0] !== undefined;
  const fork = leader.forks?.find(({ timeline }) => timeline === follower.timeline);
  if (isOlder && (fork === undefined || follower.lsn > fork.lsn)) {
    const what = fork === undefined ? 'a timeline' : `${String(follower.lsn - fork.lsn)} bytes of WAL`;
    return { code: 'diverged', detail: `it has ${what} from before its leader led, which that does not come from` };
  }
  if (followedAnother(leader, follower)) {
    return { code: 'diverged', detail: 'it has followed another leader past the point where its leader began to lead' };
  }
  if (follower.receiver === 'streaming') return undefined;
  if (follower.timeline > leader.timeline) {
    const [own, other] = [String(follower.timeline), String(leader.timeline)];
    return { code: 'diverged', detail: `it is on timeline ${own}, and its leader on ${other}` };
  }
  // What a leader says after a follower has stopped is at least what that follower ever had of it.
  if (follower.isStill && leader.at >= follower.at && follower.lsn > leader.lsn) {
    const ahead = String(follower.lsn - leader.lsn);
    return { code: 'diverged', detail: `it has ${ahead} bytes of WAL that its leader has not` };
  }
  if (leader.slots[slot] === 'lost') return { code: 'wal-gone', detail: 'its leader has removed WAL that it needs' };
  if (follower.isStill && leader.oldest !== null && follower.lsn < leader.oldest) {
    return { code: 'wal-gone', detail: 'its leader has removed WAL that it needs' };
  }
  return undefined;
}
