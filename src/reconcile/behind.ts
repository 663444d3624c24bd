import type { Place, SyncList } from '../postgres/layout.ts';
import type { Member } from './situation.ts';

/** Milliseconds between two last words that tell which came first: servers speak twice a second. */
const apart = 1000;

/** Whether one place comes after another. */
export function isAhead(one: Place, other: Place | undefined): boolean {
  if (other === undefined) return true;
  return one.timeline > other.timeline || (one.timeline === other.timeline && one.lsn > other.lsn);
}

/** Whether one that still replays has received no more than another one has replayed. */
export function isKnownBehind({ received }: Member, others: readonly Member[]): boolean {
  return (
    received !== undefined && others.some(({ detached }) => detached !== undefined && !isAhead(received, detached))
  );
}

/**
 * One that does not speak may hang, and is not asked where enough others can be that commits waited for. Otherwise it
 * is: that it does not speak to pgherd does not mean that it received nothing.
 */
export function canDoWithout(
  { slot, said, failed }: Member,
  others: readonly Member[],
  sync: SyncList | undefined,
): boolean {
  if (sync === undefined || said?.isSilent !== true || failed) return false;
  const speaking = others.filter(
    (each) =>
      each.slot !== slot && (each.detached !== undefined || isSpeaking(each)) && sync.listed.includes(each.slot),
  );
  return sync.listed.length > 0 && speaking.length + sync.num > sync.listed.length;
}

function isSpeaking({ container, failed, said }: Member): boolean {
  return container === 'running' && !failed && said?.isSilent === false;
}

/**
 * Who was silent before the leader was, or was heard after it and cannot be asked, and had less then than another one has,
 * is behind it.
 */
export function mayBeAhead(member: Member, others: readonly Member[], old: Member | undefined): boolean {
  const { said } = member;
  if (member.received !== undefined) return !isKnownBehind(member, others);
  if (said === undefined || (!said.isSilent && (!member.failed || said.received === undefined))) return true;
  const earlier = old?.said === undefined ? 0 : said.ago - old.said.ago;
  const isApart = (said.isSilent ? earlier : -earlier) >= apart;
  const had = Math.max(said.lsn, said.received ?? 0);
  return !others.some((each) => {
    const known = each.detached ?? (each.said?.isSilent === false ? each.said : undefined);
    if (each.slot === member.slot || known === undefined) return false;
    return known.timeline > said.timeline || (isApart && known.timeline === said.timeline && known.lsn >= had);
  });
}
