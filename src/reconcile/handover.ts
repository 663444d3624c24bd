import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { Handover, RecordName } from '../postgres/layout.ts';
import { newestRecord } from './group.ts';
import { changeRecords } from './record-change.ts';
import type { World } from './work.ts';

/**
 * Writes into a group's record who is to lead: whoever keeps the cluster does it. Fails with `not-found` where the group
 * has no record.
 */
export async function askHandover(
  engine: Engine,
  cluster: string,
  group: string,
  handover: Handover,
  world: World,
): Promise<void> {
  let leader: number | undefined;
  await change(engine, cluster, group, world, (record) => {
    // Whoever keeps the cluster may be quicker than this: then it is done, and nobody asks any more.
    leader ??= record.leader;
    return isSame(record.handover, handover) || record.leader !== leader ? 'done' : handover;
  });
}

/** Takes back what was asked for, unless somebody else asks for something by now. */
export async function withdrawHandover(
  engine: Engine,
  cluster: string,
  group: string,
  handover: Handover,
  world: World,
): Promise<void> {
  await change(engine, cluster, group, world, (record) => (isSame(record.handover, handover) ? undefined : 'done'));
}

async function change(
  engine: Engine,
  cluster: string,
  group: string,
  world: World,
  next: (record: RecordName) => Handover | undefined | 'done',
): Promise<void> {
  await changeRecords(engine, cluster, world, `the record of group ${group} is`, (all) => {
    const nodes = all.filter((node) => node.group === group);
    const source = newestRecord(nodes);
    if (source === undefined) {
      throw new PgherdError('not-found', `the group ${group} of cluster ${cluster} has no record: nobody ever led it`, {
        remedy: 'bring it up with `pgherd reconcile --once`',
      });
    }
    const handover = next(source.record);
    return handover === 'done' ? [] : [{ nodes, source, change: (known) => ({ ...known, handover }) }];
  });
}

function isSame(one: Handover | undefined, other: Handover): boolean {
  return one?.kind === other.kind && one.to === other.to && one.until === other.until;
}
