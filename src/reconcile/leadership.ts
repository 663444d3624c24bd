import type { SyncList } from '../postgres/layout.ts';
import { canDoWithout, isAhead, isKnownBehind, mayBeAhead } from './behind.ts';
import type { Cause, Decision, Hindrance, Member, Situation } from './situation.ts';

/** Bytes of WAL that are replayed sooner than another node takes over: 2.1 s for 80 MB, measured. */
const quickRedo = 48 * 2 ** 20;

/** Bytes of WAL that a replica may lack when its leader is to hand over. */
const nearLag = 16 * 2 ** 20;

/** Milliseconds before the loss of a leader after which its last report is too old to compare with: it reports twice a second. */
const outdatedAfter = 3000;

/** Milliseconds that a server which runs may take until it answers. */
const startTime = 3000;

/** Milliseconds after a change of leaders in which another one waits for the leader to come back in place. */
const coolDown = 10_000;

/**
 * Decides who leads a group: nobody is promoted unless the old leader is proven dead, and unless nobody else may have
 * more of what was acknowledged.
 */
export function decideLeadership(situation: Situation): Decision {
  const { members, leader } = situation;
  const old = members.find(({ slot }) => slot === leader);
  const others = members.filter(({ slot, hasData }) => slot !== leader && hasData);
  const asked = findRequest(situation, old);
  const second = findSecondWriter(others, old, asked);
  if (second !== undefined) return second;
  const reason = findReason(situation, old, asked);
  if (reason === undefined || 'is' in reason) return reason ?? { is: 'kept' };
  const { cause, why } = reason;
  const isPlanned = cause !== 'failover' && (situation.lostFor === undefined || isStoppedInOrder(situation, old));
  const eligible = others.filter(
    (each) => each.isWanted && !each.failed && (asked?.to === undefined ? !isOut(each) : each.slot === asked.to),
  );
  const isBegun = old?.isFenced === true;
  if (isPlanned && !isBegun && !eligible.some((each) => isNear(each, old))) {
    const who =
      asked?.to === undefined
        ? 'no replica streams and is near its end'
        : `${nameOf(situation, asked.to)} does not stream, or is far behind`;
    const remedy = 'see `pgherd status`: it is done as soon as one does';
    return unable({ code: 'no-candidate', detail: `${why}, and ${who}`, remedy });
  }
  const best = findBest(eligible, isBegun);
  const isLossy = asked?.kind === 'failover-lossy';
  // A leader that was killed for a request in vain is started again: it is not killed again and again for the same one.
  const isInVain = isLossy && isBegun && old.hasData;
  const refuse = (reason: Hindrance): Decision => (isInVain ? { is: 'dismiss', why: reason.detail } : unable(reason));
  if (best === undefined) return refuse(describeNobody(situation, others, why, asked?.to));
  const pending = findPending(situation, others, asked, cause);
  const isUnmarked = isLossy && others.some(({ isToRewind }) => isToRewind);
  const isReady = isFencedOff(old, isLossy) && pending.detach.length === 0 && !isUnmarked;
  // Whether who stops in order has handed over everything, only its end tells.
  const hindrance =
    isLossy || (isPlanned && !isReady) ? undefined : findHindrance(situation, old, others, best, pending);
  if (!isReady) {
    // What is known to be in vain is not begun.
    if (isOut(best) && best.detached === undefined) return notBack(situation, old, best, why);
    if (hindrance !== undefined && pending.start.length === 0) return unable(hindrance);
    return { is: 'fence', cause, why, ...pending };
  }
  if (isPlanned && !hasLastWord(old, best)) {
    // It was stopped in order and the other one lacks its last word: it leads again, and nothing is lost.
    const isLate = best.detached === undefined && best.received !== undefined;
    const lacks = `${best.name} has not ${isLate ? 'replayed what it received' : `received all that ${nameOf(situation, leader)} wrote`}`;
    if (cause === 'switchover') return { is: 'dismiss', why: lacks };
    const remedy = 'see `pgherd status`: it is done as soon as one streams';
    return unable({ code: 'not-received', detail: `${why}, and ${lacks}`, remedy });
  }
  if (hindrance !== undefined || best.detached === undefined) return refuse(hindrance ?? unheard(best));
  const lostBytes = countLost(situation, old, best);
  return { is: 'promote', cause, why, to: best.slot, position: best.detached, lostBytes };
}

