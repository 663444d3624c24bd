import type { Candidate, Context } from './complete.ts';
import type { NameKind } from './rules.ts';

/** A node with all that it is part of. */
export type Member = {
  readonly cluster: string;
  readonly group: string;
  readonly node: string;
  /** The file or the engine that says so. */
  readonly from: string;
};

/** Names of that kind, each once, with where they belong; those of the line's cluster and group, where it names them. */
export function listNames(of: Exclude<NameKind, 'volume'>, members: readonly Member[], context: Context): Candidate[] {
  if (of === 'server') {
    const [nodes, balancers] = (['node', 'group'] as const).map((each) => listNames(each, members, context));
    return [
      ...(nodes ?? []),
      ...(balancers ?? []).map((each) => ({ ...each, description: `balancer, ${each.description}` })),
    ];
  }
  const found = new Map<string, Set<string>>();
  for (const member of members) {
    if (of !== 'cluster' && context.cluster !== undefined && member.cluster !== context.cluster) continue;
    if (of === 'node' && context.group !== undefined && member.group !== context.group) continue;
    found.set(member[of], (found.get(member[of]) ?? new Set()).add(describe(of, member)));
  }
  return [...found].map(([text, descriptions]) => ({ text, description: [...descriptions].join('; ') }));
}

function describe(of: 'cluster' | 'group' | 'node', { cluster, group, from }: Member): string {
  if (of === 'cluster') return from;
  return of === 'group' ? `cluster ${cluster}` : `${group} of ${cluster}`;
}
