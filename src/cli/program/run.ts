import { InvalidArgumentError, type Command } from 'commander';
import { exitCodes, type ExitCode } from '../exit.ts';
import { createOutput, formatError, type Output } from '../output.ts';
import type { GlobalOptions } from '../session.ts';

/** What `[path...]` means, for help. */
export const pathsHelp = 'topology files or folders of them (default: topology.{yaml,yml,json} or topologies/ here)';

/** What `--state-dir` means, for help. */
export const stateDirHelp = 'where events are kept (default: pgherd in $XDG_STATE_HOME or ~/.local/state)';

type Run<F> = (args: readonly string[], flags: F, output: Output) => Promise<ExitCode>;

/** Runs a command with its arguments and all options, says what went wrong, and ends the process with its exit code. */
export function runs<F extends GlobalOptions>(
  run: Run<F>,
): (args: readonly string[], flags: unknown, command: Command) => Promise<void> {
  return async (args, _flags, command) => {
    const flags = command.optsWithGlobals<F>();
    const output = createOutput({ format: flags.format, color: flags.color });
    process.exitCode = await run(args, flags, output).catch((error: unknown) => {
      output.note(formatError(error));
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
