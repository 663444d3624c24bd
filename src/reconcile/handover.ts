import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { Handover } from '../postgres/layout.ts';
import { newestRecord } from './group.ts';
import { observe } from './observe.ts';
import { changeRecord } from './record-change.ts';
import type { World } from './work.ts';

/**
 * Writes into a group's record who is to lead, or with `undefined` that nobody asks any more. Whoever keeps the cluster
 * does it. Fails with `not-found` where the group has no record.
 */
export async function setHandover(
  engine: Engine,
  cluster: string,
  group: string,
  handover: Handover | undefined,
  world: World,
): Promise<void> {
  const { nodes } = await observe(engine, cluster, undefined);
  const own = nodes.filter((node) => node.group === group);
  const source = newestRecord(own);
  if (source === undefined) {
    throw new PgherdError('not-found', `the group ${group} of cluster ${cluster} has no record: nobody ever led it`, {
      remedy: 'bring it up with `pgherd reconcile --once`',
    });
  }
  if (handover === undefined && source.record.handover === undefined) return;
  await changeRecord(engine, cluster, own, source, (record) => ({ ...record, handover }), world);
}
