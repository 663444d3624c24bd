import type { Fork } from '../../src/postgres/layout.ts';

/** One record of the WAL. Two are the same only where they are one object: places alone may be the same in two histories. */
export type WalRecord = {
  /** Where it ends, bytes from 0/0. */
  readonly lsn: number;
  readonly is: 'row' | 'shutdown' | 'other';
  /** Of a row. */
  readonly id: number;
  /** The marks of leaders that whoever has replayed it has. */
  readonly reigns: string;
};

type Written = { readonly at: number; readonly by: string; readonly timeline: number };

/** When who wrote a row wrote its last one before its lead ended: it may have led again since then, on another timeline. */
export function lastOfReign(row: Written, all: readonly Written[]): number {
  const own = all.filter(({ by, timeline }) => by === row.by && timeline === row.timeline);
  return Math.max(row.at, ...own.map(({ at }) => at));
}

/** Where the first record of a system begins. */
const firstLsn = 0x1000000;

/** The database cluster of one volume. */
export class Database {
  readonly system: string;
  timeline = 1;
  /** Where timelines ended that it came through. */
  forks: readonly Fork[] = [];
  /** All that is on disk. */
  wal: WalRecord[] = [];
  /** Of a standby: how many of them are replayed. */
  #replayed = 0;
  /** `standby.signal` is there. */
  isStandby = false;
  /** `primary_conninfo` of postgresql.auto.conf, which goes before the configuration; undefined: it is not set. */
  conninfo: string | undefined;
  readonly slots = new Set<string>();
  /** No server starts on it. */
  isBroken = false;

  constructor(system: string) {
    this.system = system;
  }

  copy(): Database {
    const copy = new Database(this.system);
    copy.timeline = this.timeline;
    copy.forks = this.forks;
    copy.wal = [...this.wal];
    copy.#replayed = this.#replayed;
    copy.isStandby = this.isStandby;
    copy.conninfo = this.conninfo;
    copy.isBroken = this.isBroken;
    for (const slot of this.slots) copy.slots.add(slot);
    return copy;
  }

  get replayed(): number {
    return this.isStandby ? this.#replayed : this.wal.length;
  }

  set replayed(count: number) {
    this.#replayed = Math.min(count, this.wal.length);
  }

  get lsn(): number {
    return this.wal.at(-1)?.lsn ?? firstLsn;
  }

  get replayedLsn(): number {
    return this.replayed === 0 ? firstLsn : (this.wal[this.replayed - 1]?.lsn ?? firstLsn);
  }

  /** The marks of leaders in what is replayed. */
  get reigns(): string {
    return this.wal[this.replayed - 1]?.reigns ?? '';
  }

  write(is: WalRecord['is'], bytes: number, id = 0, reigns = this.wal.at(-1)?.reigns ?? ''): WalRecord {
    const record = { lsn: this.lsn + bytes, is, id, reigns };
    this.wal.push(record);
    return record;
  }

  /** Begins a timeline of its own where it has come to, of this number at least. */
  fork(number = 0): void {
    this.forks = [...this.forks, { timeline: this.timeline, lsn: this.lsn }];
    this.timeline = Math.max(this.timeline + 1, number);
    this.isStandby = false;
    this.write('other', 48);
  }

  /** Where the timeline that this one is on ended for another one; undefined: that does not come from it. */
  forkIn(other: Database): Fork | undefined {
    return other.forks.find(({ timeline }) => timeline === this.timeline);
  }

  /** All of its records are the first ones of the other. */
  isPrefixOf(other: Database): boolean {
    const last = this.wal.at(-1);
    return last === undefined || other.wal[this.wal.length - 1] === last;
  }
}
