import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fenceCauses, type Position } from '../../src/postgres/layout.ts';
import { decideLeadership } from '../../src/reconcile/leadership.ts';
import { standstills } from '../../src/reconcile/standstills.ts';
import type { Decision, Member, Situation } from '../../src/reconcile/situation.ts';

const mebibyte = 2 ** 20;

/** The node that leads by the record, in slot 0; unless told otherwise it serves. */
function leader(change: Partial<Member> = {}): Member {
  return {
    name: 'primary',
    slot: 0,
    isWanted: true,
    container: 'running',
    hasData: true,
    isFenced: false,
    isReturning: false,
    isStandby: false,
    isToRewind: false,
    fencedFor: undefined,
    fencedAt: undefined,
    holdsAddress: true,
    detached: undefined,
    received: undefined,
    said: said(1000),
    streams: false,
    takesWrites: false,
    failed: false,
    ...change,
  };
}

/** A replica; unless told otherwise it streams, and has all that the leader wrote. */
function replica(slot: number, change: Partial<Member> = {}): Member {
  return {
    ...leader(),
    name: `replica${String(slot)}`,
    slot,
    isStandby: true,
    holdsAddress: false,
    streams: true,
    ...change,
  };
}

/** What a server says. */
function said(lsn: number, timeline = 1): Member['said'] {
  return { timeline, lsn, isSilent: false, ago: 0 };
}

/** What one said that does not speak any more; unless told otherwise when the leader spoke last. */
function once(lsn: number, timeline = 1, ago = 6000): Member['said'] {
  return { timeline, lsn, isSilent: true, ago };
}

/** How far one came that follows nobody. */
function detached(lsn: number, change: Partial<Position> = {}): Partial<Member> {
  return { detached: { timeline: 1, lsn, shut: false, ...change }, streams: false };
}

/** All that its leader wrote, its last word among it. */
const shutDown = detached(1000, { shut: true });

const ended: Partial<Member> = { container: 'down', said: once(1000) };
const hung: Partial<Member> = { said: once(1000) };
/** Out of service for good, whatever for. */
const fenced: Partial<Member> = { ...ended, isFenced: true, fencedFor: 'ended', holdsAddress: false };
/** What it wrote is kept, whoever leads. */
const kept: Partial<Member> = { container: 'down', fencedFor: 'forced', isFenced: true, isToRewind: false };
const fencedAsAsked: Partial<Member> = { ...fenced, fencedFor: 'asked', fencedAt: 950 };
/** Down as well, and last heard when it had everything. */
const down: Partial<Member> = { container: 'down', streams: undefined, said: once(1000) };
/** Its clone was cut short. */
const half: Partial<Member> = { hasData: false, streams: false };

const automatic: Situation['policy'] = { mode: 'automatic', delay: 5000, maxLag: undefined };
const atOnce: Situation['policy'] = { ...automatic, delay: 0 };
const manual: Situation['policy'] = { ...automatic, mode: 'manual' };

/** A group of three that is well, but for what is said. */
function decide(change: Partial<Situation>): Decision {
  return decideLeadership({
    members: [leader(), replica(1), replica(2)],
    leader: 0,
    fork: undefined,
    policy: automatic,
    sync: undefined,
    handover: undefined,
    lostFor: undefined,
    isHung: false,
    redo: undefined,
    sinceChange: undefined,
    settlesIn: 0,
    ...change,
  });
}

/** The leader is out of service, and of the others it is known how far they have come. */
function succeed(replicas: readonly Member[], change: Partial<Situation> = {}): Decision {
  const fencedFor = change.handover?.kind === 'failover-lossy' ? 'forced' : 'ended';
  return decide({ members: [leader({ ...fenced, fencedFor }), ...replicas], lostFor: 6000, ...change });
}

/** The code of what keeps anybody else from leading; undefined: nothing does. */
function hindrance(decision: Decision): string | undefined {
  return decision.is === 'kept' ? decision.blocked?.code : undefined;
}

/** Who is to lead. */
function successor(decision: Decision): number | undefined {
  return decision.is === 'promote' ? decision.to : undefined;
}

describe('a leader goes on', () => {
  it('while it serves', () => {
    expect(decide({})).toEqual({ is: 'kept' });
  });

  it('while it serves, whatever becomes of its replicas', () => {
    expect(decide({ members: [leader(), replica(1, { ...down, failed: true }), replica(2, half)] })).toEqual({
      is: 'kept',
    });
    expect(decide({ members: [leader()] })).toEqual({ is: 'kept' });
  });

  it('while nobody says that it does not serve, though its container is down', () => {
    expect(decide({ members: [leader({ container: 'down' }), replica(1)] })).toEqual({ is: 'kept' });
  });
});

