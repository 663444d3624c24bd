import { describe, expect, it } from 'vitest';
import type { Volume } from '../../src/docker/types.ts';
import { findLeftovers, refuseRemoval, type Named } from '../../src/reconcile/leftovers.ts';
import { formatLabels, volumeName } from '../../src/reconcile/names.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import { changeNode, convergedSnapshot, topologyOf, withFacts } from './support.ts';

const topology = topologyOf('{ cluster_name: shop, balancers: [{ name: lb1, replicas: 1 }] }');
const converged = convergedSnapshot(topology);

function makeVolume(slot: number, generation: number): Volume {
  const labels = formatLabels({ cluster: 'shop', kind: 'volume', group: 'lb1', slot });
  return { name: volumeName('shop', 'lb1', slot, generation), labels, createdAt: '' };
}

/** The cluster with one more volume, which nobody mounts. */
function withVolume(volume: Volume, slot: number, generation: number, snapshot: Snapshot = converged): Snapshot {
  return { ...snapshot, volumes: [...snapshot.volumes, { volume, group: 'lb1', slot, generation }] };
}

const earlier = makeVolume(1, 0);
const departed = makeVolume(7, 1);

function named(volume: Volume, snapshot: Snapshot, more: Partial<Named> = {}): Named {
  return { name: volume.name, volume, users: [], described: { topology, snapshot }, ...more };
}

describe('a leftover', () => {
  it('is of an earlier generation, or of a node that the file has no more', () => {
    expect(findLeftovers(topology, converged)).toEqual([]);
    expect(findLeftovers(topology, withVolume(earlier, 1, 0))).toEqual(['shop_lb1_1_0']);
    expect(findLeftovers(topology, withVolume(departed, 7, 1))).toEqual(['shop_lb1_7_1']);
  });

  it('is not the newest of a node whose container is gone', () => {
    const gone = { ...withVolume(earlier, 1, 0), nodes: [] };
    expect(findLeftovers(topology, gone)).toEqual(['shop_lb1_1_0']);
  });
});

describe('a volume', () => {
  it('may go where it is a leftover', () => {
    expect(refuseRemoval(named(earlier, withVolume(earlier, 1, 0)))).toBeUndefined();
    expect(refuseRemoval(named(departed, withVolume(departed, 7, 1)))).toBeUndefined();
  });

  it('may not where it holds the data of a node of the file, container or none', () => {
    const own = makeVolume(0, 1);
    expect(refuseRemoval(named(own, { ...converged, nodes: [] }))).toMatchObject({
      code: 'volume-in-use',
      message: 'shop_lb1_0_1 is needed: it holds the data of a node of shop',
    });
  });

  it('may not while a container mounts it', () => {
    const users = ['somebody'];
    expect(refuseRemoval(named(earlier, withVolume(earlier, 1, 0), { users }))).toMatchObject({
      code: 'volume-in-use',
      message: 'shop_lb1_1_0 is in use by somebody',
    });
  });

  it('may not where no file says what is needed', () => {
    expect(refuseRemoval(named(earlier, converged, { described: undefined }))).toMatchObject({ code: 'not-found' });
  });

  it.each(['cloning', 'half', 'rewinding', 'diverged', 'empty'] as const)(
    'may not while what came after it is %s',
    (is) => {
      const unsure = changeNode(withVolume(earlier, 1, 0), 'lb1', 1, (node) => withFacts(node, { state: { is } }));
      expect(refuseRemoval(named(earlier, unsure))).toMatchObject({
        code: 'volume-in-use',
        message: 'shop_lb1_1_0 may be needed: shop_lb1_1_1, which came after it, is not whole',
      });
    },
  );

  it('may not while nobody leads: which volume has the newest data is then for nobody to say', () => {
    const down = (volume: Volume, slot: number, generation: number): Snapshot => ({
      ...withVolume(volume, slot, generation),
      nodes: [],
    });
    for (const unsure of [named(earlier, down(earlier, 1, 0)), named(departed, down(departed, 7, 1))]) {
      expect(refuseRemoval(unsure)).toMatchObject({
        code: 'volume-in-use',
        message: `${unsure.name} may be needed: nobody leads lb1, and says what it has`,
      });
    }
  });

  it('may go with its group, which the file has no more', () => {
    const other = topologyOf('{ cluster_name: shop, balancers: [{ name: lb2 }] }');
    const snapshot = withVolume(earlier, 1, 0, { ...converged, nodes: [] });
    expect(refuseRemoval(named(earlier, snapshot, { described: { topology: other, snapshot } }))).toBeUndefined();
  });

  it("may not where it is not pgherd's, or is not there", () => {
    const foreign = { name: 'foreign', labels: {}, createdAt: '' };
    expect(refuseRemoval(named(foreign, converged))).toMatchObject({ code: 'name-taken' });
    const lock = { ...foreign, labels: formatLabels({ cluster: 'shop', kind: 'lock' }) };
    expect(refuseRemoval(named(lock, converged))).toMatchObject({ code: 'name-taken' });
    expect(refuseRemoval(named(earlier, converged, { volume: undefined }))).toMatchObject({ code: 'not-found' });
  });
});
