import type { Issue } from './diagnostic.ts';
import type { Path } from './path.ts';
import type { TopologyFile } from './types.gen.ts';

/** A commit cannot wait for more replicas than there are. */
export function checkReplication(raw: TopologyFile): Issue[] {
  return raw.balancers.flatMap((balancer, index) => {
    const mode = balancer.replication?.mode ?? raw.replication?.mode;
    if (mode !== 'quorum') return [];
    const wanted = balancer.replication?.sync_replicas ?? raw.replication?.sync_replicas ?? 1;
    const { replicas = 0 } = balancer;
    const there = Array.isArray(replicas) ? replicas.length : replicas;
    if (there >= wanted) return [];
    const path: Path = balancer.replication === undefined ? ['replication'] : ['balancers', index, 'replication'];
    const [has, waits] = [count(there), count(wanted)];
    const message = `commits of ${balancer.name} would wait for ${waits} for ever: it has ${has}`;
    const hint = 'give it more replicas, a smaller sync_replicas, or mode: async';
    return [{ path, at: 'key', code: 'too-few-replicas', message, hint }];
  });
}

function count(replicas: number): string {
  return replicas === 0 ? 'no replica' : `${String(replicas)} ${replicas === 1 ? 'replica' : 'replicas'}`;
}