describe('a leader that has ended', () => {
  const lost = (change: Partial<Situation> = {}): Decision =>
    decide({ members: [leader(ended), replica(1), replica(2)], lostFor: 2000, ...change });

  it('comes back in place within the delay, after which it is looked at again', () => {
    expect(lost()).toEqual({ is: 'kept', recheck: 3000 });
  });

  it('is replaced when the delay has passed', () => {
    expect(lost({ lostFor: 5000 })).toEqual({
      is: 'fence',
      cause: 'failover',
      why: 'primary, which leads, has ended',
      detach: [1, 2],
      start: [],
    });
  });

  it('is replaced at once where there is no delay', () => {
    expect(lost({ policy: atOnce, lostFor: 0 })).toMatchObject({ is: 'fence', cause: 'failover' });
  });

  it('is started where it was stopped in order and is only to lead on: nobody has more', () => {
    const members = [leader({ ...ended, isReturning: true }), replica(1), replica(2)];
    expect(lost({ policy: atOnce, members })).toEqual({ is: 'kept', recheck: 8000 });
    expect(lost({ policy: atOnce, members, lostFor: 10_000 })).toMatchObject({ is: 'fence' });
  });

  it('is waited for where only a human replaces it, who is told so when its time is over', () => {
    expect(lost({ policy: manual, lostFor: 0 })).toEqual({ is: 'kept', recheck: 5000 });
    expect(hindrance(lost({ policy: manual, lostFor: 3_600_000 }))).toBe('manual-failover');
  });

  it('is not waited for where it would replay for longer than another one takes', () => {
    expect(lost({ redo: 80 * mebibyte })).toMatchObject({ is: 'fence' });
    expect(lost({ redo: 8 * mebibyte })).toEqual({ is: 'kept', recheck: 3000 });
  });

  it('is waited for longer shortly after a change of leaders, so that they do not change all the time', () => {
    expect(lost({ policy: atOnce, sinceChange: 9000 })).toEqual({ is: 'kept', recheck: 8000 });
    expect(lost({ redo: 80 * mebibyte, sinceChange: 9000 })).toEqual({ is: 'kept', recheck: 8000 });
    expect(lost({ policy: atOnce, sinceChange: 11_000 })).toMatchObject({ is: 'fence' });
  });

  it('is waited for as long as the delay says, also where that is longer', () => {
    const policy = { ...automatic, delay: 60_000 };
    expect(lost({ policy, sinceChange: 9000 })).toEqual({ is: 'kept', recheck: 58_000 });
  });

  it('is waited for while all others are down too: after a start of the host who led leads again', () => {
    const members = [leader(ended), replica(1, down), replica(2, down)];
    expect(lost({ members, policy: atOnce })).toEqual({ is: 'kept', recheck: 8000 });
    expect(lost({ members, policy: atOnce, lostFor: 10_000 })).toMatchObject({ is: 'fence', start: [1, 2] });
  });

  it('is waited for until what an engine that came back had running should be up again, however long it is lost', () => {
    for (const lostFor of [0, 3_600_000]) {
      expect(lost({ policy: atOnce, lostFor, settlesIn: 4000 })).toEqual({ is: 'kept', recheck: 4000 });
    }
  });

  it('is replaced without asking one that led before it and is out of service: that one starts under no leader only', () => {
    const before = replica(1, { ...ended, isStandby: false, said: once(1200) });
    const members = [leader({ ...fenced, fencedFor: 'hung' }), before, replica(2, detached(1000))];
    const fork = { timeline: 1, lsn: 1000 };
    expect(decide({ members, fork })).toMatchObject({ is: 'promote', to: 2 });
    // What its leader began with is in two volumes: the leader is to come back.
    const behind = [...members.slice(0, 2), replica(2, detached(990))];
    expect(hindrance(decide({ members: behind, fork }))).toBe('incomplete');
  });

  it('stays out of service when it was taken out, however short ago that was', () => {
    const members = [leader(fenced), replica(1), replica(2)];
    for (const lostFor of [undefined, 0]) {
      for (const policy of [automatic, manual]) {
        expect(decide({ members, lostFor, policy, sinceChange: 100 })).toEqual({
          is: 'fence',
          cause: 'failover',
          why: 'primary, which led, has ended',
          detach: [1, 2],
          start: [],
        });
      }
    }
  });
});

describe('a leader that does not answer', () => {
  const silent = (change: Partial<Situation> = {}): Decision =>
    decide({ members: [leader(hung), replica(1), replica(2)], policy: atOnce, lostFor: 1000, ...change });

  it('may only have been started, and is given time to answer, whatever the delay', () => {
    expect(silent()).toEqual({ is: 'kept', recheck: 2000 });
    expect(silent({ lostFor: 3000 })).toMatchObject({ is: 'fence' });
  });

  it('is replaced at once when it is certain that it hangs', () => {
    expect(silent({ isHung: true })).toEqual({
      is: 'fence',
      cause: 'failover',
      why: 'primary, which leads, does not answer',
      detach: [1, 2],
      start: [],
    });
  });

  it('is waited for as the delay says, also when it is certain', () => {
    expect(silent({ isHung: true, policy: automatic })).toEqual({ is: 'kept', recheck: 4000 });
  });

  it('was told to stop to no avail: it is killed like any other that hangs, and restarted where nobody may replace it', () => {
    for (const fencedFor of ['asked', 'removed'] as const) {
      const members = [leader({ ...fencedAsAsked, ...hung, fencedFor }), replica(1), replica(2)];
      const handover = { kind: 'switchover', to: undefined } as const;
      expect(silent({ members, handover, isHung: true })).toMatchObject({ is: 'fence', cause: 'failover' });
      const manual = { ...atOnce, mode: 'manual' } as const;
      expect(silent({ members, handover, isHung: true, policy: manual })).toMatchObject({ is: 'kept' });
    }
  });

  it('is remembered as such when it was taken out of service', () => {
    const members = [leader({ ...fenced, fencedFor: 'hung' }), replica(1), replica(2)];
    expect(decide({ members })).toMatchObject({ is: 'fence', why: 'primary, which led, did not answer' });
  });
});

describe('where another node takes writes', () => {
  const second = replica(1, { takesWrites: true, streams: false, said: said(1100, 2) });
  const dead = leader(ended);
  const to = (slot: number): Partial<Situation> => ({ handover: { kind: 'failover', to: slot } });

  it('nobody is promoted by itself: a human says which of the two is to lead', () => {
    for (const members of [
      [dead, second, replica(2)],
      [leader(fenced), second, replica(2, detached(1000))],
    ]) {
      const decision = decide({ members, lostFor: 60_000 });
      expect(hindrance(decision)).toBe('second-writer');
      expect(hindrance(decide({ members, lostFor: 60_000, ...to(2) }))).toBe('second-writer');
    }
  });

  it('a leader that serves goes on, and hands over to nobody until the other one is stopped', () => {
    const members = [leader({ takesWrites: true }), second, replica(2)];
    expect(decide({ members })).toEqual({ is: 'kept' });
    expect(decide({ members, handover: { kind: 'switchover', to: 2 } })).toEqual({ is: 'kept' });
  });

  it('that one leads where a human says so, compared by where it parted from the others', () => {
    const parted = { ...second, ...detached(1000) };
    expect(decide({ members: [dead, second, replica(2)], ...to(1) })).toMatchObject({ is: 'fence', detach: [1, 2] });
    const done = decide({ members: [leader(fenced), parted, replica(2, detached(1000))], ...to(1), lostFor: 6000 });
    expect(done).toMatchObject({ is: 'promote', to: 1, lostBytes: 0 });
    const members = [leader(fenced), { ...second, ...detached(900) }, replica(2, detached(1000))];
    expect(hindrance(decide({ members, ...to(1) }))).toBe('not-the-most-advanced');
    const forced = [leader({ ...fenced, fencedFor: 'forced' }), ...members.slice(1)];
    const lossy = decide({ members: forced, handover: { kind: 'failover-lossy', to: 1 }, lostFor: 6000 });
    expect(lossy).toMatchObject({ is: 'promote', to: 1, lostBytes: 100 });
  });
});

