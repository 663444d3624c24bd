import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { OperatorEngine } from '../docker/operator.ts';
import { formatDiagnostic, loadTopologies } from '../topology/load.ts';
import type { Topology } from '../topology/model.ts';
import type { Output } from './output.ts';

/** Options every command takes. */
export type GlobalOptions = {
  readonly host?: string;
  readonly format: 'text' | 'json';
  readonly verbose?: boolean;
  readonly color: boolean;
};

/** The topologies of the paths; undefined where a file has an error, which is then printed. */
export async function loadOrReport(
  paths: readonly string[],
  output: Output,
): Promise<readonly [Topology, ...Topology[]] | undefined> {
  const { topologies, diagnostics } = await loadTopologies(paths);
  const [first, ...rest] = topologies;
  const isBroken = diagnostics.some(({ severity }) => severity === 'error');
  if (isBroken && output.format === 'json') output.print(JSON.stringify({ valid: false, diagnostics }));
  else for (const diagnostic of diagnostics) output.note(formatDiagnostic(diagnostic));
  return isBroken || first === undefined ? undefined : [first, ...rest];
}

/** Connects to the engine that the options, the environment or a docker context name. */
export async function connect(options: GlobalOptions, output: Output): Promise<OperatorEngine> {
  const [{ connectEngine }, { findEndpoint }] = await Promise.all([
    import('../docker/dockerode.ts'),
    import('../docker/endpoint.ts'),
  ]);
  const endpoint = await findEndpoint(options.host, process.env);
  return connectEngine(endpoint, {
    extraLabels: parseLabels(process.env['PGHERD_EXTRA_LABELS']),
    ...(options.verbose === true
      ? {
          onCall: ({ method, path, status, milliseconds }) => {
            output.note(`engine: ${method} ${path} -> ${String(status)} (${milliseconds.toFixed(1)} ms)`);
          },
        }
      : {}),
  });
}

/** Files named in a topology are absolute already; passwords are read as text, scripts as they are (they may be compressed). */
export function readText(path: string): Promise<string> {
  return readFile(resolve(path), 'utf8');
}

export function readBytes(path: string): Promise<Buffer> {
  return readFile(resolve(path));
}

// `name=value,name=value`: put on everything that is created, for those who sweep up by label.
function parseLabels(text: string | undefined): Readonly<Record<string, string>> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}
