import { createInterface } from 'node:readline/promises';
import type { Output } from './output.ts';

/** Asks for a word to be typed, unless `yes` is said already; without a terminal to ask on the answer is no. */
export async function confirm(
  { command, question, expected }: { readonly command: string; readonly question: string; readonly expected: string },
  flags: { readonly yes?: boolean },
  output: Output,
): Promise<boolean> {
  if (flags.yes === true) return true;
  if (!process.stdin.isTTY) {
    output.note(`error: ${command} asks before it acts, and there is no terminal to ask on\n  remedy: add --yes`);
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D close it without an answer.
  const closed = new Promise<string>((resolve) => {
    prompt.once('close', () => {
      resolve('');
    });
  });
  const answer = await Promise.race([prompt.question(question), closed]);
  prompt.close();
  if (answer.trim() === expected) return true;
  output.note('nothing was removed');
  return false;
}