describe('a leader whose data is gone', () => {
  it('is replaced without waiting for it', () => {
    expect(decide({ members: [leader({ hasData: false }), replica(1)], lostFor: 0 })).toMatchObject({
      is: 'fence',
      cause: 'failover',
      why: 'the data of primary, which leads, is gone',
      detach: [1],
    });
  });

  it('is replaced when its volume and container are gone', () => {
    const gone = leader({ hasData: false, container: 'missing', holdsAddress: false, said: undefined });
    expect(decide({ members: [gone, replica(1, detached(1000))] })).toMatchObject({
      is: 'promote',
      to: 1,
      lostBytes: null,
    });
  });

  it('is replaced when nothing is left of it at all', () => {
    expect(decide({ members: [replica(1, detached(1000))] })).toMatchObject({
      is: 'promote',
      to: 1,
      why: 'the data of slot 0, which leads, is gone',
    });
  });

  it('waits for a human where only a human replaces it', () => {
    expect(hindrance(decide({ members: [leader({ hasData: false }), replica(1)], policy: manual }))).toBe(
      'manual-failover',
    );
  });
});

describe('a leader that is no longer in the file', () => {
  const removed = (...replicas: readonly Member[]): Decision =>
    decide({ members: [leader({ isWanted: false }), ...replicas] });

  it('hands over in order', () => {
    expect(removed(replica(1))).toEqual({
      is: 'fence',
      cause: 'removed',
      why: 'primary leads, and is no longer in the file',
      detach: [1],
      start: [],
    });
  });

  it('leads until a replica streams', () => {
    expect(hindrance(removed(replica(1, { streams: false })))).toBe('no-candidate');
    expect(hindrance(removed())).toBe('no-candidate');
  });

  it('is replaced by one that has its last word', () => {
    const members = [leader({ ...fencedAsAsked, isWanted: false, fencedFor: 'removed' }), replica(1, shutDown)];
    expect(decide({ members, lostFor: 100 })).toMatchObject({ is: 'promote', cause: 'removed', to: 1, lostBytes: 0 });
  });

  it('leads on where nobody has its last word, or only that of an earlier end', () => {
    for (const other of [detached(900), detached(940, { shut: true })]) {
      const members = [leader({ ...fencedAsAsked, isWanted: false, fencedFor: 'removed' }), replica(1, other)];
      expect(hindrance(decide({ members, lostFor: 100 }))).toBe('not-received');
    }
  });

  it('that has ended is replaced by one that has most', () => {
    const members = [leader({ ...fenced, isWanted: false }), replica(1, detached(900)), replica(2, detached(800))];
    expect(decide({ members, lostFor: 6000 })).toMatchObject({ is: 'promote', cause: 'removed', to: 1 });
  });
});

describe('a switchover', () => {
  const asked = { kind: 'switchover', to: undefined } as const;
  const toSecond = { kind: 'switchover', to: 2 } as const;
  const hand = (replicas: readonly Member[], handover: Situation['handover'] = asked): Decision =>
    decide({ members: [leader(fencedAsAsked), ...replicas], handover });

  it('takes the leader out of service, and has all the others say how far they have come', () => {
    for (const handover of [asked, toSecond]) {
      expect(decide({ handover })).toEqual({
        is: 'fence',
        cause: 'switchover',
        why: 'a switchover was asked for',
        detach: [1, 2],
        start: [],
      });
    }
  });

  it('is done also where only a human replaces a leader that is gone', () => {
    expect(decide({ handover: asked, policy: manual })).toMatchObject({ is: 'fence', cause: 'switchover' });
  });

  it('without a target makes the one lead that has most', () => {
    expect(hand([replica(1, detached(990)), replica(2, shutDown)])).toEqual({
      is: 'promote',
      cause: 'switchover',
      why: 'a switchover was asked for',
      to: 2,
      position: { timeline: 1, lsn: 1000, shut: true },
      lostBytes: 0,
    });
  });

  it('with a target makes that one lead', () => {
    expect(successor(hand([replica(1, shutDown), replica(2, shutDown)], toSecond))).toBe(2);
  });

  it('that has expired is as if it had never been requested, also once it has begun: the leader leads on', () => {
    const members = [leader(fencedAsAsked), replica(1, shutDown), replica(2, shutDown)];
    expect(decide({ members, handover: undefined })).toEqual({ is: 'kept' });
  });

  it('waits for a replica that streams', () => {
    const members = [leader(), replica(1, { streams: false }), replica(2, down)];
    expect(hindrance(decide({ members, handover: asked }))).toBe('no-candidate');
  });

  it('waits for its target to stream, whoever else does', () => {
    const members = [leader(), replica(1), replica(2, { streams: false })];
    const decision = decide({ members, handover: toSecond });
    expect(hindrance(decision)).toBe('no-candidate');
    expect(decision).toMatchObject({
      blocked: { detail: expect.stringContaining('replica2 does not stream') as unknown },
    });
  });

  it('waits for a replica that is near its end: the leader waits for it when it stops', () => {
    const written = leader({ said: said(100 * mebibyte) });
    const far = replica(1, { said: said(80 * mebibyte) });
    const near = replica(2, { said: said(90 * mebibyte) });
    expect(hindrance(decide({ members: [written, far], handover: asked }))).toBe('no-candidate');
    expect(decide({ members: [written, far, near], handover: asked })).toMatchObject({ is: 'fence' });
    expect(decide({ members: [written, far, near], handover: toSecond })).toMatchObject({ is: 'fence' });
    expect(hindrance(decide({ members: [written, far, near], handover: { ...asked, to: 1 } }))).toBe('no-candidate');
  });

  it('is not begun where nobody knows who streams', () => {
    const members = [leader(), replica(1, { streams: undefined, said: undefined })];
    expect(hindrance(decide({ members, handover: asked }))).toBe('no-candidate');
  });

  it('to a target that is not there waits for it', () => {
    expect(hindrance(decide({ handover: { kind: 'switchover', to: 7 } }))).toBe('no-candidate');
  });

  it('is over where the target has not received all that the leader wrote: nothing is lost, the leader leads again', () => {
    expect(hand([replica(1, shutDown), replica(2, detached(1000))], toSecond)).toEqual({
      is: 'dismiss',
      why: 'replica2 has not received all that primary wrote',
    });
  });

  it.each(['switchover', 'failover', 'failover-lossy'] as const)(
    'is nothing to do where its target leads already, and so is a %s',
    (kind) => {
      expect(decide({ handover: { kind, to: 0 } })).toEqual({ is: 'kept' });
    },
  );

  it('is as if nobody had asked where the leader is gone: it comes back in place within the delay', () => {
    const members = [leader(ended), replica(1), replica(2)];
    expect(decide({ members, handover: asked, lostFor: 2000 })).toEqual({ is: 'kept', recheck: 3000 });
    expect(decide({ members, handover: asked, lostFor: 5000 })).toMatchObject({ is: 'fence', cause: 'failover' });
  });

  it('needs no quorum where the new leader has the last word of the old one', () => {
    const members = [leader(fencedAsAsked), replica(1, shutDown), replica(2, { container: 'missing', hasData: false })];
    expect(successor(decide({ members, handover: asked, sync: { num: 1, listed: [1, 2] } }))).toBe(1);
  });
});

