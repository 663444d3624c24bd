import type { Issue } from './diagnostic.ts';
import type { Path } from './path.ts';
import type { TopologyFile } from './types.gen.ts';

/** What the format has a place for and this version does not do: refused where data rest on it, else said. */
export function checkVersion(raw: TopologyFile): Issue[] {
  const blocks: { path: Path; block: Pick<TopologyFile, 'replication' | 'failover' | 'rollout'> }[] = [
    { path: [], block: raw },
    ...raw.balancers.map((block, index) => ({ path: ['balancers', index], block })),
  ];
  const issues = blocks.flatMap(({ path, block }) => [
    ...checkReplication([...path, 'replication'], block.replication),
    ...ignore([...path, 'failover'], block.failover),
    ...ignore([...path, 'rollout'], block.rollout),
  ]);
  return [...issues, ...ignore(['ignore_changes'], raw.ignore_changes)];
}

/** Commits that are thought to wait for replicas and do not are worse than none. */
function checkReplication(path: Path, replication: TopologyFile['replication']): Issue[] {
  const refuse = (key: string, what: string): Issue[] => {
    const message = `${what} not in this version; use async`;
    return [{ path: [...path, key], at: 'value', code: 'not-in-this-version', message, hint: 'remove the line' }];
  };
  if (replication?.mode === 'quorum') return refuse('mode', 'quorum is');
  return replication?.sync_replicas === undefined ? [] : refuse('sync_replicas', 'synchronous replicas are');
}

function ignore(path: Path, block: object | undefined): Issue[] {
  if (block === undefined || Object.keys(block).length === 0) return [];
  const message = 'read, and not acted on by this version';
  return [{ path, at: 'key', code: 'not-acted-on', message, severity: 'warning' }];
}
