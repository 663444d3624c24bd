import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PgherdError } from '../../base/error.ts';
import { look } from '../../reconcile/look.ts';
import { readPasswords } from '../../reconcile/passwords.ts';
import {
  addReplicas,
  removeReplica as removeFromText,
  type EditContext,
  type EditResult,
} from '../../topology/edit.ts';
import { createLoadDeps, formatDiagnostic, loadTopologies } from '../../topology/load.ts';
import type { Group, Topology } from '../../topology/model.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { findGroup, findNode } from '../find.ts';
import { painter, type Output } from '../output.ts';
import { renderDiff } from '../render/diff.ts';
import { planToJson, renderPlan } from '../render/plan.ts';
import { replaceFile } from '../replace-file.ts';
import { connect, loadOrReport, readText } from '../session.ts';
import { converge, type ReconcileFlags } from './reconcile.ts';

type ScaleFlags = ReconcileFlags & {
  readonly balancer: string;
  readonly reconcile: boolean;
  readonly dryRun?: boolean;
};

export type AddFlags = ScaleFlags & { readonly count: number };
export type RemoveFlags = ScaleFlags & { readonly node: string };

export function addReplica(paths: readonly string[], flags: AddFlags, output: Output): Promise<ExitCode> {
  return scale('add-replica', paths, flags, output, (text, { name }, context) =>
    addReplicas(text, name, flags.count, context),
  );
}

export function removeReplica(paths: readonly string[], flags: RemoveFlags, output: Output): Promise<ExitCode> {
  return scale('remove-replica', paths, flags, output, (text, group, context) => {
    const node = findNode(group, flags.node);
    if (node.slot === 0) {
      throw new PgherdError('edit-refused', `${node.name} is the primary of ${group.name}, not one of its replicas`, {
        remedy: `a group keeps the node that \`primary:\` names; to have another one lead, run \`pgherd switchover ${group.name}\``,
      });
    }
    return removeFromText(text, group.name, node.slot, context);
  });
}

type Edit = (text: string, group: Group, context: EditContext) => EditResult;

/** Edits the one file that has the group, and has its cluster follow. */
async function scale(
  by: 'add-replica' | 'remove-replica',
  paths: readonly string[],
  flags: ScaleFlags,
  output: Output,
  edit: Edit,
): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const { topology, group } = findGroup(topologies, flags.balancer);
  const { file } = topology;
  const bytes = await readFile(resolve(file));
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const others = topologies.filter((each) => each !== topology);
  const result = edit(text, group, { file, env: process.env, cwd: process.cwd(), others });
  if ('refused' in result) {
    for (const diagnostic of result.refused.diagnostics ?? []) output.note(formatDiagnostic(diagnostic));
    throw new PgherdError('edit-refused', result.refused.message, { remedy: result.refused.remedy });
  }
  const edited = new TextEncoder().encode(result.text);
  const after = await loadEdited(paths, file, edited, output);
  if (after === undefined) {
    throw new PgherdError('edit-refused', `${file} would not be valid with this change`, {
      remedy: 'see to what is said of it first; nothing was changed',
    });
  }
  const change: Change = { file, group: group.name, added: result.added, removed: result.removed };
  const isDry = flags.dryRun === true;
  const engine = flags.reconcile ? await connect(flags, output) : undefined;
  if (!isDry) await replaceFile(resolve(file), bytes, edited);
  const paint = painter(output.colour && output.format === 'text');
  printChange(change, renderDiff(file, text, result.text, paint), isDry, output);
  if (engine === undefined) return exitCodes.done;
  if (isDry) {
    const { fingerprints } = await readPasswords(after, { env: process.env, readFile: readText });
    const { plan } = await look(engine, after, fingerprints);
    if (output.format === 'json') output.print(JSON.stringify({ event: 'plan', ...planToJson(plan) }));
    else output.print(renderPlan(plan, paint));
    return exitCodes.done;
  }
  let isConverged = false;
  try {
    isConverged = await converge({ engine, topologies: [after], by }, flags, output);
  } finally {
    if (!isConverged) noteStays(change, output);
  }
  return isConverged ? exitCodes.done : exitCodes.notConverged;
}

/** The topology of the edited file, checked together with all others; undefined where something is wrong, which is told. */
async function loadEdited(
  paths: readonly string[],
  file: string,
  edited: Uint8Array,
  output: Output,
): Promise<Topology | undefined> {
  const deps = createLoadDeps();
  const path = resolve(file);
  const { topologies, diagnostics } = await loadTopologies(paths, {
    ...deps,
    readFile: async (each) => (each === path ? edited : await deps.readFile(each)),
  });
  // warnings are about what was there before, and told
  for (const each of diagnostics) if (each.severity === 'error') output.note(formatDiagnostic(each));
  return topologies.find((topology) => topology.file === file);
}

type Change = {
  readonly file: string;
  readonly group: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
};

function printChange(change: Change, diff: string, isDry: boolean, output: Output): void {
  if (output.format === 'json') {
    output.print(JSON.stringify({ event: isDry ? 'file-would-change' : 'file-changed', ...change, diff }));
    return;
  }
  const { file, group, added, removed } = change;
  const what = [
    ...added.map((name) => `${name} is added to ${group}`),
    ...removed.map((name) => `${name} is removed from ${group}`),
  ];
  output.print(`${diff}\n\n${file}: ${what.join(', ')}${isDry ? ' (dry run: nothing is changed)' : ''}.\n`);
}

/** The file is the truth, also where it could not be followed yet. */
function noteStays({ file, group, added }: Change, output: Output): void {
  const undo =
    added.length === 0
      ? 'put back the lines that the diff above takes out'
      : `run ${added
          .toReversed()
          .map((name) => `\`pgherd remove-replica --balancer ${group} --node ${name} ${file}\``)
          .join(' and ')}`;
  output.note(
    `the change stays in ${file}, which says what is to be\n` +
      `  remedy: run \`pgherd reconcile --once ${file}\` to go on; to undo it, ${undo}`,
  );
}
