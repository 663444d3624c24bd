import packageJson from '../../../package.json' with { type: 'json' };
import { PgherdError } from '../../base/error.ts';
import { findEndpoint } from '../../docker/endpoint.ts';
import type { EngineVersion } from '../../docker/version.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import type { Output } from '../output.ts';
import type { GlobalOptions } from '../session.ts';

/** What an engine nearby takes, and one that hangs may. Milliseconds. */
const deadline = 2000;

type Found =
  { readonly host: string; readonly engine: EngineVersion } | { readonly host?: string; readonly problem: PgherdError };

export async function version(flags: GlobalOptions & { readonly client?: boolean }, output: Output): Promise<ExitCode> {
  const own = {
    version: packageJson.version,
    node: process.versions.node,
    platform: `${process.platform}/${process.arch}`,
  };
  const found = flags.client === true ? undefined : await findEngine(flags.host);
  if (output.format === 'json') {
    output.print(JSON.stringify({ ...own, ...(found === undefined ? {} : { engine: toJson(found) }) }));
    return exitCodes.done;
  }
  output.print(`pgherd    ${own.version}`);
  output.print(`Node.js   ${own.node}`);
  output.print(`platform  ${own.platform}`);
  if (found === undefined) return exitCodes.done;
  if ('engine' in found) {
    const { engine, host } = found;
    output.print(`engine    Docker ${engine.version}, API ${engine.api}, ${engine.platform}, at ${host}`);
  } else {
    output.print(`engine    none: ${found.problem.message}`);
    output.note(`  remedy: ${found.problem.remedy}`);
  }
  return exitCodes.done;
}

async function findEngine(flag: string | undefined): Promise<Found> {
  let host: string | undefined;
  try {
    const endpoint = await findEndpoint(flag, process.env);
    host = endpoint.host;
    const { askVersion } = await import('../../docker/version.ts');
    return { host, engine: await askVersion(endpoint, deadline) };
  } catch (error) {
    if (!(error instanceof PgherdError)) throw error;
    return { ...(host === undefined ? {} : { host }), problem: error };
  }
}

function toJson(found: Found): object {
  if ('engine' in found) return { host: found.host, ...found.engine };
  const { host, problem } = found;
  const error = { code: problem.code, message: problem.message, remedy: problem.remedy };
  return { ...(host === undefined ? {} : { host }), error };
}
