import { describe, expect, it } from 'vitest';
import { absorb, removesSomething, type Sources } from '../../src/daemon/topology-state.ts';
import type { Diagnostic, LoadResult } from '../../src/topology/load.ts';
import type { Topology } from '../../src/topology/model.ts';
import { parseSound } from '../topology/support.ts';

const none: Sources = new Map();

function write(cluster: string, replicas = 1, file = `${cluster}.yaml`): Topology {
  return parseSound(`cluster_name: ${cluster}\nbalancers: [{ name: lb1, replicas: ${replicas} }]`, {}, file);
}

function load(topologies: readonly Topology[], diagnostics: readonly Diagnostic[] = []): LoadResult {
  return { topologies: [...topologies], diagnostics: [...diagnostics] };
}

function complain(
  file: string,
  code: Diagnostic['code'] = 'syntax',
  severity: 'error' | 'warning' = 'error',
  line = 1,
): Diagnostic {
  return { file, line, column: 1, path: '', code, message: `${code} in ${file}`, severity };
}

/** One line a cluster: what a reader of the sources goes by. */
function show(sources: Sources): string[] {
  return [...sources.values()].map(({ cluster, file, topology, generation, valid, diagnostics }) => {
    const nodes = topology.groups.flatMap((group) => group.nodes).length;
    const why = valid ? 'valid' : `invalid: ${diagnostics.map(({ code }) => code).join(', ')}`;
    return `${cluster} from ${file}, generation ${generation}, ${nodes} nodes, ${why}`;
  });
}

