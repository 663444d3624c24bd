import { hostname, userInfo } from 'node:os';
import { setPaused } from '../../reconcile/requests.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import type { Output } from '../output.ts';
import { connect, type GlobalOptions } from '../session.ts';

export async function pause(clusters: readonly string[], flags: GlobalOptions, output: Output): Promise<ExitCode> {
  return setAll(clusters, `${userInfo().username}@${hostname()}`, flags, output);
}

export async function resume(clusters: readonly string[], flags: GlobalOptions, output: Output): Promise<ExitCode> {
  return setAll(clusters, undefined, flags, output);
}

async function setAll(
  clusters: readonly string[],
  by: string | undefined,
  flags: GlobalOptions,
  output: Output,
): Promise<ExitCode> {
  const engine = await connect(flags, output);
  for (const cluster of clusters) {
    const isChanged = await setPaused(engine, cluster, by);
    const state = by === undefined ? 'is not paused' : 'is paused already';
    if (output.format === 'json')
      output.print(JSON.stringify({ cluster, paused: by !== undefined, changed: isChanged }));
    else if (!isChanged) output.print(`${cluster}: ${state}.`);
    else if (by === undefined) output.print(`${cluster}: resumed; it is kept as its file says again.`);
    else output.print(`${cluster}: paused; nothing but looking is done until \`pgherd resume ${cluster}\`.`);
  }
  return exitCodes.done;
}
