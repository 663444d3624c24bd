import { look } from '../../reconcile/look.ts';
import { readPasswords } from '../../reconcile/passwords.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { painter, type Output } from '../output.ts';
import { planToJson, renderPlan } from '../render/plan.ts';
import { connect, loadOrReport, readText, type GlobalOptions } from '../session.ts';

export async function plan(
  paths: readonly string[],
  options: GlobalOptions & { readonly detailedExitcode?: boolean },
  output: Output,
): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const engine = await connect(options, output);
  const plans = await Promise.all(
    topologies.map(async (topology) => {
      const passwords = await readPasswords(topology, { env: process.env, readFile: readText });
      return (await look(engine, topology, passwords.fingerprints)).plan;
    }),
  );
  for (const each of plans) {
    if (output.format === 'json')
      output.print(JSON.stringify(planToJson(each), undefined, plans.length === 1 ? 2 : undefined));
    else output.print(renderPlan(each, painter(output.colour)));
  }
  const hasChanges = plans.some(({ changes, blocked }) => changes.length > 0 || blocked.length > 0);
  return hasChanges && options.detailedExitcode === true ? exitCodes.changes : exitCodes.done;
}
