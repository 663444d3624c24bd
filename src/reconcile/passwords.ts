import { PgherdError } from '../base/error.ts';
import type { PasswordSource, Topology } from '../topology/model.ts';
import { fingerprintOf } from './kinds/group-record.ts';
import type { Fingerprints } from './planner.ts';

/** The passwords that a file gives, by group, and what may be known of them where plans are made. */
export type Passwords = {
  readonly of: (group: string) => string | undefined;
  readonly fingerprints: Fingerprints;
};

/** Reads the passwords from where the file says they are. */
export async function readPasswords(
  topology: Topology,
  deps: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly readFile: (path: string) => Promise<string>;
  },
): Promise<Passwords> {
  const read = await Promise.all(
    topology.groups.map(async ({ name, password }) => [name, await readPassword(password, name, deps)] as const),
  );
  const passwords = new Map(read);
  return {
    of: (group) => passwords.get(group),
    fingerprints: Object.fromEntries(
      read.map(([group, given]) => [
        group,
        given === undefined ? undefined : fingerprintOf(topology.cluster, group, given),
      ]),
    ),
  };
}

async function readPassword(
  source: PasswordSource,
  group: string,
  deps: Parameters<typeof readPasswords>[1],
): Promise<string | undefined> {
  if (source.from === 'generate') return undefined;
  const where = source.from === 'env' ? `the variable ${source.name}` : `the file ${source.path}`;
  const missing = (cause?: unknown): PgherdError =>
    new PgherdError('secret-missing', `the password of group ${group} is not in ${where}`, {
      cause,
      remedy: 'put it there, or let pgherd make one with `password: {generate: true}`',
    });
  const text =
    source.from === 'env'
      ? own(deps.env, source.name)
      : await deps.readFile(source.path).catch((cause: unknown) => {
          throw missing(cause);
        });
  const password = text?.replace(/\r?\n$/, '') ?? '';
  if (password === '' || /[\r\n\0]/.test(password)) throw missing();
  return password;
}

// A variable may be called `constructor`, which every object has.
function own(env: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}
