import { createInterface } from 'node:readline/promises';
import { exitCodes, type ExitCode } from './exit.ts';
import type { Output } from './output.ts';

/**
 * Asks for a word to be typed, unless `yes` is said already; without a terminal to ask on the answer is no. Gives the exit
 * code where the answer is no, and undefined where it is yes.
 */
export async function confirm(
  { command, question, expected }: { readonly command: string; readonly question: string; readonly expected: string },
  flags: { readonly yes?: boolean },
  output: Output,
): Promise<ExitCode | undefined> {
  if (flags.yes === true) return undefined;
  if (!process.stdin.isTTY) {
    output.note(`error: ${command} asks before it acts, and there is no terminal to ask on\n  remedy: add --yes`);
    return exitCodes.error;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D close it without an answer.
  const closed = new Promise<undefined>((resolve) => {
    prompt.once('close', () => {
      resolve(undefined);
    });
  });
  const answer = await Promise.race([prompt.question(question), closed]);
  prompt.close();
  if (answer?.trim() === expected) return undefined;
  output.note('nothing was removed');
  return answer === undefined ? exitCodes.interrupted : exitCodes.error;
}