describe('a failover that somebody asks for', () => {
  const asked = { kind: 'failover', to: undefined } as const;
  const lossy = { kind: 'failover-lossy', to: undefined } as const;

  it('replaces the leader though it serves, at once, and where only a human replaces it', () => {
    expect(decide({ handover: asked, policy: manual })).toEqual({
      is: 'fence',
      cause: 'failover',
      why: 'a failover was asked for',
      detach: [1, 2],
      start: [],
    });
  });

  it('makes its target lead', () => {
    const replicas = [replica(1, detached(1000)), replica(2, detached(1000))];
    expect(successor(succeed(replicas, { handover: { ...asked, to: 2 } }))).toBe(2);
  });

  it('needs as much as any other: nobody is promoted where another one may have more', () => {
    const replicas = [replica(1, detached(1000)), replica(2, { container: 'missing', hasData: false })];
    const sync = { num: 1, listed: [1, 2] };
    expect(hindrance(succeed(replicas, { handover: asked, sync }))).toBe('quorum-lost');
    expect(
      hindrance(succeed([replica(1, detached(900))], { handover: asked, policy: { ...automatic, maxLag: 10 } })),
    ).toBe('too-far-behind');
  });

  it('where losses are accepted is done with what is there', () => {
    const replicas = [
      replica(1, detached(900)),
      replica(2, { ...down, failed: true, said: undefined }),
      replica(3, { container: 'missing', hasData: false }),
    ];
    expect(succeed(replicas, { handover: lossy, sync: { num: 1, listed: [1, 2, 3] } })).toMatchObject({
      is: 'promote',
      to: 1,
      lostBytes: 100,
    });
    expect(successor(succeed(replicas, { handover: lossy, sync: { num: 1, listed: [] } }))).toBe(1);
    expect(successor(succeed(replicas, { handover: lossy, policy: { ...automatic, maxLag: 10 } }))).toBe(1);
  });

  it('where losses are accepted marks a leader that was fenced before: what it has is kept', () => {
    const members = [leader(fenced), replica(1, detached(900)), replica(2, detached(900))];
    expect(decide({ members, lostFor: 6000, handover: lossy })).toMatchObject({ is: 'fence', detach: [] });
    const marked = [leader({ ...fenced, fencedFor: 'forced' }), ...members.slice(1)];
    expect(decide({ members: marked, lostFor: 6000, handover: lossy })).toMatchObject({ is: 'promote', to: 1 });
  });

  it('where losses are accepted starts nobody for it, unless nobody else is there', () => {
    const members = [leader(ended), replica(1), replica(2, { ...down, said: undefined })];
    expect(decide({ members, handover: lossy, lostFor: 0 })).toMatchObject({ is: 'fence', detach: [1], start: [] });
    const alone = [leader(ended), replica(2, down)];
    expect(decide({ members: alone, handover: lossy, lostFor: 0 })).toMatchObject({ detach: [2], start: [2] });
  });

  it('still needs the old leader proven dead', () => {
    const members = [leader({ ...fenced, container: 'running' }), replica(1, detached(1000))];
    expect(decide({ members, handover: lossy })).toMatchObject({ is: 'fence', detach: [] });
  });

  it('makes nobody lead that does not say how far it has come', () => {
    const decision = succeed([replica(1, { failed: true })], { handover: lossy });
    expect(decision).toMatchObject({ is: 'dismiss', why: expect.stringMatching('no replica') as string });
  });
});

describe('nobody is promoted before the old leader is out of service', () => {
  it.each<readonly [string, Partial<Member>]>([
    ['runs', { ...fenced, container: 'running' }],
    ['may be started as it is', { ...fenced, isFenced: false }],
    ['holds the write address', { ...fenced, holdsAddress: true }],
  ])('so not while it %s', (_, change) => {
    const members = [leader(change), replica(1, detached(1000))];
    expect(decide({ members, lostFor: 6000, isHung: true })).toMatchObject({ is: 'fence', detach: [], start: [] });
  });

  it('nor before all that run have said how far they have come', () => {
    expect(succeed([replica(1, detached(1000)), replica(2)])).toMatchObject({ is: 'fence', detach: [2], start: [] });
  });
});

describe('who is promoted', () => {
  it('is the one that has most', () => {
    expect(succeed([replica(1, detached(990)), replica(2, detached(995))])).toEqual({
      is: 'promote',
      cause: 'failover',
      why: 'primary, which led, has ended',
      to: 2,
      position: { timeline: 1, lsn: 995, shut: false },
      lostBytes: 5,
    });
  });

  it('is the one on the latest timeline, though it has fewer bytes', () => {
    expect(successor(succeed([replica(1, detached(2000)), replica(2, detached(995, { timeline: 2 }))]))).toBe(2);
  });

  it('is the one in the lowest slot of those that have the same', () => {
    expect(successor(succeed([replica(2, detached(1000)), replica(1, detached(1000))]))).toBe(1);
  });

  it.each<readonly [string, Partial<Member>]>([
    ['did not do what it was told to', { failed: true }],
    ['is no longer in the file', { isWanted: false }],
  ])('is never one that %s, and nobody else while that one has more', (_, change) => {
    const other = { ...detached(1000), ...change };
    expect(hindrance(succeed([replica(1, other), replica(2, detached(900))]))).toBe('not-the-most-advanced');
    expect(successor(succeed([replica(1, other), replica(2, detached(1000))]))).toBe(2);
  });

  it('is never one whose clone was cut short', () => {
    expect(successor(succeed([replica(1, { ...detached(1000), ...half }), replica(2, detached(900))]))).toBe(2);
  });

  it('is not the one that was asked for while another one has more', () => {
    const handover = { kind: 'failover', to: 2 } as const;
    const replicas = [replica(1, detached(1000)), replica(2, detached(900))];
    for (const sync of [undefined, { num: 1, listed: [1, 2] }]) {
      expect(hindrance(succeed(replicas, { handover, sync }))).toBe('not-the-most-advanced');
      expect(successor(succeed(replicas, { handover: { ...handover, kind: 'failover-lossy' }, sync }))).toBe(2);
    }
  });

  it('is nobody where there is nobody', () => {
    expect(hindrance(succeed([]))).toBe('no-candidate');
    expect(hindrance(succeed([replica(1, half)]))).toBe('no-candidate');
  });

  it('is not, by name, one that led before and follows nobody yet: a leader that serves is not ended for it', () => {
    for (const kind of ['failover', 'failover-lossy'] as const) {
      const members = [leader(), replica(1, { ...fenced, isStandby: false, streams: false }), replica(2)];
      const decision = decide({ members, handover: { kind, to: 1 } });
      expect(hindrance(decision)).toBe('no-candidate');
      expect(decision).toMatchObject({ blocked: { detail: expect.stringContaining('led before') as string } });
      const dead = [leader(ended), ...members.slice(1)];
      expect(decide({ members: dead, lostFor: 60_000, handover: { kind, to: 1 } })).toMatchObject({ is: 'dismiss' });
    }
  });

  it('where one was named that has no data, tells who has', () => {
    const asked = { kind: 'failover', to: 1 } as const;
    const decision = succeed([replica(1, half), replica(2)], { handover: asked });
    expect(decision).toMatchObject({
      blocked: {
        code: 'no-candidate',
        detail: expect.stringContaining('replica1 has no whole copy of the data; there is one in replica2') as string,
        remedy: expect.stringContaining('--to') as string,
      },
    });
    expect(succeed([replica(1, half)], { handover: asked })).toMatchObject({
      blocked: { detail: expect.stringContaining('no replica that could lead has a whole copy') as string },
    });
  });

  it('is told with what is known to be lost, or that nobody knows', () => {
    expect(succeed([replica(1, detached(990))])).toMatchObject({ lostBytes: 10 });
    expect(succeed([replica(1, detached(1010))])).toMatchObject({ lostBytes: 0 });
    const members = [leader({ ...fenced, said: undefined }), replica(1, detached(990))];
    expect(decide({ members, lostFor: 6000 })).toMatchObject({ lostBytes: null });
    // It was silent for minutes before it ended.
    const silent = [leader({ ...fenced, said: once(1000, 1, 200_000) }), replica(1, detached(1000))];
    expect(decide({ members: silent, lostFor: 6000 })).toMatchObject({ is: 'promote', lostBytes: null });
  });
});

