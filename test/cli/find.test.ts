import { describe, expect, it } from 'vitest';
import { findGroup, findNode } from '../../src/cli/find.ts';
import { parseSound } from '../topology/support.ts';

const shop = parseSound(`cluster_name: shop
balancers:
  - name: lb1
    replicas:
      - { node_id: 1, host: "2" }
      - { node_id: 2, host: second, container_name: c2 }
  - name: lb2
`);
const other = parseSound('cluster_name: other\nbalancers: [{ name: lb2 }]\n', {}, 'other.yaml');

describe('a group', () => {
  it('is found by its name', () => expect(findGroup([shop, other], 'lb1').topology).toBe(shop));
  it('that is not there is told with those that are', () =>
    expect(() => findGroup([shop], 'lb')).toThrow(
      expect.objectContaining({ code: 'not-found', remedy: 'did you mean "lb1"? known here: lb1, lb2' }),
    ));
  it('of two clusters is nobody knows which', () =>
    expect(() => findGroup([shop, other], 'lb2')).toThrow('more than one cluster has a group "lb2": shop, other'));
});

describe('a node', () => {
  const { group } = findGroup([shop], 'lb1');
  it.each(['second', 'c2'])('is found by %s', (name) => expect(findNode(group, name).slot).toBe(2));
  it('is found by its slot', () => expect(findNode(group, '0').name).toBe('lb1-primary'));
  it('that two may be is not guessed', () =>
    expect(() => findNode(group, '2')).toThrow('"2" is a name in the group lb1, and the node_id of another'));
});
