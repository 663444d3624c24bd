#!/usr/bin/env node
import packageJson from '../../package.json' with { type: 'json' };
import { endWithReader } from './reader.ts';

endWithReader();
const [first, ...others] = process.argv.slice(2);
if (others.length === 0 && (first === '--version' || first === '-V')) {
  // Answered before the definitions of all commands are loaded, which takes twice as long.
  process.stdout.write(`${packageJson.version}\n`);
} else {
  const { createProgram } = await import('./program/program.ts');
  await createProgram().parseAsync();
}
