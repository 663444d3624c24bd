import { formatDiagnostic, parseTopology } from '../../src/topology/load.ts';
import type { Topology } from '../../src/topology/model.ts';

/** What the user sees for a text: its diagnostics as printed, or an empty string. */
export function diagnose(text: string, env: Readonly<Record<string, string>> = {}, file = 'topology.yaml'): string {
  const { diagnostics } = parseTopology(text, file, env, '/project');
  return diagnostics.map(formatDiagnostic).join('\n');
}

/** The topology of a text that must be sound; warnings are allowed. */
export function parseSound(text: string, env: Readonly<Record<string, string>> = {}, file = 'topology.yaml'): Topology {
  const { topology, diagnostics } = parseTopology(text, file, env, '/project');
  if (topology === undefined) {
    throw new Error(`not sound:\n${diagnostics.map(formatDiagnostic).join('\n')}`);
  }
  return topology;
}