// Nobody is promoted while another node takes writes. Where the leader serves, that one is stopped before anything else;
// where it does not, it may hold the only live copy, and only a human can tell which of the two is to lead.
function findSecondWriter(
  others: readonly Member[],
  old: Member | undefined,
  asked: Situation['handover'],
): Decision | undefined {
  const writers = others.filter(({ takesWrites, slot }) => takesWrites && slot !== asked?.to).map(({ name }) => name);
  const [first] = writers;
  if (first === undefined) return undefined;
  if (old?.takesWrites === true) return { is: 'kept' };
  const take = writers.length === 1 ? 'takes' : 'take';
  const detail = `${writers.join(', ')} ${take} writes, and ${old?.name ?? 'the leader'}, which leads by the record, does not serve`;
  const remedy = `\`pgherd failover GROUP --to ${first}\` has ${first} lead with all that it acknowledged; to have another lead, stop ${writers.join(', ')} first: the data stays in the volume`;
  return unable({ code: 'second-writer', detail, remedy });
}

type Reason = { readonly cause: Cause; readonly why: string };

// A leader that is gone cannot hand over: then it is as if nobody had asked. Nor is one asked to go on that leaves.
function findRequest(situation: Situation, old: Member | undefined): Situation['handover'] {
  const { handover, lostFor, leader } = situation;
  if (handover === undefined || handover.to === leader) return undefined;
  if (handover.kind !== 'switchover') return handover;
  if (old === undefined) return undefined;
  const isBegun = old.fencedFor === 'asked' && isStoppedInOrder(situation, old);
  return isBegun || (!old.isFenced && lostFor === undefined) ? handover : undefined;
}

function findReason(
  situation: Situation,
  old: Member | undefined,
  asked: Situation['handover'],
): Reason | Decision | undefined {
  const { lostFor, policy, sinceChange, redo } = situation;
  const name = nameOf(situation, situation.leader);
  if (asked !== undefined) {
    const why = asked.kind === 'switchover' ? 'a switchover was asked for' : 'a failover was asked for';
    return { cause: asked.kind === 'switchover' ? 'switchover' : 'failover', why };
  }
  if (old?.isWanted === false) return { cause: 'removed', why: `${name} leads, and is no longer in the file` };
  // It was stopped to hand over, and nobody asks for that any more: it leads again.
  if (isStoppedInOrder(situation, old)) return undefined;
  if (old?.isFenced === true && !isToldToStop(old)) {
    const how = old.fencedFor === 'hung' ? 'did not answer' : 'has ended';
    return { cause: 'failover', why: `${name}, which led, ${how}` };
  }
  if (old?.hasData !== true) {
    const why = `the data of ${name}, which leads, is gone`;
    return policy.mode === 'manual' ? manual(why) : { cause: 'failover', why };
  }
  if (lostFor === undefined) return undefined;
  const why = `${name}, which leads, ${old.container === 'running' ? 'does not answer' : 'has ended'}`;
  // It comes back in place where that is as quick: nothing is lost then.
  const isSlow = redo !== undefined && redo > quickRedo;
  const isUnsure = old.container === 'running' && !situation.isHung;
  // After the host has started, who led leads again: nobody else is to be asked before.
  const isAllDown = situation.members.every(({ container }) => container !== 'running');
  const patience = Math.max(
    isSlow ? 0 : policy.delay,
    isUnsure ? startTime : 0,
    isAllDown ? coolDown : 0,
    // One that was stopped in order has all that anybody has: it is only to be started.
    old.isReturning ? coolDown : 0,
    situation.settlesIn === 0 ? 0 : lostFor + situation.settlesIn,
    (sinceChange ?? Infinity) < coolDown ? coolDown : 0,
  );
  if (lostFor < patience) return { is: 'kept', recheck: patience - lostFor };
  return policy.mode === 'manual' ? manual(why) : { cause: 'failover', why };
}

/** It led before who leads by the record, or was to: it serves only under a leader that answers, and cannot be asked. */
function isOut({ isFenced, isStandby, isReturning, container }: Member): boolean {
  if (container === 'running') return isReturning && !isStandby;
  return container === 'down' && (isFenced || !isStandby);
}

function isToldToStop(old: Member | undefined): boolean {
  return old?.fencedFor === 'asked' || old?.fencedFor === 'removed';
}

/** One that hangs stops for nobody: it is as if it had not been told. */
function isStoppedInOrder({ isHung }: Situation, old: Member | undefined): boolean {
  return !isHung && isToldToStop(old);
}