describe('without a quorum, nobody is promoted while another one may have more', () => {
  it('so a replica that is down is started first where it may be ahead', () => {
    for (const known of [undefined, once(1001)]) {
      expect(succeed([replica(1, detached(1000)), replica(2, { ...down, said: known })])).toMatchObject({
        is: 'fence',
        detach: [2],
        start: [2],
      });
    }
  });

  it('and not where it had less before it fell silent', () => {
    expect(successor(succeed([replica(1, detached(1000)), replica(2, { ...down, said: once(999, 1, 8000) })]))).toBe(1);
    const other = replica(2, { ...down, said: once(5000, 1) });
    expect(successor(succeed([replica(1, detached(1000, { timeline: 2 })), other]))).toBe(1);
  });

  it('and one that led before, and waits for its leader to answer, is not asked', () => {
    const before = replica(2, { isStandby: false, isReturning: true, said: undefined, streams: undefined });
    const fork = { timeline: 1, lsn: 900 };
    const decision = decide({ members: [leader(fenced), replica(1, detached(1000)), before], fork, lostFor: 6000 });
    expect(successor(decision)).toBe(1);
    expect(hindrance(succeed([replica(1, detached(800)), { ...before, failed: true }], { fork }))).toBe('incomplete');
  });

  it('so one that cannot be asked blocks the group, from the beginning', () => {
    const unheard = replica(2, { ...down, failed: true, said: undefined });
    expect(hindrance(succeed([replica(1, detached(1000)), unheard]))).toBe('incomplete');
    expect(hindrance(decide({ members: [leader(ended), replica(1), unheard], lostFor: 6000 }))).toBe('incomplete');
  });

  it('and does not where it had less before it fell silent', () => {
    const behind = replica(2, { ...down, failed: true, said: once(999, 1, 8000) });
    expect(successor(succeed([replica(1, detached(1000)), behind]))).toBe(1);
  });

  it('and one that fell silent with the leader may have got more since its last word', () => {
    const together = replica(2, { ...down, failed: true, said: once(999, 1, 6400) });
    expect(hindrance(succeed([replica(1, detached(1000)), together]))).toBe('incomplete');
  });

  it('and one that never had a whole copy is not missed', () => {
    expect(successor(succeed([replica(1, detached(1000)), replica(2, half)]))).toBe(1);
  });

  it('is nobody whose lag is not known, since the leader was not heard for long before it was lost', () => {
    const policy = { ...automatic, maxLag: 100 };
    const old = leader({ ...fenced, said: once(1000, 1, 20_000) });
    const found = (lostFor: number): Decision =>
      decide({ members: [old, replica(1, detached(1000))], policy, lostFor });
    expect(hindrance(found(6000))).toBe('too-far-behind');
    expect(successor(found(18_000))).toBe(1);
  });

  it('nobody further behind than the file allows is promoted', () => {
    const policy = { ...automatic, maxLag: 100 };
    expect(successor(succeed([replica(1, detached(900))], { policy }))).toBe(1);
    expect(hindrance(succeed([replica(1, detached(899))], { policy }))).toBe('too-far-behind');
  });

  it('and nobody at all where the file says how far, and nobody knows how far it is', () => {
    const policy = { ...automatic, maxLag: 100 };
    const members = [leader({ ...fenced, said: undefined }), replica(1, detached(1000))];
    expect(hindrance(decide({ members, lostFor: 6000, policy }))).toBe('too-far-behind');
    expect(successor(decide({ members, lostFor: 6000 }))).toBe(1);
  });
});

