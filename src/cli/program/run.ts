import { PgherdError } from '../../base/error.ts';
import { InvalidArgumentError, type Command } from 'commander';
import { exitCodes } from '../exit.ts';
import { createOutput, formatError, type Output } from '../output.ts';
import { errorEvent } from '../render/progress-events.ts';
import type { GlobalOptions } from '../session.ts';

/** What `[path...]` means, for help. */
export const pathsHelp = 'topology files or folders of them (default: topology.{yaml,yml,json} or topologies/ here)';

/** What `--state-dir` means, for help. */
export const stateDirHelp = 'where events are kept (default: pgherd in $XDG_STATE_HOME or ~/.local/state)';

/** Gives the exit code: pgherd's own, or that of a program that it ran. */
type Run<F> = (args: readonly string[], flags: F, output: Output) => Promise<number>;

/** Runs a command with its arguments and all options, says what went wrong, and ends the process with its exit code. */
export function runs<F extends GlobalOptions>(
  run: Run<F>,
): (args: readonly string[], flags: unknown, command: Command) => Promise<void> {
  return async (args, _flags, command) => {
    const flags = command.optsWithGlobals<F>();
    const output = createOutput({ format: flags.format, color: flags.color });
    process.exitCode = await run(args, flags, output).catch((error: unknown) => {
      const isTold = output.format === 'json' && error instanceof PgherdError;
      if (isTold) output.print(JSON.stringify({ event: 'error', ...errorEvent(error) }));
      else output.note(formatError(error));
      return exitCodes.error;
    });
    // Kept-alive connections to the engine would hold the process for seconds.
    await flushed(process.stdout);
    await flushed(process.stderr);
    process.exit();
  };
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
}

/** Of an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** A number above 0. */
export function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

/** A whole number from 0 on. */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

/** What stands before a `--` on the command line, and after it; commander gives both as one. */
export function splitAtDashes(
  operands: readonly string[],
  argv: readonly string[] = process.argv,
): { readonly before: readonly string[]; readonly after: readonly string[] } {
  const dashes = argv.indexOf('--');
  const count = dashes < 0 ? 0 : argv.length - 1 - dashes;
  const end = operands.length - count;
  return { before: operands.slice(0, end), after: operands.slice(end) };
}

/** A whole number above 0. */
export function parsePositiveCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) throw new InvalidArgumentError('expected a whole number above 0.');
  return value;
}
