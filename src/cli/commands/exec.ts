import { PgherdError } from '../../base/error.ts';
import { findServer } from '../../reconcile/find.ts';
import { findOnEngine } from '../find-on-engine.ts';
import { runInside } from '../inside/run-inside.ts';
import { isTerminal } from '../inside/stdio.ts';
import type { Output } from '../output.ts';
import { connect, type GlobalOptions } from '../session.ts';

export type ExecFlags = GlobalOptions & {
  readonly cluster?: string;
  readonly user?: string;
  /** False: no terminal, even where there is one. */
  readonly tty: boolean;
};

/** Runs a command in the container of a node or balancer. */
export async function exec(
  node: string,
  command: readonly string[],
  flags: ExecFlags,
  output: Output,
): Promise<number> {
  const engine = await connect(flags, output);
  const { name, container } = await findOnEngine(engine, (servers) => findServer(servers, node, flags.cluster));
  if (container.state !== 'running') {
    throw new PgherdError('not-running', `${name} does not run (${container.state})`, {
      remedy: `see \`pgherd status\` and \`pgherd logs ${name}\``,
    });
  }
  const terminal = flags.tty && isTerminal();
  return runInside(engine, {
    container: container.id,
    command,
    user: flags.user,
    env: terminal ? { TERM: process.env['TERM'] ?? 'xterm' } : {},
    terminal,
  });
}
