import { messageOf } from '../base/error.ts';
import { openJournal, type Journal } from '../daemon/journal.ts';
import { findStateDir } from '../daemon/state-dir.ts';
import type { Output } from './output.ts';

/** The journal that one-shot commands write beside daemons; where it cannot be written, that is said and nothing more. */
export function openCommandJournal(stateDir: string | undefined, output: Output): Journal {
  return openJournal(findStateDir(stateDir, process.env), {
    now: () => new Date(),
    onError: (error) => {
      output.note(`warning: the journal cannot be written: ${messageOf(error)}`);
    },
  });
}
