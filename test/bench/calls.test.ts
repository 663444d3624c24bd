import { describe, expect, test } from 'vitest';
import { classify, openCall, type CallKind } from './calls.ts';

const CALLS: readonly (readonly [string, CallKind])[] = [
  ['GET /containers/json', 'read'],
  ['HEAD /containers/a/archive', 'read'],
  ['POST /containers/a/wait', 'read'],
  ['POST /containers/a/attach', 'read'],
  ['POST /containers/a/resize', 'read'],
  ['POST /auth', 'read'],
  ['POST /containers/a/exec', 'exec'],
  ['POST /exec/a/start', 'exec'],
  ['POST /exec/a/resize', 'exec'],
  ['POST /containers/create', 'mutating'],
  ['POST /containers/a/start', 'mutating'],
  ['POST /containers/a/update', 'mutating'],
  ['POST /containers/prune', 'mutating'],
  ['POST /images/create', 'mutating'],
  ['POST /networks/a/connect', 'mutating'],
  ['PUT /containers/a/archive', 'mutating'],
  ['DELETE /volumes/a', 'mutating'],
];

describe('classify', () => {
  test.each(CALLS)('%s is %s', (call, kind) => {
    const [method = '', path = ''] = call.split(' ');
    expect(classify(method, path)).toBe(kind);
  });
});

describe('openCall', () => {
  const open = (target: string): ReturnType<typeof openCall> =>
    openCall({ raw: Buffer.alloc(0), method: 'GET', target, headers: new Map() }, 3);

  test('parts the version from the path, and decodes path and query', () => {
    expect(open('/v1.41/containers/a%2Fb/json?all=1&filters=%7B%22id%22%3A%5B%22x%22%5D%7D')).toMatchObject({
      index: 3,
      version: '1.41',
      path: '/containers/a/b/json',
      query: { all: '1', filters: '{"id":["x"]}' },
    });
  });

  test('takes a path without version as it stands', () => {
    expect(open('/_ping')).toMatchObject({ version: undefined, path: '/_ping', query: {} });
    expect(open('/volumes/v1.41')).toMatchObject({ version: undefined, path: '/volumes/v1.41' });
  });
});