describe('a good file', () => {
  it('is a new cluster at first', () => {
    const { sources, ...rest } = absorb(none, load([write('shop')]));
    expect(show(sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, valid']);
    expect(rest).toEqual({ changed: ['shop'], noticed: [], unplaced: [] });
  });
  it('that says the same is no change', () => {
    const { sources } = absorb(none, load([write('shop')]));
    const again = absorb(sources, load([write('shop')]));
    expect(again).toEqual({ sources, changed: [], noticed: [], unplaced: [] });
  });
  it('that says something else is the next generation', () => {
    const { sources } = absorb(none, load([write('shop'), write('bank')]));
    const after = absorb(sources, load([write('shop', 2), write('bank')]));
    expect(show(after.sources)).toEqual([
      'shop from shop.yaml, generation 2, 3 nodes, valid',
      'bank from bank.yaml, generation 1, 2 nodes, valid',
    ]);
    expect([after.changed, after.noticed]).toEqual([['shop'], []]);
  });
  it('under another name is no change of content', () => {
    const { sources } = absorb(none, load([write('shop')]));
    const after = absorb(sources, load([write('shop', 1, 'store.yaml')]));
    expect(show(after.sources)).toEqual(['shop from store.yaml, generation 1, 2 nodes, valid']);
    expect([after.changed, after.noticed]).toEqual([[], []]);
    expect(after.sources.get('shop')?.topology.file).toBe('store.yaml');
  });
  it('may have warnings, which no cluster has to account for', () => {
    const after = absorb(none, load([write('shop')], [complain('shop.yaml', 'no-password', 'warning')]));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, valid']);
    expect(after.unplaced).toEqual([]);
  });
});

describe('a file that is not good', () => {
  const { sources: good } = absorb(none, load([write('shop')]));

  it('leaves the last good topology in place, and says why it is not used', () => {
    const all = [complain('shop.yaml'), complain('shop.yaml', 'not-acted-on', 'warning')];
    const after = absorb(good, load([], all));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, invalid: syntax, not-acted-on']);
    expect([after.changed, after.noticed, after.unplaced]).toEqual([[], ['shop'], []]);
  });
  it('is noticed once, and again when something else is wrong with it', () => {
    const broken = absorb(good, load([], [complain('shop.yaml')]));
    expect(absorb(broken.sources, load([], [complain('shop.yaml')])).noticed).toEqual([]);
    expect(absorb(broken.sources, load([], [complain('shop.yaml', 'syntax', 'error', 2)])).noticed).toEqual(['shop']);
  });
  it('that is put right as it was is valid again, and no change', () => {
    const broken = absorb(good, load([], [complain('shop.yaml')]));
    const after = absorb(broken.sources, load([write('shop')]));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, valid']);
    expect([after.changed, after.noticed]).toEqual([[], ['shop']]);
  });
  it('that is put right with other content is both', () => {
    const broken = absorb(good, load([], [complain('shop.yaml')]));
    const after = absorb(broken.sources, load([write('shop', 2)]));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 2, 3 nodes, valid']);
    expect([after.changed, after.noticed]).toEqual([['shop'], ['shop']]);
  });
  it('that never was good belongs to no cluster', () => {
    const after = absorb(good, load([write('shop')], [complain('bank.yaml')]));
    expect([after.changed, after.noticed, after.unplaced]).toEqual([[], [], [complain('bank.yaml')]]);
  });
});

describe('a file that is gone', () => {
  const { sources: good } = absorb(none, load([write('shop')]));

  it.each([
    ['from a directory', []],
    ['from the path that was given', [complain('shop.yaml', 'no-file')]],
  ])('%s leaves its cluster as it was', (_, diagnostics) => {
    const after = absorb(good, load([], diagnostics));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, invalid: no-file']);
    expect([after.changed, after.noticed, after.unplaced]).toEqual([[], ['shop'], []]);
    expect(after.sources.get('shop')?.diagnostics).toEqual([
      expect.objectContaining({
        message: 'no file describes the cluster shop any more; its last good topology is kept',
        hint: 'put the file back; a cluster is removed by `pgherd destroy`, not by removing its file',
      }),
    ]);
  });
  it('with its directory says so of the directory too', () => {
    const after = absorb(good, load([], [complain('.', 'no-file')]));
    expect(show(after.sources)).toEqual(['shop from shop.yaml, generation 1, 2 nodes, invalid: no-file']);
    expect(after.unplaced).toEqual([complain('.', 'no-file')]);
  });
  it('and comes back is valid again', () => {
    const after = absorb(absorb(good, load([])).sources, load([write('shop')]));
    expect([after.changed, after.noticed]).toEqual([[], ['shop']]);
  });
});

describe('a file that describes another cluster by now', () => {
  const { sources: shop } = absorb(none, load([write('shop', 1, 'a.yaml')]));
  const renamed = absorb(shop, load([write('store', 1, 'a.yaml')]));

  it('is a new cluster, and the old one has no file', () => {
    expect(show(renamed.sources)).toEqual([
      'shop from a.yaml, generation 1, 2 nodes, invalid: no-file',
      'store from a.yaml, generation 1, 2 nodes, valid',
    ]);
    expect([renamed.changed, renamed.noticed]).toEqual([['store'], ['shop']]);
  });
  it('is broken for the new one only', () => {
    const after = absorb(renamed.sources, load([], [complain('a.yaml')]));
    expect(show(after.sources)).toEqual([
      'shop from a.yaml, generation 1, 2 nodes, invalid: no-file',
      'store from a.yaml, generation 1, 2 nodes, invalid: syntax',
    ]);
    expect(after.noticed).toEqual(['store']);
  });
});

describe('two files of one cluster', () => {
  const clash = complain('b.yaml', 'duplicate-cluster');
  const contested: LoadResult = {
    ...load([], [clash, complain('c.yaml')]),
    contested: [{ cluster: 'shop', files: ['a.yaml', 'b.yaml'] }],
  };

  it.each(['a.yaml', 'b.yaml'])('leave what was last good in %s', (file) => {
    const { sources } = absorb(none, load([write('shop', 1, file)]));
    const after = absorb(sources, contested);
    expect(show(after.sources)).toEqual([`shop from ${file}, generation 1, 2 nodes, invalid: duplicate-cluster`]);
    expect([after.noticed, after.unplaced]).toEqual([['shop'], [complain('c.yaml')]]);
  });
  it('are no cluster where neither was known', () => {
    expect(absorb(none, contested)).toEqual({
      sources: none,
      changed: [],
      noticed: [],
      unplaced: [clash, complain('c.yaml')],
    });
  });
});

describe('what removes something', () => {
  const groups = (text: string) => parseSound(`cluster_name: shop\nbalancers: [${text}]`);
  const before = groups('{ name: a, replicas: 2 }, { name: b }');
  it.each([
    ['the same', '{ name: a, replicas: 2 }, { name: b }', false],
    ['another order', '{ name: b }, { name: a, replicas: 2 }', false],
    ['more', '{ name: a, replicas: 3 }, { name: b, replicas: 1 }, { name: c }', false],
    ['other settings', '{ name: a, replicas: 2, port: 9999 }, { name: b }', false],
    ['another name of a node', '{ name: a, primary: { host: x }, replicas: 2 }, { name: b }', false],
    ['a replica less', '{ name: a, replicas: 1 }, { name: b }', true],
    ['another slot', '{ name: a, replicas: [{ node_id: 1 }, { node_id: 3 }] }, { name: b }', true],
    ['a group less', '{ name: a, replicas: 2 }', true],
    ['a group renamed', '{ name: a, replicas: 2 }, { name: c }', true],
    ['a node of one group moved to another', '{ name: a, replicas: 1 }, { name: b, replicas: 1 }', true],
  ])('%s', (_, after, expected) => expect(removesSomething(before, groups(after))).toBe(expected));
  it('nothing, where there was nothing', () => expect(removesSomething(undefined, before)).toBe(false));
});
