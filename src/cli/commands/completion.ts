import bash from '../completion/scripts/bash.sh';
import fish from '../completion/scripts/fish.sh';
import zsh from '../completion/scripts/zsh.sh';
import { exitCodes, type ExitCode } from '../exit.ts';
import type { Output } from '../output.ts';

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };

/** Prints what a shell loads to complete pgherd. */
export function completion([shell = '']: readonly string[], output: Output): ExitCode {
  const script = scripts[shell];
  // The command line takes no other shell.
  if (script === undefined) throw new Error(`there is no completion for ${shell}`);
  output.print(output.format === 'json' ? JSON.stringify({ shell, script }) : script.trimEnd());
  return exitCodes.done;
}
