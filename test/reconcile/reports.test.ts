import { describe, expect, it } from 'vitest';
import { isOfSameReign } from '../../src/postgres/reigns.ts';
import { diagnose, streamsFrom, type Heard } from '../../src/reconcile/reports.ts';

const leader: Heard = {
  recovery: false,
  timeline: 2,
  lsn: 5000,
  receiver: null,
  slots: { pgherd_1: 'reserved' },
  oldest: 1000,
  at: 10,
  isStill: true,
};
const follower: Heard = { ...leader, recovery: true, lsn: 4000, slots: {}, oldest: null, at: 9 };

/** Where timeline 1 ended for its leader. */
const forks = [{ timeline: 1, lsn: 3000 }];

/** The code of what ails a follower, `well` where nothing does. */
function ailmentOf(changes: Partial<Heard>, ofLeader: Partial<Heard> | null): string {
  const heard = ofLeader === null ? undefined : { ...leader, ...ofLeader };
  return diagnose(heard, { ...follower, ...changes }, 'pgherd_1')?.code ?? 'well';
}

describe('a follower', () => {
  it.each<readonly [string, Partial<Heard>, Partial<Heard> | null, string]>([
    ['that streams', { receiver: 'streaming' }, {}, 'well'],
    ['that waits for its leader', {}, {}, 'well'],
    ['that waits for a leader that says nothing', { lsn: 9000 }, null, 'well'],
    ['that waits for one that has not ended its recovery', { lsn: 9000, timeline: 3 }, { recovery: true }, 'well'],
    ['that takes writes, and follows nobody', { recovery: false }, {}, 'well'],
    ['on a later timeline than its leader', { timeline: 3 }, {}, 'diverged'],
    ['on an earlier timeline, which it can leave', { timeline: 1 }, {}, 'well'],
    ['on an earlier timeline, where that ended', { timeline: 1, lsn: 3000 }, { forks }, 'well'],
    ['on an earlier timeline, beyond its end', { timeline: 1, lsn: 3001 }, { forks }, 'diverged'],
    [
      'on a timeline before the last one, beyond its end',
      { timeline: 1, lsn: 3001 },
      { timeline: 3, forks: [...forks, { timeline: 2, lsn: 3500 }] },
      'diverged',
    ],
    ['on a timeline that its leader does not come from', { timeline: 2 }, { timeline: 3, forks }, 'diverged'],
    ['beyond the end of its timeline, on its way', { timeline: 1, lsn: 3001, isStill: false }, { forks }, 'well'],
    ['that has more WAL than its leader', { lsn: 6000 }, {}, 'diverged'],
    ['that has more WAL than its leader had before', { lsn: 6000 }, { at: 8 }, 'well'],
    ['that still replays WAL of its own', { lsn: 6000, isStill: false }, {}, 'well'],
    ['whose slot is lost', {}, { slots: { pgherd_1: 'lost' } }, 'wal-gone'],
    ['that streams although its slot is lost', { receiver: 'streaming' }, { slots: { pgherd_1: 'lost' } }, 'well'],
    ['that needs older WAL than its leader has', { lsn: 900 }, {}, 'wal-gone'],
    ['that has such WAL itself and replays it', { lsn: 900, isStill: false }, {}, 'well'],
  ])('%s', (_, changes, ofLeader, expected) => {
    expect(ailmentOf(changes, ofLeader)).toBe(expected);
  });
});

describe('a follower streams', () => {
  const lists = { replica1: { state: 'streaming', lsn: 4000 } };
  it.each<readonly [string, Partial<Heard> | null, Partial<Heard> | null, boolean]>([
    ['where both say so', {}, { senders: lists }, true],
    ['not where its leader does not list it', {}, { senders: {} }, false],
    ['not while it catches up', {}, { senders: { replica1: { state: 'catchup', lsn: 1 } } }, false],
    ['not where only its leader says so, as while it is cloned', { receiver: null }, { senders: lists }, false],
    ['not where it says nothing', null, { senders: lists }, false],
    ['not where it takes writes', { recovery: false }, { senders: lists }, false],
    ['not on the timeline before', { timeline: 1 }, { senders: lists }, false],
    ['by its own word while nobody hears its leader', {}, null, true],
    ['by its own word while its leader does not lead yet', {}, { recovery: true, senders: null }, true],
    ['by its own word where its leader reports as an earlier version did', {}, {}, true],
  ])('%s', (_, changes, ofLeader, expected) => {
    const own = changes === null ? undefined : { ...follower, receiver: 'streaming', ...changes };
    expect(streamsFrom(ofLeader === null ? undefined : { ...leader, ...ofLeader }, own, 'replica1')).toBe(expected);
  });
});

const led = 'cc@4500 aa@1000';

describe('what a follower says that it has received counts', () => {
  it.each<readonly [string, Partial<Heard>, boolean]>([
    ['where it has the mark of its leader', { reigns: led }, true],
    ['where it has that of a leader before', { reigns: 'aa@1000' }, true],
    ['where it has none yet', {}, true],
    ['not where it has that of a leader that its own does not come from', { reigns: 'bb@3000 aa@1000' }, false],
  ])('%s', (_, changes, expected) => {
    expect(isOfSameReign({ ...leader, reigns: led }, { ...follower, ...changes })).toBe(expected);
  });
});

describe('a follower that has marks of leaders', () => {
  it.each<readonly [string, Partial<Heard>, Partial<Heard>, string]>([
    ['of its leader', { reigns: led, lsn: 4600 }, { reigns: led }, 'well'],
    ['of its leader, and of one before that it forgot', { reigns: 'cc@4500 aa@1000 99@1' }, { reigns: led }, 'well'],
    ['and has not come to that of its leader', { reigns: 'aa@1000', lsn: 4400 }, { reigns: led }, 'well'],
    ['and replays while it is asked', { reigns: 'aa@1000', lsn: 4600, isStill: false }, { reigns: led }, 'well'],
    ['and none yet, from before there were any', { lsn: 4400 }, { reigns: led }, 'well'],
    ['and its leader none', { reigns: null }, { reigns: null }, 'well'],
    [
      'and its leader was asked before it wrote its own',
      { reigns: led, isStill: false },
      { reigns: 'aa@1000', lsn: 4400 },
      'well',
    ],
    ['the same, heard in the other order', { reigns: led, at: 11 }, { reigns: 'aa@1000', lsn: 4600 }, 'well'],
    ['and the newest is not whole yet', { reigns: 'cc aa@1000' }, { reigns: led }, 'well'],
    ['of another leader', { reigns: 'bb@3000 aa@1000' }, { reigns: led }, 'diverged'],
    [
      'of another leader, whose records seem to go on',
      { reigns: 'bb@3000 aa@1000', receiver: 'streaming', isStill: false },
      { reigns: led },
      'diverged',
    ],
    ['and has come past that of its leader without it', { reigns: 'aa@1000', lsn: 4600 }, { reigns: led }, 'diverged'],
    ['none, past that of its leader', { lsn: 4600, receiver: 'streaming' }, { reigns: led }, 'diverged'],
  ])('%s', (_, changes, ofLeader, expected) => {
    expect(ailmentOf(changes, ofLeader)).toBe(expected);
  });
});