/**
 * Whether nothing can come after what it has: its last is the leader's word that it shut down, and the leader had not
 * come further when it was told to. Such a word may also be an old one, of a leader that was started again since.
 */
function hasLastWord(old: Member | undefined, { detached }: Member): boolean {
  if (detached?.shut !== true || !isToldToStop(old)) return false;
  return old?.fencedAt !== undefined && detached.lsn >= old.fencedAt;
}

function manual(why: string): Decision {
  const remedy = 'failover.mode is manual: `pgherd failover GROUP` promotes another node';
  return { is: 'kept', blocked: { code: 'manual-failover', detail: why, remedy } };
}

/** A leader that stops waits for it no longer than its sessions bear. */
function isNear({ container, streams, said }: Member, old: Member | undefined): boolean {
  if (container !== 'running' || streams !== true) return false;
  return said === undefined || old?.said === undefined || old.said.lsn - said.lsn <= nearLag;
}

/** Nothing of it can write any more, and it cannot come back by itself. */
function isFencedOff(old: Member | undefined, isLossy: boolean): boolean {
  if (old === undefined || old.container === 'missing') return true;
  // What a forced failover leaves behind may have been acknowledged: the mark says to keep it.
  const isMarked = old.isFenced && (!isLossy || old.fencedFor === 'forced');
  return old.container === 'down' && (isMarked || !old.hasData) && !old.holdsAddress;
}

// By what is certain once the leader is down, before that by what they said last.
function findBest(eligible: readonly Member[], isBegun: boolean): Member | undefined {
  const key = ({ detached, said }: Member): readonly [number, number] => {
    const known = detached ?? said;
    return known === undefined ? [0, 0] : [known.timeline, known.lsn];
  };
  const known = isBegun ? eligible.filter(({ detached }) => detached !== undefined) : eligible;
  return [...(known.length > 0 ? known : eligible)].sort((a, b) => {
    const [one, two] = [key(a), key(b)];
    return two[0] - one[0] || two[1] - one[1] || a.slot - b.slot;
  })[0];
}

/** Slots of those to be asked how far they have come, and of those to be started for that. */
type Pending = { readonly detach: readonly number[]; readonly start: readonly number[] };

function findPending(
  { leader, members, sync }: Situation,
  others: readonly Member[],
  asked: Situation['handover'],
  cause: Cause,
): Pending {
  const isLossy = asked?.kind === 'failover-lossy';
  const old = members.find(({ slot }) => slot === leader);
  // The one that was named is waited for in any case: nobody else is to lead.
  const wanted = others.filter(
    (each) =>
      each.slot !== leader &&
      each.detached === undefined &&
      !each.failed &&
      !isOut(each) &&
      (each.slot === asked?.to || !isKnownBehind(each, others)),
  );
  // Who still replays is waited for no longer where a loss is accepted, or where the leader can lead on and nobody asks again.
  const isEnoughKnown = isLossy && others.some(({ detached }) => detached !== undefined);
  const isLate = ({ slot, received }: Member): boolean =>
    received !== undefined && (cause === 'switchover' || (isEnoughKnown && slot !== asked.to));
  const running = wanted.filter(
    (each) => each.container === 'running' && !isLate(each) && !canDoWithout(each, others, sync),
  );
  // Who is down may be ahead of all others, unless it is known to have been behind before the leader went.
  const isEnough =
    isLossy && others.some(({ detached, container }) => detached !== undefined || container === 'running');
  const down = wanted.filter(
    (each) =>
      !isEnough &&
      each.container === 'down' &&
      (sync === undefined ? mayBeAhead(each, others, old) : sync.listed.includes(each.slot)),
  );
  return { detach: [...running, ...down].map(({ slot }) => slot), start: down.map(({ slot }) => slot) };
}

