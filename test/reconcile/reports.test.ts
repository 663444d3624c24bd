import { describe, expect, it } from 'vitest';
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
