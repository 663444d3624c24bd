import { exitCodes, type ExitCode } from '../exit.ts';
import type { Output } from '../output.ts';
import { loadOrReport } from '../session.ts';

export async function validate(paths: readonly string[], output: Output): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  for (const { file, cluster, groups } of topologies) {
    const nodes = groups.reduce((sum, group) => sum + group.nodes.length, 0);
    if (output.format === 'json') output.print(JSON.stringify({ file, cluster, valid: true }));
    else output.print(`${file}: valid (cluster ${cluster}, ${count(groups.length, 'group')}, ${count(nodes, 'node')})`);
  }
  return exitCodes.done;
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? '' : 's'}`;
}
