import type { FenceCause, Handover, Place, Position, SyncList } from '../postgres/layout.ts';
import type { BlockCode } from './block-codes.ts';

/** A node of a group, as far as it matters who leads. */
export type Member = {
  readonly name: string;
  readonly slot: number;
  /** It is in the file. */
  readonly isWanted: boolean;
  /** `running`: so is its container; `down`: it is there, and its server surely is not; `missing`: there is no container. */
  readonly container: 'running' | 'down' | 'missing';
  /** Its volume holds a whole copy. */
  readonly hasData: boolean;
  /** It leads no more, or not yet: it cannot be started as it is. */
  readonly isFenced: boolean;
  /** Why. */
  readonly fencedFor: FenceCause | undefined;
  /** Bytes from 0/0 that it had written when it was told to stop in order. */
  readonly fencedAt: number | undefined;
  /** It is only to be started: it was taken out of service and may serve again, or its container is new. */
  readonly isReturning: boolean;
  /** It follows as soon as it is started, whoever leads. */
  readonly isStandby: boolean;
  /** It led before, and loses what it wrote alone as soon as it follows: nobody was promoted at a loss since then. */
  readonly isToRewind: boolean;
  /** It holds the write address. */
  readonly holdsAddress: boolean;
  /** It was told to follow nobody: how far it has come, and nothing follows. */
  readonly detached: Position | undefined;
  /** It was told to follow nobody, and still replays: it has no more than this. */
  readonly received: Place | undefined;
  /** What it said last: undefined where nobody heard it. A silent one may have come further since. */
  readonly said:
    | {
        readonly timeline: number;
        readonly lsn: number;
        /** What it had received, and need not have replayed; undefined: it did not say. */
        readonly received?: number | undefined;
        readonly isSilent: boolean;
        /** Milliseconds since then. */
        readonly ago: number;
      }
    | undefined;
  /** It streams from the leader; undefined: nobody knows, and it is not counted on. */
  readonly streams: boolean | undefined;
  /** Of the leader: it says so; of another: it does, and the record does not name it. */
  readonly takesWrites: boolean;
  /** It did not do what it was told to. */
  readonly failed: boolean;
};

/** All that a decision about who leads is made from. */
export type Situation = {
  readonly members: readonly Member[];
  /** Slot of the leader, by the record. */
  readonly leader: number;
  /** Where it began to lead; undefined: it was the first. */
  readonly fork: Place | undefined;
  readonly policy: {
    readonly mode: 'automatic' | 'manual';
    /** Milliseconds that a leader may take to come back in place. */
    readonly delay: number;
    /** Bytes of WAL. */
    readonly maxLag: number | undefined;
  };
  /** In quorum mode: who may hold what was acknowledged. */
  readonly sync: SyncList | undefined;
  /** A requested change of leaders that has not expired. */
  readonly handover: Pick<Handover, 'kind' | 'to'> | undefined;
  /** Milliseconds since the leader was first seen not to serve; undefined: it serves, or nobody says otherwise. */
  readonly lostFor: number | undefined;
  /** It runs, and it is certain that it does not answer. */
  readonly isHung: boolean;
  /** Bytes of WAL that the leader would have to replay, as it said last. */
  readonly redo: number | undefined;
  /** Milliseconds since the last change of leaders. */
  readonly sinceChange: number | undefined;
  /** Milliseconds until what an engine had running should be up again after its return. */
  readonly settlesIn: number;
};

export type Cause = 'failover' | 'switchover' | 'removed';

/** Why nobody else is made to lead. */
export type Hindrance = { readonly code: BlockCode; readonly detail: string; readonly remedy: string };

export type Decision =
  /** Who leads goes on, or is brought back in place; look again after so many milliseconds where a time is given. */
  | { readonly is: 'kept'; readonly recheck?: number; readonly blocked?: Hindrance }
  /** The leader is to lead no more: it is fenced, and those that may take over say how far they have come. */
  | {
      readonly is: 'fence';
      readonly cause: Cause;
      readonly why: string;
      /** Slots of those to be told to follow nobody. */
      readonly detach: readonly number[];
      /** Slots of those to be started for that. */
      readonly start: readonly number[];
    }
  | {
      readonly is: 'promote';
      readonly cause: Cause;
      readonly why: string;
      readonly to: number;
      readonly position: Position;
      /** Bytes that the old leader is known to have written and the new one has not; null: nobody knows. */
      readonly lostBytes: number | null;
    }
  /** What was requested cannot be done: the request ends. */
  | { readonly is: 'dismiss'; readonly why: string };
