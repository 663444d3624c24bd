import { eventTypes } from '../../daemon/journal-entry.ts';
import type { ValueSpec } from './tree.ts';

/** What stands in topology files and on the engine; a server is a node or a balancer. */
export type NameKind = 'cluster' | 'group' | 'node' | 'server' | 'volume';

/** What the shell itself completes: files that may be topologies, any file, folders. */
export type FileKind = 'topologies' | 'files' | 'folders';

/** How a value is completed. */
export type ValueRule =
  | { readonly by: 'choices'; readonly choices: readonly string[] }
  /** Several of them, with commas between. */
  | { readonly by: 'list'; readonly choices: readonly string[] }
  | { readonly by: 'names'; readonly of: NameKind }
  | { readonly by: 'files'; readonly which: FileKind }
  /** Only the person knows it. */
  | { readonly by: 'nothing' };

const nothing = { by: 'nothing' } as const;

/** By the name that an argument, or the value of an option, has in help. */
const rules: Readonly<Record<string, ValueRule>> = {
  cluster: { by: 'names', of: 'cluster' },
  group: { by: 'names', of: 'group' },
  node: { by: 'names', of: 'node' },
  server: { by: 'names', of: 'server' },
  volume: { by: 'names', of: 'volume' },
  path: { by: 'files', which: 'topologies' },
  file: { by: 'files', which: 'files' },
  folder: { by: 'files', which: 'folders' },
  types: { by: 'list', choices: eventTypes },
  address: nothing,
  argument: nothing,
  command: nothing,
  count: nothing,
  image: nothing,
  lines: nothing,
  name: nothing,
  number: nothing,
  port: nothing,
  seconds: nothing,
  sql: nothing,
  steps: nothing,
  subnet: nothing,
  time: nothing,
};

/** How the value is completed; undefined where nothing is known of its name. */
export function findRule({ name, choices }: ValueSpec): ValueRule | undefined {
  if (choices !== undefined) return { by: 'choices', choices };
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}
