import type { Issue } from './diagnostic.ts';
import type { Path } from './path.ts';
import type { TopologyFile } from './types.gen.ts';

/** What the format has a place for and this version does not do is said. */
export function checkVersion(raw: TopologyFile): Issue[] {
  const issues = raw.balancers.flatMap(({ rollout }, index) => ignore(['balancers', index, 'rollout'], rollout));
  return [...ignore(['rollout'], raw.rollout), ...issues, ...ignore(['ignore_changes'], raw.ignore_changes)];
}

function ignore(path: Path, block: object | undefined): Issue[] {
  if (block === undefined || Object.keys(block).length === 0) return [];
  const message = 'read, and not acted on by this version';
  return [{ path, at: 'key', code: 'not-acted-on', message, severity: 'warning' }];
}
