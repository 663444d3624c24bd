import { describe, expect, it } from 'vitest';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import { statusOf, toFailure } from '../../src/docker/failure.ts';

const asked = { what: 'start container lb1', host: 'unix:///x.sock' };

function reply(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${String(statusCode)}) unexpected - ${message} `), {
    statusCode,
    json: { message },
  });
}

function socket(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

/** What the engine says (moby 20.10 to 28, word for word), what it means, and whether asking again can help. */
const replies: readonly (readonly [status: number, message: string, code: string, retry: boolean])[] = [
  [404, 'No such container: lb1', 'not-found', true],
  [404, 'network shop not found', 'not-found', true],
  [403, 'Address already in use', 'address-taken', false],
  [
    409,
    'Conflict. The container name "/lb1" is already in use by container "1e82". You have to remove (or rename) that container to be able to reuse that name.',
    'name-taken',
    false,
  ],
  [409, 'network with name shop already exists', 'name-taken', false],
  [409, 'removal of container lb1 is already in progress', 'in-progress', true],
  [500, 'task 1e82ab: already exists: unknown', 'task-stuck', true],
  [500, 'failed to create shim: id already in use: unknown', 'task-stuck', true],
  [409, 'can not get logs from container which is dead or marked for removal', 'in-progress', true],
  [403, 'endpoint with name lb1 already exists in network shop', 'in-progress', true],
  [403, 'error while removing network: network shop id 9645 has active endpoints', 'network-in-use', false],
  [409, 'remove shop_lb1_0_1: volume is in use - [1e82]', 'volume-in-use', false],
  [403, 'Pool overlaps with other one on this address space', 'subnet-overlap', false],
  [
    404,
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
    'subnet-exhausted',
    false,
  ],
  [500, "Invalid address 10.99.3.9: It does not belong to any of this network's subnets", 'address-outside', false],
  [
    400,
    'user specified IP address is supported only when connecting to networks with user configured subnets',
    'address-outside',
    false,
  ],
  [
    500,
    'driver failed programming external connectivity on endpoint lb1 (9c): Bind for 127.0.0.1:19999 failed: port is already allocated',
    'port-taken',
    false,
  ],
  [
    500,
    'driver failed programming external connectivity on endpoint lb1 (9c): Error starting userland proxy: listen tcp4 127.0.0.1:19999: bind: address already in use',
    'port-taken',
    false,
  ],
  [409, 'Container 1e82 is not running', 'not-running', true],
  [409, 'Container lb1 is paused, unpause the container before exec', 'not-running', true],
  [500, 'container 1e82 is not connected to the network shop', 'engine-error', true],
  [400, 'Minimum memory limit allowed is 6MB', 'engine-error', false],
];

describe('what the engine says', () => {
  it.each(replies)('%i %s: %s, retry %s', (status, message, code, retry) => {
    const failure = toFailure(reply(status, message), asked);
    expect(failure).toMatchObject({ code, retry });
    expect(failure.message).toContain('start container lb1: ');
    expect(failure.cause).toBeInstanceOf(Error);
  });

  it('has a remedy wherever a human must decide', () => {
    const bare = replies
      .map(([status, message]) => toFailure(reply(status, message), asked))
      .filter(({ retry, code, remedy }) => !retry && code !== 'engine-error' && remedy === undefined);
    expect(bare).toEqual([]);
  });

  it('is told without the words around it', () => {
    expect(toFailure(reply(500, 'no space left on device'), asked).message).toBe(
      'start container lb1: no space left on device',
    );
  });
});

describe('an engine that says nothing', () => {
  it.each([
    [socket('ENOENT'), 'engine-unreachable', true],
    [socket('ECONNREFUSED'), 'engine-unreachable', true],
    [socket('EACCES'), 'engine-permission', false],
    [socket('EPERM'), 'engine-permission', false],
    [socket('ECONNRESET'), 'reply-lost', true],
    [socket('EPIPE'), 'reply-lost', true],
    [socket('ABORT_ERR'), 'engine-timeout', true],
    [new DOMException('late', 'TimeoutError'), 'engine-timeout', true],
    [new InterruptedError('called off'), 'interrupted', false],
  ])('%s is %s, retry %s', (thrown, code, retry) => {
    expect(toFailure(thrown, asked)).toMatchObject({ code, retry });
  });

  it('is named, with what to do', () => {
    const { message, remedy } = toFailure(socket('ENOENT'), asked);
    expect(message).toBe('no Docker engine answers at unix:///x.sock (connect ENOENT)');
    expect(remedy).toContain('DOCKER_HOST');
  });
});

it('a failure stays what it is', () => {
  const failure = new PgherdError('lock-lost', 'lost');
  expect(toFailure(failure, asked)).toBe(failure);
  expect(statusOf(failure)).toBeUndefined();
  expect(statusOf(reply(304, ''))).toBe(304);
});
