import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import { newestRecord } from './group.ts';
import { changeRecords } from './record-change.ts';
import type { World } from './work.ts';

/**
 * Has nothing but looking done to a cluster, or ends that: written into the records of its groups, where every pgherd
 * sees it. Takes no lock, since whoever holds it is the one to be told. Says whether anything was changed.
 */
export async function setPaused(
  engine: Engine,
  cluster: string,
  by: string | undefined,
  world: World,
): Promise<boolean> {
  const paused = by === undefined ? undefined : { by, at: new Date().toISOString() };
  return changeRecords(engine, cluster, world, `the records of cluster ${cluster} are`, (nodes) => {
    const groups = [...new Set(nodes.map(({ group }) => group))];
    if (groups.length === 0) {
      throw new PgherdError('not-found', `there is no container of a server of cluster ${cluster} on the engine`, {
        remedy: 'see `docker ps --all --filter label=pgherd.cluster`',
      });
    }
    return groups.flatMap((group) => {
      const own = nodes.filter((node) => node.group === group);
      const source = newestRecord(own);
      if (source === undefined || source.record.paused === (paused !== undefined)) return [];
      return [{ nodes: own, source, change: (record: GroupRecord): GroupRecord => ({ ...record, paused }) }];
    });
  });
}
