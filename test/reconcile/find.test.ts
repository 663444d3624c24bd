import { describe, expect, it } from 'vitest';
import type { PgherdError } from '../../src/base/error.ts';
import { findGroup, findServer, listServers, ofCluster, type Server } from '../../src/reconcile/find.ts';
import { formatLabels } from '../../src/reconcile/names.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

/** Servers of clusters as the engine has them: groups with so many nodes, container names behind `NAME-`. */
async function serversOf(
  ...clusters: readonly { readonly name: string; readonly groups: Readonly<Record<string, number>> }[]
): Promise<readonly Server[]> {
  const { engine } = new FakeWorld().connect();
  const create = (name: string, labels: Parameters<typeof formatLabels>[0]): Promise<string> =>
    engine.createContainer({ name, image: 'postgres:17', labels: formatLabels(labels), network: 'none' });
  for (const { name: cluster, groups } of clusters) {
    for (const [group, nodes] of Object.entries(groups)) {
      for (let slot = nodes - 1; slot >= 0; slot -= 1) {
        const spec = slot === 1 ? { spec: '{"host":"called"}' } : {};
        await create(`${cluster}-${group}-${String(slot)}`, { cluster, kind: 'node', group, slot, ...spec });
      }
      await create(`${cluster}-${group}`, { cluster, kind: 'balancer', group });
    }
    await create(`pgherd-lock-${cluster}`, { cluster, kind: 'lock' });
  }
  return listServers(engine);
}

const shop = { name: 'shop', groups: { lb1: 3 } };
const test = { name: 'test', groups: { lb1: 1, lb2: 1 } };

function failure(call: () => unknown): Pick<PgherdError, 'code' | 'message' | 'remedy'> {
  try {
    call();
  } catch (error) {
    const { code, message, remedy } = error as PgherdError;
    return { code, message, remedy };
  }
  throw new Error('it was found');
}

describe('servers', () => {
  it('are known by their labels, balancer first, then slot by slot', async () => {
    const names = (await serversOf(test, shop)).map(({ cluster, name }) => `${cluster}/${name}`);
    expect(names).toEqual([
      ...['shop/lb1', 'shop/lb1-primary', 'shop/called', 'shop/lb1-replica2'],
      ...['test/lb1', 'test/lb1-primary', 'test/lb2', 'test/lb2-primary'],
    ]);
  });

  it('of no cluster, or of one that is not there, are an error', async () => {
    expect(failure(() => ofCluster([], undefined))).toMatchObject({
      code: 'not-found',
      message: 'no cluster of pgherd is on this engine',
    });
    const servers = await serversOf(shop, test);
    expect(failure(() => ofCluster(servers, 'shpo'))).toEqual({
      code: 'not-found',
      message: 'there is no cluster "shpo" on this engine',
      remedy: 'did you mean "shop"? known here: shop, test',
    });
  });
});

describe('a server', () => {
  it.each([
    ['called', undefined],
    ['shop/called', undefined],
    ['shop-lb1-1', undefined],
    ['called', 'shop'],
  ])('is found as %s, cluster %s', async (word, cluster) => {
    const { container, slot } = findServer(await serversOf(shop, test), word, cluster);
    expect([container.name, slot]).toEqual(['shop-lb1-1', 1]);
  });

  it('of several clusters is found in the one that is named', async () => {
    const servers = await serversOf(shop, test);
    expect(failure(() => findServer(servers, 'lb1-primary', undefined))).toEqual({
      code: 'ambiguous',
      message: 'several clusters have a node "lb1-primary": shop/lb1-primary, test/lb1-primary',
      remedy: 'say which with --cluster',
    });
    expect(findServer(servers, 'lb1-primary', 'test').container.name).toBe('test-lb1-0');
    expect(findServer(servers, 'test/lb1-primary', undefined).container.name).toBe('test-lb1-0');
  });

  it('that is not there has those that are told', async () => {
    const servers = await serversOf(shop);
    expect(failure(() => findServer(servers, 'lb1-primray', undefined))).toEqual({
      code: 'not-found',
      message: 'there is no node or balancer "lb1-primray" on this engine',
      remedy: 'did you mean "lb1-primary"? known here: lb1, lb1-primary, called, lb1-replica2',
    });
    expect(failure(() => findServer(servers, 'xyz', undefined)).remedy).toBe(
      'known here: lb1, lb1-primary, called, lb1-replica2',
    );
  });
});

describe('a group', () => {
  it('may be left out where there is one alone', async () => {
    const { cluster, name, nodes, balancer } = findGroup(await serversOf(shop), undefined, undefined);
    expect([cluster, name, nodes.map(({ slot }) => slot), balancer?.container.name]).toEqual([
      ...['shop', 'lb1', [0, 1, 2]],
      'shop-lb1',
    ]);
    expect(findGroup(await serversOf(shop, test), undefined, 'shop').cluster).toBe('shop');
  });

  it('is found by its name, with its cluster where that is not enough', async () => {
    const servers = await serversOf(shop, test);
    expect(findGroup(servers, 'lb2', undefined)).toMatchObject({ cluster: 'test', name: 'lb2' });
    expect(findGroup(servers, 'lb1', 'test')).toMatchObject({ cluster: 'test', name: 'lb1' });
    expect(findGroup(servers, 'test/lb1', undefined)).toMatchObject({ cluster: 'test', name: 'lb1' });
    expect(failure(() => findGroup(servers, 'lb1', undefined))).toMatchObject({
      code: 'ambiguous',
      message: 'several clusters have a group "lb1": shop/lb1, test/lb1',
    });
    expect(failure(() => findGroup(servers, undefined, 'test'))).toMatchObject({
      code: 'ambiguous',
      message: 'there are several groups: test/lb1, test/lb2',
    });
    expect(failure(() => findGroup(servers, 'lb3', undefined)).remedy).toBe('did you mean "lb1"? known here: lb1, lb2');
  });
});
