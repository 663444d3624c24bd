import type { Report } from './report.ts';
import { monitorRole } from './config.ts';

/**
 * Two standbys that are promoted one after the other may both begin a timeline of the same number, and the number then says
 * nothing of what is in it. So each leader writes a mark of its own when it begins, before the marks of those it comes
 * from, into a place that is replicated like all data: whoever replayed a mark has followed the leader that wrote it.
 */
const place = `'${monitorRole}'::regrole, 'pg_authid'`;

/** Marks that are kept. A follower that has missed more leaders than that is cloned again. */
const keptMarks = 16;

/**
 * Writes the mark of a leader that begins, `ID@LSN ID@LSN …`, the newest first. Who has come as far as LSN has replayed the
 * mark, so that is known only after a first commit. Nothing waits for the disk: what comes later in the WAL does.
 */
export const reignSql = `set default_transaction_read_only = off;
set synchronous_commit = off;
do $$ declare
  own constant text := left(gen_random_uuid()::text, 8);
  older constant text := array_to_string((string_to_array(shobj_description(${place}), ' '))[1:${String(keptMarks - 1)}], ' ');
begin
  execute format('comment on role ${monitorRole} is %L', concat_ws(' ', own, older));
  commit;
  execute format('comment on role ${monitorRole} is %L', concat_ws(' ', own || '@' || (pg_current_wal_insert_lsn() - '0/0'), older));
end $$;
`;

/** The marks that a server has, for a report. */
export const reignsExpression = `shobj_description(${place})`;

type Mark = { readonly id: string; readonly lsn: number };

/** The marks of a report; the newest may not be whole yet, and is left out then. */
function marksOf({ reigns }: Report): readonly Mark[] {
  return (reigns ?? '').split(' ').flatMap((mark) => {
    const [, id, lsn] = /^(\w+)@(\d+)$/.exec(mark) ?? [];
    return id === undefined ? [] : [{ id, lsn: Number(lsn) }];
  });
}

const lacks = (marks: readonly Mark[], { id }: Mark): boolean => !marks.some((each) => each.id === id);

/**
 * Whether the newest mark of a follower is one that its leader has as well. Of one that has come over from another leader a
 * number of a timeline may say that it follows, and its word that it has received what it has not. A follower may also have
 * its leader's own mark before a report of that has it: then it is seen a moment later.
 */
export function isOfSameReign(leader: Report, follower: Report): boolean {
  const [newest] = marksOf(follower);
  return newest === undefined || !lacks(marksOf(leader), newest);
}

/**
 * Whether a follower has followed another leader past the point where this one began: it has the mark of one that this
 * leader does not come from, or has come past this leader's mark without it.
 * `isStill`: it has not replayed anything for a while, so that its marks are those of where it is.
 */
export function followedAnother(
  leader: Report & { readonly at: number },
  follower: Report & { readonly at: number; readonly isStill: boolean },
): boolean {
  const [led, followed] = [marksOf(leader), marksOf(follower)];
  const [own] = led;
  const [newest] = followed;
  // A report of the leader from before it wrote its mark says nothing of that.
  const isLater = leader.at >= follower.at && (follower.isStill || (newest !== undefined && leader.lsn > newest.lsn));
  if (newest !== undefined && isLater && lacks(led, newest)) return true;
  return own !== undefined && follower.isStill && follower.lsn >= own.lsn && lacks(followed, own);
}
