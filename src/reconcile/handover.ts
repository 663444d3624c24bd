import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { Handover, RecordName } from '../postgres/layout.ts';
import { newestRecord } from './group.ts';
import { observe } from './observe.ts';
import { changeRecord } from './record-change.ts';
import type { World } from './work.ts';

/** Times that somebody else may write a record at the same moment. */
const attempts = 5;

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
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const { nodes } = await observe(engine, cluster, undefined);
    const own = nodes.filter((node) => node.group === group);
    const source = newestRecord(own);
    if (source === undefined) {
      throw new PgherdError('not-found', `the group ${group} of cluster ${cluster} has no record: nobody ever led it`, {
        remedy: 'bring it up with `pgherd reconcile --once`',
      });
    }
    const handover = next(source.record);
    if (handover === 'done') return;
    // Who keeps the cluster may write a record of the same version at the same moment: whose it is, the next look tells.
    await changeRecord(engine, cluster, own, source, (known) => ({ ...known, handover }), world);
  }
  throw new PgherdError('in-progress', `the record of group ${group} is changed by somebody else all the time`, {
    remedy: 'try again',
    retry: true,
  });
}

function isSame(one: Handover | undefined, other: Handover): boolean {
  return one?.kind === other.kind && one.to === other.to && one.until === other.until;
}
