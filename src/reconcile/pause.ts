import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { ActionContext } from './actions.ts';
import { newestRecord } from './group.ts';
import { readRecord, writeRecord } from './kinds/node-actions.ts';
import { observe } from './observe.ts';
import type { World } from './work.ts';
import type { ObservedNode } from './snapshot.ts';

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
      return source === undefined || source.record.paused === (by !== undefined) ? [] : [{ group, own, source }];
    });
    if (left.length === 0) return isChanged;
    isChanged = true;
    for (const { group, own, source } of left) await writePause(engine, cluster, group, own, source, by, world);
  }
  throw new PgherdError('in-progress', `the records of cluster ${cluster} are changed by somebody else all the time`, {
    remedy: 'try again',
    retry: true,
  });
}

async function writePause(
  engine: Engine,
  cluster: string,
  group: string,
  nodes: readonly ObservedNode[],
  source: NonNullable<ReturnType<typeof newestRecord>>,
  by: string | undefined,
  world: World,
): Promise<void> {
  const context: ActionContext = {
    engine,
    cluster,
    verifyLock: () => Promise.resolve(),
    records: new Map(),
    owners: new Map(),
    passwordOf: () => undefined,
    readFile: world.readFile,
    randomBytes: world.randomBytes,
    signal: new AbortController().signal,
  };
  const { container, layout } = source.node;
  const old = await readRecord(group, { container: container.id, layout, record: source.record }, context);
  const paused = by === undefined ? undefined : { by, at: new Date().toISOString() };
  const targets = nodes
    .filter(({ facts }) => facts.record !== undefined)
    .map((node) => ({ container: node.container.id, layout: node.layout, image: node.container.image }));
  await writeRecord({ ...old, version: old.version + 1, paused }, targets, context);
}
