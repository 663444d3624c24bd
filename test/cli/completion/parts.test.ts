import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listNames, type Member } from '../../../src/cli/completion/names.ts';
import { formatReply } from '../../../src/cli/completion/reply.ts';
import { expandHome, unquoteBash } from '../../../src/cli/completion/unquote.ts';

describe('a reply', () => {
  it('is a candidate a line, then what the shell is to do', () => {
    const candidates = [
      { text: 'one', description: 'the\n  first' },
      { text: 'two', description: '' },
    ];
    expect(formatReply({ candidates, prefix: '--x=', isOpen: true })).toBe(
      'one\tthe first\ntwo\n:prefix --x=\n:open\n',
    );
    expect(formatReply({ candidates: [], prefix: '', files: 'folders', isOpen: false })).toBe(':files folders\n');
    expect(formatReply({ candidates: [], prefix: '', isOpen: false })).toBe('');
  });
});

describe('names', () => {
  const member = (cluster: string, group: string, node: string): Member => ({ cluster, group, node, from: 'a.yaml' });
  const members = [
    member('shop', 'lb1', 'n1'),
    member('shop', 'lb1', 'n2'),
    member('shop', 'lb2', 'n3'),
    member('bank', 'lb1', 'n4'),
  ];

  it('stand once, with where they belong', () => {
    expect(listNames('cluster', members, { paths: [] })).toEqual([
      { text: 'shop', description: 'a.yaml' },
      { text: 'bank', description: 'a.yaml' },
    ]);
    expect(listNames('group', members, { paths: [] })).toEqual([
      { text: 'lb1', description: 'cluster shop; cluster bank' },
      { text: 'lb2', description: 'cluster shop' },
    ]);
  });

  it('are those of the cluster and the group that the line names', () => {
    expect(listNames('group', members, { paths: [], cluster: 'bank' }).map(({ text }) => text)).toEqual(['lb1']);
    expect(listNames('node', members, { paths: [], group: 'lb2' })).toEqual([
      { text: 'n3', description: 'lb2 of shop' },
    ]);
    const both = { paths: [], cluster: 'shop', group: 'lb1' };
    expect(listNames('node', members, both).map(({ text }) => text)).toEqual(['n1', 'n2']);
  });

  it('of servers are those of nodes and of balancers', () => {
    expect(listNames('server', members, { paths: [], cluster: 'bank' })).toEqual([
      { text: 'n4', description: 'lb1 of bank' },
      { text: 'lb1', description: 'balancer, cluster bank' },
    ]);
  });

  it('of clusters do not depend on the cluster that is named', () => {
    expect(listNames('cluster', members, { paths: [], cluster: 'shop' })).toHaveLength(2);
  });
});

describe('what bash has in quotes', () => {
  it.each([
    ['plain', 'plain'],
    ['my\\ file', 'my file'],
    ['"my file"', 'my file'],
    ["'my file'", 'my file'],
    ['"still open', 'still open'],
    ['a"b c"\'d e\'f', 'ab cd ef'],
    ['"a\\"b\\$c\\d"', 'a"b$c\\d'],
    ["'a\\b'", 'a\\b'],
    ['"$(touch /tmp/x)"', '$(touch /tmp/x)'],
    ['', ''],
    ['end\\', 'end'],
  ])('%s is %s', (typed, word) => {
    expect(unquoteBash(typed)).toBe(word);
  });

  it('in single quotes is anything as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(unquoteBash(`'${text.replaceAll("'", "'\\''")}'`)).toBe(text);
      }),
    );
  });
});

it('~ is the home folder at the start of a path, and nowhere else', () => {
  expect(expandHome('~/shop.yaml', '/home/me')).toBe('/home/me/shop.yaml');
  expect(expandHome('~', '/home/me')).toBe('/home/me');
  expect(expandHome('~other/a', '/home/me')).toBe('~other/a');
  expect(expandHome('a~/b', '/home/me')).toBe('a~/b');
});
