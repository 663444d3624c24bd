import type { Engine } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import type { ActionContext } from './actions.ts';
import type { newestRecord } from './group.ts';
import { readRecord, writeRecord } from './kinds/group-record.ts';
import type { ObservedNode } from './snapshot.ts';
import type { World } from './work.ts';

/**
 * Changes what a group's record says of what somebody wants, in the volumes of all its nodes. It takes no lock: whoever
 * holds it is the one to be told.
 */
export async function changeRecord(
  engine: Engine,
  cluster: string,
  nodes: readonly ObservedNode[],
  source: NonNullable<ReturnType<typeof newestRecord>>,
  change: (record: GroupRecord) => GroupRecord,
  world: World,
): Promise<void> {
  const context: ActionContext = {
    engine,
    cluster,
    verifyLock: () => Promise.resolve(),
    records: new Map(),
    remembered: new Map(),
    owners: new Map(),
    passwordOf: () => undefined,
    readFile: world.readFile,
    randomBytes: world.randomBytes,
    signal: new AbortController().signal,
  };
  const { container, layout, group } = source.node;
  const old = await readRecord(group, { container: container.id, layout, record: source.record }, context);
  const targets = nodes
    .filter(({ facts }) => facts.record !== undefined)
    .map((node) => ({ container: node.container.id, layout: node.layout, image: node.container.image }));
  await writeRecord({ ...change(old), version: old.version + 1 }, targets, context);
}
