import { describe, expect, it } from 'vitest';
import { InterruptedError, PgherdError } from '../../src/base/error.ts';
import { statusOf, toFailure } from '../../src/docker/failure.ts';
import { findPullRemedy } from '../../src/docker/images.ts';

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
  [
    500,
    'container 8aba: driver "overlay2" failed to remove root filesystem: unlinkat /d/overlay2/f38e: directory not empty',
    'in-progress',
    true,
  ],
  [409, 'Container 1e82 is not running', 'not-running', true],
  [409, 'Container lb1 is paused, unpause the container before exec', 'not-running', true],
  [500, 'container 1e82 is not connected to the network shop', 'engine-error', true],
  [400, 'Minimum memory limit allowed is 6MB', 'engine-error', false],
  [500, 'something nobody has seen yet', 'engine-error', true],
  [500, 'create shop_lb1_0_1: mkdir /var/lib/docker/volumes/shop_lb1_0_1: no space left on device', 'no-space', true],
  [
    500,
    'failed to register layer: Error processing tar file(exit status 1): write /usr/bin/x: no space left on device',
    'no-space',
    true,
  ],
  [500, 'fork/exec /usr/bin/containerd-shim: cannot allocate memory', 'no-memory', true],
  [500, 'open /var/lib/docker/containers/1e/config.v2.json: too many open files', 'no-memory', true],
  [500, 'mkdir /var/lib/docker/overlay2/1e: read-only file system', 'engine-error', true],
  [
    500,
    'driver failed programming external connectivity on endpoint lb1 (9c):  (iptables failed: iptables --wait -t nat -A DOCKER: iptables: No chain/target/match by that name.',
    'engine-error',
    true,
  ],
  [
    500,
    'OCI runtime create failed: container_linux.go:380: starting container process caused: unknown',
    'engine-error',
    true,
  ],
  [
    400,
    'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown',
    'engine-error',
    false,
  ],
  [
    404,
    'image with reference postgres:17 was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64',
    'engine-error',
    false,
  ],
  [400, 'Client sent an HTTP request to an HTTPS server.', 'engine-tls', false],
];

/** What is said in no code's own words, since it can be mended in a way of its own. */
const remedies: readonly (readonly [message: string, remedy: string])[] = [
  ['Minimum memory limit allowed is 6MB', 'give other limits in the topology file (memory, cpus)'],
  ['Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available', 'give other limits in the topology file'],
  ['mkdir /var/lib/docker/overlay2/1e: read-only file system', 'see why the disk of the engine takes no writes'],
  ['iptables: No chain/target/match by that name.', 'restart the engine: something took its firewall rules away'],
  ['exec: "sh": executable file not found in $PATH: unknown', 'the image lacks a program that pgherd runs'],
  ['standard_init_linux.go:228: exec user process caused: exec format error', 'the image is for another platform'],
  ['OCI runtime create failed: unable to apply cgroup configuration', 'see the log of the engine'],
  ['Client sent an HTTP request to an HTTPS server.', 'the engine wants TLS: set DOCKER_TLS_VERIFY=1'],
];

describe('what the engine says', () => {
  it.each(replies)('%i %s: %s, retry %s', (status, message, code, retry) => {
    const failure = toFailure(reply(status, message), asked);
    expect(failure).toMatchObject({ code, retry });
    expect(failure.message).toContain('start container lb1: ');
    expect(failure.cause).toBeInstanceOf(Error);
  });

  it.each(remedies)('%s: %s', (message, remedy) => {
    expect(toFailure(reply(500, message), asked).remedy).toContain(remedy);
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
    [socket('ETIMEDOUT'), 'engine-unreachable', true],
    [socket('ENOTFOUND'), 'engine-unreachable', true],
    [socket('EMFILE'), 'no-memory', true],
    [socket('EPROTO'), 'engine-tls', false],
    [socket('CERT_HAS_EXPIRED'), 'engine-tls', false],
    [socket('DEPTH_ZERO_SELF_SIGNED_CERT'), 'engine-tls', false],
    [socket('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'engine-tls', false],
    [socket('ERR_TLS_CERT_ALTNAME_INVALID'), 'engine-tls', false],
    [socket('ERR_SSL_WRONG_VERSION_NUMBER'), 'engine-tls', false],
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

it.each([
  ['toomanyrequests: You have reached your pull rate limit.', 'allows no more pulls for now'],
  ['manifest for postgres:99 not found: manifest unknown: manifest unknown', 'not this tag'],
  ['no matching manifest for linux/arm64/v8 in the manifest list entries', "not made for the engine's platform"],
  [
    "pull access denied for shop, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    'by somebody who is logged in',
  ],
  ['Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host', 'does not reach'],
  ['Get "https://r/v2/": x509: certificate signed by unknown authority', 'does not reach the registry'],
  ['something else', 'e.g. `docker pull postgres:17`'],
])('an image that cannot be pulled, %s: %s', (said, remedy) => {
  expect(findPullRemedy(said, 'postgres:17')).toContain(remedy);
});