/** What speaks against promoting this one, by what is known. */
function findHindrance(
  situation: Situation,
  old: Member | undefined,
  others: readonly Member[],
  best: Member,
  pending: Pending,
): Hindrance | undefined {
  if (hasLastWord(old, best)) return undefined;
  const remedy = `bring the leader or the missing nodes back, or accept the loss: \`pgherd failover GROUP --allow-data-loss\``;
  const ahead = others.find(({ detached }) => detached !== undefined && isAhead(detached, best.detached ?? best.said));
  if (ahead !== undefined) {
    const detail = `${ahead.name} has more than ${best.name}`;
    return {
      code: 'not-the-most-advanced',
      detail,
      remedy: `promote ${ahead.name}, or accept the loss with --allow-data-loss`,
    };
  }
  const { sync } = situation;
  if (sync !== undefined) return findQuorumLost(sync, others, pending, remedy);
  const missing = others.filter(
    (each) =>
      each.detached === undefined &&
      !isOut(each) &&
      (each.failed || each.container === 'missing') &&
      mayBeAhead(each, others, old),
  );
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(', ');
    return { code: 'incomplete', detail: `${names} cannot be asked, and may have more than the others`, remedy };
  }
  // Who led before has all that its successor began with. Where this one lacks some of it, the successor is to come back.
  const before = others.find(isOut);
  if (before !== undefined && situation.fork !== undefined && isAhead(situation.fork, best.detached)) {
    return { code: 'incomplete', detail: `${best.name} lacks some of what ${before.name} had`, remedy };
  }
  const { maxLag } = situation.policy;
  const lag = countLost(situation, old, best);
  if (maxLag === undefined || (lag !== null && lag <= maxLag)) return undefined;
  const behind = lag === null ? 'nobody knows how far' : `${String(lag)} bytes`;
  const detail = `${best.name} is ${behind} behind, and failover.max_lag is ${String(maxLag)}`;
  return { code: 'too-far-behind', detail, remedy };
}

function findQuorumLost(
  { num, listed }: SyncList,
  others: readonly Member[],
  { detach }: Pending,
  remedy: string,
): Hindrance | undefined {
  const reachable = others.filter(
    (each) => each.detached !== undefined || isKnownBehind(each, others) || detach.includes(each.slot),
  );
  const read = listed.filter((slot) => reachable.some((each) => each.slot === slot)).length;
  if (listed.length > 0 && read + num > listed.length) return undefined;
  const of = `${String(read)} of ${String(listed.length)}`;
  const detail =
    listed.length === 0
      ? 'no replica is known to have everything that was acknowledged'
      : `${of} replicas that commits waited for can be asked, and one of the others may have more`;
  return { code: 'quorum-lost', detail, remedy };
}

/** The leader was not heard for so long before it was lost that what it had written tells little. */
function isOutdated({ lostFor }: Situation, old: Member | undefined): boolean {
  return old?.said !== undefined && old.said.ago - (lostFor ?? 0) > outdatedAfter;
}

/** Bytes that the leader said it had written and this one has not; null: nobody knows. */
function countLost(situation: Situation, old: Member | undefined, best: Member): number | null {
  if (hasLastWord(old, best)) return 0;
  if (isOutdated(situation, old)) return null;
  const [last, known] = [old?.said, best.detached ?? best.said];
  if (last === undefined || known === undefined) return null;
  return Math.max(0, last.lsn - known.lsn);
}

function describeNobody(
  situation: Situation,
  others: readonly Member[],
  why: string,
  to: number | undefined,
): Hindrance {
  const able = others
    .filter(({ isWanted, failed, slot }) => isWanted && !failed && slot !== to)
    .map(({ name }) => name);
  if (to === undefined || able.length === 0) {
    const detail = `${why}, and no replica that could lead has a whole copy`;
    return { code: 'no-candidate', detail, remedy: 'bring a replica back, or restore the leader' };
  }
  const detail = `${why}, and ${nameOf(situation, to)} has no whole copy of the data; there is one in ${able.join(', ')}`;
  return { code: 'no-candidate', detail, remedy: 'name another with --to, or leave it out: who has most is taken' };
}

function unheard({ name }: Member): Hindrance {
  return {
    code: 'incomplete',
    detail: `${name} does not say how far it has come`,
    remedy: 'see its log with `docker logs`',
  };
}

// It follows as soon as somebody serves; where nobody does, another one may lead.
function notBack({ lostFor }: Situation, old: Member | undefined, { name }: Member, why: string): Decision {
  const detail = `${why}, and ${name} led before and does not follow yet`;
  if (lostFor !== undefined || old?.isFenced !== false) return { is: 'dismiss', why: detail };
  return unable({ code: 'no-candidate', detail, remedy: 'see `pgherd status`: it is done as soon as it does' });
}

// What was asked for is not forgotten: it is done as soon as it can be. A leader that was fenced leads again meanwhile.
function unable(blocked: Hindrance): Decision {
  return { is: 'kept', blocked };
}

function nameOf({ members }: Situation, slot: number): string {
  return members.find((each) => each.slot === slot)?.name ?? `slot ${String(slot)}`;
}
