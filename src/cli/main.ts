#!/usr/bin/env node
import packageJson from '../../package.json' with { type: 'json' };
import { exitCodes } from './exit.ts';

// A reader that has seen enough (head, less) is no error. A terminal that is gone answers EIO: what is under way ends by
// the signal that comes with it, and until then nobody can be told anything.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EIO') return;
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.done);
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EIO' && error.code !== 'EPIPE') throw error;
});

const [first, ...others] = process.argv.slice(2);
if (others.length === 0 && (first === '--version' || first === '-V')) {
  // Answered before the definitions of all commands are loaded, which takes twice as long.
  process.stdout.write(`${packageJson.version}\n`);
} else {
  const { createProgram } = await import('./program/program.ts');
  await createProgram().parseAsync();
}