describe('with a quorum, somebody is promoted only where R + W > N: one of those asked has all that was acknowledged', () => {
  const gone: Partial<Member> = { container: 'missing', hasData: false, said: undefined };
  const broken: Partial<Member> = { ...down, failed: true };

  it.each<readonly [string, readonly [num: number, listed: readonly number[]], readonly number[], boolean]>([
    ['R=2 W=1 N=2', [1, [1, 2]], [1, 2], true],
    ['R=1 W=1 N=2', [1, [1, 2]], [1], false],
    ['R=1 W=1 N=2, the other one', [1, [1, 2]], [2], false],
    ['R=1 W=2 N=2', [2, [1, 2]], [1], true],
    ['R=0 W=2 N=2', [2, [1, 2]], [], false],
    ['R=1 W=1 N=1', [1, [1]], [1], true],
    ['R=0 W=1 N=1, though another one is there', [1, [1]], [2], false],
    ['R=0 W=1 N=0: nobody is known to have all of it', [1, []], [1, 2], false],
    ['R=0 W=2 N=0', [2, []], [1, 2], false],
    ['R=3 W=1 N=3', [1, [1, 2, 3]], [1, 2, 3], true],
    ['R=2 W=1 N=3', [1, [1, 2, 3]], [1, 2], false],
    ['R=2 W=2 N=3', [2, [1, 2, 3]], [1, 3], true],
    ['R=1 W=2 N=3', [2, [1, 2, 3]], [3], false],
  ])('%s', (_, [num, listed], asked, passes) => {
    for (const lacking of [gone, broken]) {
      const replicas = [1, 2, 3].map((slot) => replica(slot, asked.includes(slot) ? detached(1000) : lacking));
      const decision = succeed(replicas, { sync: { num, listed } });
      expect(decision.is === 'promote').toBe(passes);
      if (!passes) expect(hindrance(decision)).toBe(asked.length === 0 ? 'no-candidate' : 'quorum-lost');
    }
  });

  it('which is known before anything is done, so that a leader that may come back is left alone', () => {
    const members = [leader(ended), replica(1), replica(2, broken)];
    expect(hindrance(decide({ members, lostFor: 6000, sync: { num: 1, listed: [1, 2] } }))).toBe('quorum-lost');
  });

  it('so one that is listed and down is started first, whatever it said, and one that is not listed is not', () => {
    const behind = { ...down, said: once(1) };
    const sync = { num: 1, listed: [1, 2] };
    expect(succeed([replica(1, detached(1000)), replica(2, behind)], { sync })).toMatchObject({
      is: 'fence',
      detach: [2],
      start: [2],
    });
    const unheard = { ...down, said: undefined };
    const alone = { num: 1, listed: [1] };
    expect(successor(succeed([replica(1, detached(1000)), replica(2, unheard)], { sync: alone }))).toBe(1);
  });

  it('and the one that has most is promoted, listed or not', () => {
    const replicas = [replica(1, detached(990)), replica(2, detached(995))];
    expect(successor(succeed(replicas, { sync: { num: 1, listed: [1] } }))).toBe(2);
  });

  it('and how far behind it may be in other groups does not count', () => {
    const change = { sync: { num: 1, listed: [1] }, policy: { ...automatic, maxLag: 10 } };
    expect(successor(succeed([replica(1, detached(500))], change))).toBe(1);
  });

  it('but for one that has the last word of the old leader: nothing can come after that', () => {
    for (const listed of [[1, 2], []]) {
      const change = {
        handover: { kind: 'switchover', to: undefined },
        sync: { num: 1, listed },
        lostFor: 100,
      } as const;
      const members = [leader(fencedAsAsked), replica(1, shutDown), replica(2, { ...gone, failed: true })];
      expect(successor(decide({ members, ...change }))).toBe(1);
    }
  });

  it('and a word like that counts only where the leader was told to stop: it may be of an earlier end', () => {
    const members = [replica(1, shutDown), replica(2, { ...gone, failed: true })];
    expect(hindrance(succeed(members, { sync: { num: 1, listed: [1, 2] } }))).toBe('quorum-lost');
  });
});

describe('one replica that hangs or still replays', () => {
  const behind = { received: { timeline: 1, lsn: 990 }, said: said(500), streams: false };

  it('is not waited for where it has received no more than another one has replayed', () => {
    const members = [leader(fenced), replica(1, detached(1000)), replica(2, behind)];
    for (const sync of [undefined, { num: 1, listed: [1, 2] }]) {
      expect(successor(decide({ members, lostFor: 4000, ...(sync === undefined ? {} : { sync }) }))).toBe(1);
    }
  });

  it('is not waited for again where its leader only stopped to hand over: that one leads again', () => {
    const members = [leader(fencedAsAsked), replica(1, behind), replica(2, { ...down, failed: true })];
    expect(decide({ members, handover: { kind: 'switchover', to: undefined } })).toEqual({
      is: 'dismiss',
      why: 'replica1 has not replayed what it received',
    });
    const both = [leader(fencedAsAsked), replica(1, behind), replica(2, shutDown)];
    expect(successor(decide({ members: both, handover: { kind: 'switchover', to: undefined } }))).toBe(2);
  });

  it('is asked again where its leader leaves for good: it would be told to stop again and again', () => {
    const leaving = leader({ ...fencedAsAsked, fencedFor: 'removed', isWanted: false });
    expect(decide({ members: [leaving, replica(1, behind)] })).toMatchObject({ is: 'fence', detach: [1] });
  });

  it('is asked again where it has received more, unless losses are accepted', () => {
    const members = [leader(fenced), replica(1, detached(980)), replica(2, behind)];
    expect(decide({ members, lostFor: 4000 })).toMatchObject({ is: 'fence', detach: [2] });
    const handover = { kind: 'failover-lossy', to: undefined } as const;
    const forced = [leader({ ...fenced, fencedFor: 'forced' }), ...members.slice(1)];
    expect(successor(decide({ members: forced, lostFor: 4000, handover }))).toBe(1);
  });

  it('is not promoted at a loss before what earlier leaders wrote is kept as well', () => {
    const old = leader({ ...fenced, fencedFor: 'forced' });
    const handover = { kind: 'failover-lossy', to: 1 } as const;
    const change = (earlier: Partial<Member>): Decision =>
      decide({ members: [old, replica(1, detached(980)), replica(2, earlier)], lostFor: 4000, handover });
    expect(change({ ...fenced, isToRewind: true })).toMatchObject({ is: 'fence', detach: [] });
    expect(successor(change({ ...fenced, ...kept }))).toBe(1);
  });

  it('is waited for where it is the one named to lead, and the leader is not started again meanwhile', () => {
    const handover = { kind: 'failover-lossy', to: 2 } as const;
    for (const lsn of [990, 960]) {
      const slow = { ...behind, received: { timeline: 1, lsn } };
      const members = [leader({ ...fenced, fencedFor: 'forced' }), replica(1, detached(980)), replica(2, slow)];
      expect(decide({ members, lostFor: 4000, handover })).toMatchObject({ is: 'fence', detach: [2] });
    }
  });

  it('ends the request where it is the one named to lead and cannot be asked, and the leader leads again', () => {
    const handover = { kind: 'failover-lossy', to: 2 } as const;
    const change = (old: Partial<Member>): Decision => {
      const members = [leader({ ...fenced, ...old }), replica(1, detached(980)), replica(2, { failed: true })];
      return decide({ members, lostFor: 4000, handover });
    };
    expect(change({ fencedFor: 'forced' })).toMatchObject({ is: 'dismiss' });
    // There is nothing to go back to.
    expect(hindrance(change({ fencedFor: 'forced', hasData: false }))).toBe('no-candidate');
  });

  it('is not asked with a quorum where those that speak are enough', () => {
    const silent = { said: once(1000, 1, 9000), streams: undefined };
    const members = [leader(ended), replica(1), replica(2, silent), replica(3)];
    const change = { policy: atOnce, lostFor: 100 };
    const detachOf = (num: number, listed: readonly number[]): unknown =>
      decide({ members, ...change, sync: { num, listed } });
    expect(detachOf(2, [1, 2, 3])).toMatchObject({ is: 'fence', detach: [1, 3] });
    expect(detachOf(1, [1, 3])).toMatchObject({ is: 'fence', detach: [1, 3] });
    expect(detachOf(1, [1, 2, 3])).toMatchObject({ is: 'fence', detach: [1, 2, 3] });
    const asked = [leader(fenced), replica(1, detached(1000)), replica(2, silent), replica(3, detached(1000))];
    expect(successor(decide({ members: asked, ...change, sync: { num: 2, listed: [1, 2, 3] } }))).toBe(1);
  });

  it('is asked without a quorum: one that does not speak to us may have received more', () => {
    const members = [leader(ended), replica(1), replica(2, { said: once(1000, 1, 9000), streams: undefined })];
    expect(decide({ members, policy: atOnce, lostFor: 100 })).toMatchObject({ is: 'fence', detach: [1, 2] });
  });

  it('that cannot be asked is behind where it said after the end of its leader that it received no more', () => {
    const change = (received: number | undefined, ago = 0): Decision => {
      const stuck = { failed: true, said: { timeline: 1, lsn: 900, received, isSilent: false, ago } };
      return decide({ members: [leader(fenced), replica(1, detached(1000)), replica(2, stuck)], lostFor: 4000 });
    };
    expect(successor(change(1000))).toBe(1);
    for (const unsure of [change(1001), change(undefined), change(1000, 6000)]) {
      expect(hindrance(unsure)).toBe('incomplete');
    }
  });

  it('that was silent before its leader is behind only by what it had received', () => {
    const change = (received: number): Decision => {
      const gone = { failed: true, said: { timeline: 1, lsn: 900, received, isSilent: true, ago: 9000 } };
      return decide({ members: [leader(fenced), replica(1, detached(1000)), replica(2, gone)], lostFor: 4000 });
    };
    expect(successor(change(1000))).toBe(1);
    expect(hindrance(change(1001))).toBe('incomplete');
  });
});

