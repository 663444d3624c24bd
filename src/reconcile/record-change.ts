import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import type { ActionContext } from './actions.ts';
import type { newestRecord } from './group.ts';
import { readRecord, writeRecord } from './kinds/group-record.ts';
import { observe } from './observe.ts';
import type { ObservedNode } from './snapshot.ts';
import type { World } from './work.ts';

/** Times that somebody else may write a record at the same moment. */
const attempts = 5;

/** What is to become of the record that the nodes of a group have. */
export type RecordChange = {
  readonly nodes: readonly ObservedNode[];
  readonly source: NonNullable<ReturnType<typeof newestRecord>>;
  readonly change: (record: GroupRecord) => GroupRecord;
};

/**
 * Changes what records say of what somebody wants, in the volumes of all nodes of their groups, until a look finds no more
 * to change. It takes no lock: whoever holds it is the one to be told, and may write a record of the same version at the
 * same moment; whose it is, the next look tells. Says whether anything was changed. `whose`: for the failure.
 */
export async function changeRecords(
  engine: Engine,
  cluster: string,
  world: World,
  whose: string,
  find: (nodes: readonly ObservedNode[]) => readonly RecordChange[],
): Promise<boolean> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const left = find((await observe(engine, cluster, undefined)).nodes);
    if (left.length === 0) return attempt > 0;
    for (const each of left) await changeRecord(engine, cluster, each, world);
  }
  throw new PgherdError('in-progress', `${whose} changed by somebody else all the time`, {
    remedy: 'try again',
    retry: true,
  });
}

async function changeRecord(
  engine: Engine,
  cluster: string,
  { nodes, source, change }: RecordChange,
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
