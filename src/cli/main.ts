#!/usr/bin/env node
import { exitCodes } from './exit.ts';
import { createProgram } from './program/program.ts';

// A reader that has seen enough (head, less) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.done);
});

await createProgram().parseAsync();
