import { homedir } from 'node:os';
import type { Command } from 'commander';
import { messageOf } from '../../base/error.ts';
import { complete } from '../completion/complete.ts';
import { formatReply } from '../completion/reply.ts';
import { createSources } from '../completion/sources.ts';
import { describeCommand } from '../completion/tree.ts';
import { unquoteBash } from '../completion/unquote.ts';

/** Longer than an engine nearby takes, shorter than a person waits gladly. Milliseconds. */
const engineDeadline = 1000;

/**
 * Answers a shell's script, which shows nothing of standard error: there stands why there are no names, for whoever runs
 * this by hand. It never fails: no completion is an answer.
 */
export async function answerCompletion(
  program: Command,
  words: readonly string[],
  options: { readonly quoted?: boolean },
): Promise<string> {
  const explain = (reason: string): void => void process.stderr.write(`${reason}\n`);
  const sources = createSources({
    connect: async (host) => {
      const { connectEngine } = await import('../../docker/dockerode.ts');
      const { findEndpoint } = await import('../../docker/endpoint.ts');
      return connectEngine(await findEndpoint(host, process.env));
    },
    home: homedir(),
    deadline: engineDeadline,
    explain,
  });
  // The first word is the program.
  const typed = words.slice(1).map((word) => (options.quoted === true ? unquoteBash(word) : word));
  try {
    return formatReply(await complete(describeCommand(program), typed, sources));
  } catch (error) {
    explain(messageOf(error));
    return '';
  }
}
