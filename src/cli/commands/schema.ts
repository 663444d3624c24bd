import { schemaText } from '../../topology/schema.gen.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import type { Output } from '../output.ts';

/** Prints the JSON Schema of topology files, to the byte; it is JSON whatever the format. */
export function schema(output: Output): ExitCode {
  output.print(schemaText.trimEnd());
  return exitCodes.done;
}
