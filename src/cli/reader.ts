import { exitCodes } from './exit.ts';

// A terminal that is gone answers EIO: what is under way ends by the signal that comes with it, and until then nobody can
// be told anything.
function isGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EIO' || error.code === 'EPIPE';
}

// A reader that has seen enough (head, less) is no error.
function end(error: NodeJS.ErrnoException): void {
  if (!isGone(error)) throw error;
  if (error.code === 'EPIPE') process.exit(exitCodes.done);
}

function goOn(error: NodeJS.ErrnoException): void {
  if (!isGone(error)) throw error;
}

/** From now on the process ends when nobody reads its results any more; that nobody reads its notes does not matter. */
export function endWithReader(): void {
  process.stdout.on('error', end);
  process.stderr.on('error', goOn);
}

/** From now on work is finished that has begun, whoever reads of it. */
export function outliveReader(): void {
  process.stdout.off('error', end).on('error', goOn);
}
