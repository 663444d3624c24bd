import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import { newestRecord } from './group.ts';
import { observe } from './observe.ts';
import { changeRecord } from './record-change.ts';
import type { World } from './work.ts';

/** Times that somebody else may write a record at the same moment. */
const attempts = 5;

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
  let isChanged = false;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const { nodes } = await observe(engine, cluster, undefined);
    const groups = [...new Set(nodes.map(({ group }) => group))];
    if (groups.length === 0) {
      throw new PgherdError('not-found', `there is no container of a server of cluster ${cluster} on the engine`, {
        remedy: 'see `docker ps --all --filter label=pgherd.cluster`',
      });
    }
    const left = groups.flatMap((group) => {
      const own = nodes.filter((node) => node.group === group);
      const source = newestRecord(own);
      return source === undefined || source.record.paused === (by !== undefined) ? [] : [{ own, source }];
    });
    if (left.length === 0) return isChanged;
    isChanged = true;
    const paused = by === undefined ? undefined : { by, at: new Date().toISOString() };
    for (const { own, source } of left) {
      await changeRecord(engine, cluster, own, source, (record) => ({ ...record, paused }), world);
    }
  }
  throw new PgherdError('in-progress', `the records of cluster ${cluster} are changed by somebody else all the time`, {
    remedy: 'try again',
    retry: true,
  });
}