describe('whatever the situation', () => {
  const lsn = fc.integer({ min: 1, max: 5 }).map((each) => each * 250);
  const timeline = fc.constantFrom(1, 1, 1, 2);
  const positions = fc.record({ timeline, lsn, shut: fc.boolean() });
  const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(arbitrary, { nil: undefined });
  const someMember = (slot: number): fc.Arbitrary<Member> =>
    fc
      .record({
        isWanted: fc.constantFrom(true, true, true, false),
        container: fc.constantFrom('running', 'running', 'running', 'down', 'missing'),
        hasData: fc.constantFrom(true, true, true, false),
        fencedFor: maybe(fc.constantFrom(...fenceCauses)),
        holdsAddress: fc.boolean(),
        detached: maybe(positions),
        received: maybe(fc.record({ timeline, lsn })),
        fencedAt: maybe(lsn),
        said: maybe(fc.record({ timeline, lsn, isSilent: fc.boolean(), ago: fc.constantFrom(0, 6000, 8000) })),
        streams: maybe(fc.boolean()),
        takesWrites: fc.constantFrom(...Array.from({ length: 12 }, (_, index) => index === 0)),
        failed: fc.constantFrom(false, false, false, false, true),
      })
      .map((each): Member => ({
        ...each,
        name: `node${String(slot)}`,
        slot,
        isFenced: each.fencedFor !== undefined,
        isReturning: false,
        isStandby: slot !== 0 && each.fencedFor === undefined,
        isToRewind: each.fencedFor !== undefined && each.fencedFor !== 'forced',
        // Where there is no container, nobody knows what it holds; one that ended follows nobody no more.
        ...(each.container === 'missing'
          ? { hasData: false, holdsAddress: false, fencedFor: undefined, isFenced: false, isToRewind: false }
          : {}),
        ...(each.container === 'running' && slot !== 0 ? {} : { detached: undefined }),
        ...(each.container === 'running' && slot !== 0 && each.detached === undefined ? {} : { received: undefined }),
      }));
  const situations: fc.Arbitrary<Situation> = fc
    .record({
      members: fc
        .tuple(
          someMember(0),
          fc.subarray([1, 2, 3]).chain((slots) => fc.tuple(...slots.map(someMember))),
          fc.boolean(),
        )
        .map(([old, others, isKnown]) => (isKnown ? [old, ...others] : others)),
      leader: fc.constant(0),
      fork: maybe(fc.record({ timeline, lsn })),
      policy: fc.record({
        mode: fc.constantFrom('automatic', 'manual'),
        delay: fc.constantFrom(0, 5000),
        maxLag: maybe(fc.constantFrom(0, 300)),
      }),
      sync: maybe(fc.record({ num: fc.constantFrom(1, 2), listed: fc.subarray([1, 2, 3]) })),
      handover: maybe(
        fc.record({
          kind: fc.constantFrom('switchover', 'failover', 'failover-lossy'),
          to: maybe(fc.constantFrom(0, 1, 2, 3)),
        }),
      ),
      isOverdue: fc.constantFrom(false, false, false, true),
      lostFor: maybe(fc.constantFrom(0, 4000, 20_000)),
      isHung: fc.boolean(),
      redo: maybe(fc.constantFrom(0, 80 * mebibyte)),
      sinceChange: maybe(fc.constantFrom(0, 20_000)),
      settlesIn: fc.constantFrom(0, 0, 5000),
    })
    .map((situation): Situation => ({ ...situation, isHung: situation.isHung && situation.lostFor !== undefined }));

  /** Half of all situations begin with a leader that is out of service, so that many of them end in a promotion. */
  const fencedOften = fc.tuple(situations, fc.boolean()).map(([situation, isOut]): Situation => {
    const [old, ...rest] = situation.members;
    if (!isOut || old?.slot !== 0) return situation;
    return { ...situation, members: [{ ...old, ...fenced }, ...rest] };
  });

  const promoted = (situation: Situation): { readonly to: Member; readonly old: Member | undefined } | undefined => {
    const decision = decideLeadership(situation);
    if (decision.is !== 'promote') return undefined;
    const to = situation.members.find(({ slot }) => slot === decision.to);
    if (to === undefined) throw new Error('somebody is promoted whom nobody knows');
    expect(decision.position).toEqual(to.detached);
    return { to, old: situation.members.find(({ slot }) => slot === situation.leader) };
  };

  const hasLastWord = ({ detached: position }: Member, old: Member | undefined): boolean =>
    position?.shut === true && old?.fencedAt !== undefined && position.lsn >= old.fencedAt;

  const hasNoMore = (received: Member['received'], than: Position | undefined): boolean => {
    if (received === undefined || than === undefined) return false;
    return (received.timeline - than.timeline || received.lsn - than.lsn) <= 0;
  };

  /** Asserts on every situation in which somebody is promoted. */
  const assertPromoted = (
    check: (found: { readonly to: Member; readonly old: Member | undefined }, situation: Situation) => void,
  ): void => {
    let times = 0;
    fc.assert(
      fc.property(fencedOften, (situation) => {
        const found = promoted(situation);
        if (found === undefined) return;
        times += 1;
        check(found, situation);
      }),
      { numRuns: 3000 },
    );
    expect(times).toBeGreaterThan(50);
  };

  it('nobody is promoted unless the old leader is gone, or is down, cannot be started as it is, and has no write address', () => {
    assertPromoted(({ old }) => {
      if (old === undefined || old.container === 'missing') return;
      expect(old.container).toBe('down');
      expect(old.holdsAddress).toBe(false);
      expect(old.isFenced || !old.hasData).toBe(true);
    });
  });

  it('whoever is promoted runs, has a whole copy, is in the file, and has said how far it has come', () => {
    assertPromoted(({ to }) => {
      expect(to).toMatchObject({ container: 'running', hasData: true, isWanted: true, failed: false });
      expect(to.detached).toBeDefined();
    });
  });

  it('nobody is promoted while another node takes writes', () => {
    assertPromoted(({ to }, { members }) => {
      const writers = members.filter(({ takesWrites, hasData, slot }) => takesWrites && hasData && slot !== 0);
      expect(writers.filter(({ slot }) => slot !== to.slot)).toEqual([]);
    });
  });

  it('the leader itself is never promoted', () => {
    assertPromoted(({ to }, { leader: slot }) => {
      expect(to.slot).not.toBe(slot);
    });
  });

  it('with a quorum nobody is promoted where R + W <= N, unless it has the last word or losses are accepted', () => {
    assertPromoted(({ to, old }, { sync, handover, members }) => {
      if (sync === undefined || handover?.kind === 'failover-lossy' || hasLastWord(to, old)) return;
      const asked = members.filter(({ slot, detached: position, received }) => {
        return (position !== undefined || hasNoMore(received, to.detached)) && sync.listed.includes(slot);
      });
      expect(sync.listed.length).toBeGreaterThan(0);
      expect(asked.length + sync.num).toBeGreaterThan(sync.listed.length);
    });
  });

  it('whoever is promoted has as much as anybody who was asked, unless it has the last word or losses are accepted', () => {
    assertPromoted(({ to, old }, { members, handover }) => {
      if (handover?.kind === 'failover-lossy' || hasLastWord(to, old)) return;
      for (const each of members.filter(({ slot, hasData }) => slot !== 0 && hasData)) {
        if (each.detached === undefined || to.detached === undefined) continue;
        const difference = to.detached.timeline - each.detached.timeline || to.detached.lsn - each.detached.lsn;
        expect(difference).toBeGreaterThanOrEqual(0);
      }
    });
  });

  it('who is told to follow nobody has a copy, does not lead, and has not said how far it came yet', () => {
    fc.assert(
      fc.property(fencedOften, (situation) => {
        const decision = decideLeadership(situation);
        if (decision.is !== 'fence') return;
        for (const slot of decision.detach) {
          const member = situation.members.find((each) => each.slot === slot);
          expect(slot).not.toBe(situation.leader);
          expect(member).toMatchObject({ hasData: true, failed: false, detached: undefined });
          expect(member?.container).toBe(decision.start.includes(slot) ? 'down' : 'running');
        }
        expect(decision.detach).toEqual(expect.arrayContaining([...decision.start]));
      }),
      { numRuns: 2000 },
    );
  });

  it('a fence ends: what it asks for being done, it asks for more at most once for each that is down', () => {
    fc.assert(
      fc.property(fencedOften, positions, (begun, position) => {
        let situation = begun;
        let decision = decideLeadership(situation);
        // What one says when it is asked may be less than was thought: then others count that did not before.
        for (let round = 0; decision.is === 'fence' && round <= begun.members.length; round += 1) {
          const { cause, detach } = decision;
          const isLossy = situation.handover?.kind === 'failover-lossy';
          const members = situation.members.map((member): Member => {
            const each = isLossy && member.isToRewind ? { ...member, ...kept } : member;
            if (each.slot === begun.leader) {
              const fencedFor = cause === 'switchover' ? 'asked' : cause === 'removed' ? 'removed' : 'ended';
              return { ...each, ...fenced, fencedFor: isLossy ? 'forced' : (each.fencedFor ?? fencedFor) };
            }
            const answered = { container: 'running', detached: position, received: undefined } as const;
            return detach.includes(each.slot) ? { ...each, ...answered } : each;
          });
          situation = { ...situation, members };
          decision = decideLeadership(situation);
        }
        expect(decision.is).not.toBe('fence');
      }),
      { numRuns: 2000 },
    );
  });

  it('a group that nobody leads has a time, a next step, or a reason that stands in the table of standstills', () => {
    const known = new Set(Object.values(standstills).flatMap(({ blocked = [] }) => blocked));
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(fencedOften, (situation) => {
        const old = situation.members.find(({ slot }) => slot === situation.leader);
        const isLed = old?.hasData === true && !old.isFenced && situation.lostFor === undefined;
        if (isLed || old?.takesWrites === true) return;
        const decision = decideLeadership(situation);
        // Stopped to hand over, which nobody asks for any more: it is started again, and nobody replaces it.
        const asked = situation.handover?.to === situation.leader ? undefined : situation.handover?.kind;
        const isInForce = asked !== undefined && (asked !== 'switchover' || old?.fencedFor === 'asked');
        const leadsAgain = !isInForce && old?.isFenced === true && ['asked', 'removed'].includes(old.fencedFor ?? '');
        const end = decision.is !== 'kept' ? decision.is : (decision.blocked?.code ?? (decision.recheck && 'time'));
        ends.set(String(end), (ends.get(String(end)) ?? 0) + 1);
        if (decision.is !== 'kept' || leadsAgain) return;
        expect(decision.blocked?.code ?? decision.recheck).toBeDefined();
        if (decision.blocked !== undefined) expect([...known]).toContain(decision.blocked.code);
        expect(decision.recheck ?? 0).toBeLessThanOrEqual(30_000);
      }),
      { numRuns: 5000 },
    );
    expect([...ends.keys()]).toEqual(expect.arrayContaining(['fence', 'promote', 'time', 'quorum-lost', 'incomplete']));
  });
});
