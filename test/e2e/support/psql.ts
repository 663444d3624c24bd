import { serverProgram } from '../../../src/postgres/scripts.ts';
import { dockerResult } from './engine.ts';

export type PsqlOptions = {
  /** Unless given, the server's socket in the same container. */
  readonly host?: string;
  readonly port?: number;
  /** `postgres` unless given. */
  readonly user?: string;
  /** `postgres` unless given. */
  readonly db?: string;
  readonly password?: string;
  /** 30,000 unless given. */
  readonly timeoutMs?: number;
  /** More arguments for psql. */
  readonly args?: readonly string[];
};

/**
 * Runs SQL by psql in a container and gives its rows: a line each, columns parted by `|`, without headings.
 * Each statement is its own transaction; the first error throws, with what psql said.
 */
export async function psql(container: string, sql: string, options: PsqlOptions = {}): Promise<string> {
  const environment = [
    '--env',
    'PGCONNECT_TIMEOUT=10',
    ...(options.password === undefined ? [] : ['--env', 'PGPASSWORD']),
  ];
  const args = [
    'exec',
    '--interactive',
    ...environment,
    container,
    ...serverProgram('psql', ...connection(options), ...FLAGS, ...(options.args ?? [])),
  ];
  const { code, stdout, stderr } = await dockerResult(args, {
    input: sql,
    env: { PGPASSWORD: options.password },
    timeoutMs: options.timeoutMs ?? 30_000,
  });
  if (code === 0) return stdout.replace(/\n$/, '');
  const ended = code === null ? 'did not end in time' : `exited ${String(code)}`;
  throw new Error(`psql in ${container} ${ended}: ${sql}\n${stdout}${stderr}`);
}

const FLAGS = [
  '--no-psqlrc',
  '--quiet',
  '--tuples-only',
  '--no-align',
  '--no-password',
  '--set=ON_ERROR_STOP=1',
  '--file=-',
];

function connection({ host, port, user = 'postgres', db = 'postgres' }: PsqlOptions): readonly string[] {
  return [
    ...(host === undefined ? [] : [`--host=${host}`]),
    ...(port === undefined ? [] : [`--port=${String(port)}`]),
    `--username=${user}`,
    `--dbname=${db}`,
  ];
}
