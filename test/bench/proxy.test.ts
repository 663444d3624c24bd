import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { docker, dockerLines, dockerResult, dockerWith, engineHost, newRun, sweep } from '../e2e/support/engine.ts';
import { start, type Running } from '../e2e/support/run.ts';
import { until } from '../e2e/support/until.ts';
import { startProxy, type Proxy } from './proxy.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const IMAGE = 'postgres:17';
const run = newRun();
let names = 0;
let proxy: Proxy;
let engine: Docker;
let directory: string;

const newName = (): string => `pgherd-bench-${run.id}-${String((names += 1))}`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgherd-bench-'));
  proxy = await startProxy({ upstream: await engineHost() });
  engine = new Docker({ socketPath: proxy.socketPath, version: 'v1.41' });
});

beforeEach(() => proxy.reset());
afterEach(() => sweep(run.label));

afterAll(async () => {
  await proxy.close();
  await sweep(run.label);
  await rm(directory, { recursive: true, force: true });
});

function settings(command: readonly string[], more: Partial<Docker.ContainerCreateOptions> = {}) {
  return {
    ...more,
    name: newName(),
    Image: IMAGE,
    Entrypoint: [...command],
    Labels: { ...run.labels },
    HostConfig: { NetworkMode: 'none', ...more.HostConfig },
  } satisfies Docker.ContainerCreateOptions;
}

const STDIN = { OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true };

/** A started container that runs until it is removed. */
async function idleContainer(): Promise<Docker.Container> {
  const container = await engine.createContainer(settings(['sleep', 'infinity']));
  await container.start();
  return container;
}

/** A container running `cat`, its standard input held by the stream: pgherd's lock has this form. */
async function heldContainer(): Promise<{ name: string; container: Docker.Container; held: Held }> {
  const options = settings(['cat'], { ...STDIN, HostConfig: { AutoRemove: true } });
  const container = await engine.createContainer(options);
  const held = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  await container.start();
  return { name: options.name, container, held: held as Held };
}

type Held = NodeJS.ReadWriteStream & HasDestroy;

type HasDestroy = { destroy(): void };

const exists = async (name: string): Promise<boolean> =>
  (await dockerLines('ps', '--all', '--quiet', '--filter', `name=^/${name}$`)).length > 0;

const isGone = (name: string): Promise<boolean> => until(`${name} is gone`, async () => !(await exists(name)), Boolean);

/** The text of a multiplexed stream (a header of 8 bytes before each frame). */
function demultiplex(bytes: Buffer): string {
  let out = '';
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    out += bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at + 4)).toString();
  }
  return out;
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The docker CLI as a client of the proxy, to be killed. */
const cli = (...args: readonly string[]): Running => start('docker', args, { env: { DOCKER_HOST: proxy.host } });

const shown = (): readonly string[] =>
  proxy.calls.map((call) => `${call.method} ${call.path} ${String(call.status)} ${call.kind}`);

describe('recording', () => {
  test('parts the requests of one kept-alive connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const name = newName();
    const body = JSON.stringify(settings(['true']));
    const ask = async (method: string, path: string, json?: string): Promise<{ status: number; reused: boolean }> => {
      const headers = json === undefined ? {} : { 'Content-Type': 'application/json' };
      const asked = httpRequest({ socketPath: proxy.socketPath, agent, method, path: `/v1.41${path}`, headers });
      const reply = await new Promise<IncomingMessage>((resolve, reject) => {
        asked.once('response', resolve).once('error', reject).end(json);
      });
      await text(reply);
      return { status: reply.statusCode ?? 0, reused: asked.reusedSocket };
    };
    const replies = [
      await ask('POST', `/containers/create?name=${name}`, body),
      await ask('POST', `/containers/create?name=${name}`, body),
      await ask('GET', `/containers/${name}/json`),
      await ask('HEAD', `/containers/${name}/archive?path=%2Fetc%2Fpasswd`),
      await ask('POST', `/containers/${name}/start`),
      await ask('POST', `/containers/${name}/wait`),
      await ask('DELETE', `/containers/${name}`),
      await ask('GET', `/containers/${name}/json`),
    ];
    agent.destroy();

    // Node's client gives a connection up after a HEAD whose reply states no length, also without a proxy.
    expect(replies.map((reply) => reply.reused)).toEqual([false, true, true, true, false, true, true, true]);
    expect(replies.map((reply) => reply.status)).toEqual([201, 409, 200, 200, 204, 200, 204, 404]);
    expect(shown()).toEqual([
      'POST /containers/create 201 mutating',
      'POST /containers/create 409 mutating',
      `GET /containers/${name}/json 200 read`,
      `HEAD /containers/${name}/archive 200 read`,
      `POST /containers/${name}/start 204 mutating`,
      `POST /containers/${name}/wait 200 read`,
      `DELETE /containers/${name} 204 mutating`,
      `GET /containers/${name}/json 404 read`,
    ]);
    expect(proxy.calls[0]).toMatchObject({ index: 0, version: '1.41', query: { name }, forwarded: true });
    expect(proxy.calls[0]?.body).toMatchObject({ Image: IMAGE, Labels: run.labels });
    expect(proxy.mutating().map((call) => call.index)).toEqual([0, 1, 4, 6]);
  });

  test('keeps replies and calls together when many connections are open', async () => {
    const containers = await Promise.all(Array.from({ length: 12 }, () => engine.createContainer(settings(['true']))));
    const inspected = await Promise.all(containers.map((container) => container.inspect()));
    expect(inspected.map((one) => one.Id)).toEqual(containers.map((one) => one.id));
    const asked = proxy.calls.filter((call) => call.method === 'GET').map((call) => call.path);
    expect(asked.toSorted()).toEqual(containers.map((one) => `/containers/${one.id}/json`).toSorted());
    expect(proxy.calls.every((call) => call.endedAt !== undefined && call.endedAt >= call.startedAt)).toBe(true);
  });

  test('counts a pull as mutating, and hands its stream on', async () => {
    const { code } = await cli('pull', '--quiet', 'localhost:1/none:none').done;
    expect(code).not.toBe(0);
    expect(proxy.mutating().map((call) => call.path)).toEqual(['/images/create']);
  });

  test('forgets on reset', async () => {
    await engine.ping();
    proxy.reset();
    expect(proxy.calls).toEqual([]);
    await engine.ping();
    expect(proxy.calls.map((call) => call.index)).toEqual([0]);
  });
});

describe('streams', () => {
  test('takes and gives archives, and the header of a HEAD', async () => {
    const container = await engine.createContainer(settings(['true']));
    const content = randomBytes(12 * 1024 * 1024);
    const file = join(directory, 'archive');
    await writeFile(file, content);
    const through = { env: { DOCKER_HOST: proxy.host } };
    await dockerWith(through, 'cp', '--quiet', file, `${container.id}:/tmp/archive`);
    await dockerWith(through, 'cp', '--quiet', `${container.id}:/tmp/archive`, `${file}-back`);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(digest(await readFile(`${file}-back`))).toBe(digest(content));
    expect(proxy.mutating().map((call) => call.method)).toEqual(['POST', 'PUT']);

    const stat = (await container.infoArchive({ path: '/tmp/archive' })) as IncomingMessage;
    const header = String(stat.headers['x-docker-container-path-stat']);
    expect(JSON.parse(Buffer.from(header, 'base64').toString())).toMatchObject({
      name: 'archive',
      size: content.length,
    });
    expect(proxy.calls.at(-1)).toMatchObject({ method: 'HEAD', status: 200, kind: 'read' });
  });

  test('gives the output of an exec, hijacked or not, and its exit code', async () => {
    const container = await idleContainer();
    for (const hijack of [true, false]) {
      const exec = await container.exec({ Cmd: ['sh', '-c', 'echo hello; exit 7'], AttachStdout: true });
      const bytes = await readAll(await exec.start({ hijack, stdin: false }));
      expect(demultiplex(bytes)).toBe('hello\n');
      expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 7 });
    }
    expect(proxy.calls.filter((call) => call.path.endsWith('/start')).map((call) => call.status)).toEqual([
      204, 101, 200,
    ]);
    expect(proxy.mutating()).toHaveLength(2);
    expect(proxy.mutating({ exec: true })).toHaveLength(6);
  });

  test('takes a detached exec on a connection that goes on speaking HTTP', async () => {
    const container = await idleContainer();
    const exec = await container.exec({ Cmd: ['true'] });
    await exec.start({ Detach: true });
    expect(proxy.calls.at(-1)).toMatchObject({ status: 200, kind: 'exec', body: { Detach: true } });
    await until(
      'the exec has ended',
      () => exec.inspect(),
      (state) => state.ExitCode === 0,
    );
  });

  test('passes a half-close on: input ends, output goes on to the end', async () => {
    const container = await idleContainer();
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'wc -c; echo after'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const output = readAll(stream);
    stream.end(Buffer.alloc(5 * 1024 * 1024, 'x'));
    expect(demultiplex(await output)).toBe('5242880\nafter\n');
  });

  test('passes both directions of an attached container', async () => {
    const { held, container } = await heldContainer();
    const output = readAll(held);
    held.write('one ');
    held.end('two');
    expect(demultiplex(await output)).toBe('one two');
    expect(proxy.calls.map((call) => call.path)).toContain(`/containers/${container.id}/attach`);
    expect(proxy.mutating().map((call) => call.path)).toEqual([
      '/containers/create',
      `/containers/${container.id}/start`,
    ]);
  });

  test('passes the refusal to attach, after which the connection goes on', async () => {
    await expect(
      engine.getContainer('pgherd-bench-none').attach({ stream: true, stdin: true, hijack: true }),
    ).rejects.toMatchObject({ statusCode: 404 });
    expect(proxy.calls).toMatchObject([{ status: 404, kind: 'read' }]);
  });

  test('passes events as they happen, and ends the subscription with its client', async () => {
    const filters = { label: [run.label], event: ['create'] };
    const events = (await engine.getEvents({ filters })) as NodeJS.ReadableStream & HasDestroy;
    const subscription = proxy.calls.find((call) => call.path === '/events');
    let seen = '';
    events.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    events.on('error', () => undefined);
    const container = await engine.createContainer(settings(['true']));
    await until(
      'the event of the creation',
      () => seen,
      (json) => json.includes(container.id),
    );
    expect(subscription).toMatchObject({ status: 200, endedAt: undefined });
    events.destroy();
    await until(
      'the subscription has ended',
      () => subscription?.endedAt,
      (at) => at !== undefined,
    );
  });

  test('waits for the end of a container with the client', async () => {
    const container = await idleContainer();
    const waiting = container.wait() as Promise<{ StatusCode: number }>;
    await until(
      'the wait has begun',
      () => proxy.calls.at(-1),
      (call) => call?.path.endsWith('/wait') === true,
    );
    await container.kill();
    expect(await waiting).toMatchObject({ StatusCode: 137 });
  });
});

describe('a container held by its standard input', () => {
  test('ends when its client closes the connection', async () => {
    const { name, container, held } = await heldContainer();
    expect((await container.inspect()).State.Running).toBe(true);
    held.destroy();
    await isGone(name);
  });

  test('ends when its client is killed', async () => {
    const name = newName();
    const options = ['--rm', '--interactive', '--network=none', `--label=${run.label}`, `--name=${name}`];
    const args = ['run', ...options, '--entrypoint=cat', IMAGE];
    const holder = start('docker', args, { env: { DOCKER_HOST: proxy.host }, input: { open: true } });
    await until(
      `${name} runs`,
      () => docker('ps', '--quiet', '--filter', `name=^/${name}$`),
      (id) => id !== '',
    );
    holder.child.kill('SIGKILL');
    await holder.done;
    await isGone(name);
  });

  test('ends when the proxy cuts its connections', async () => {
    const { name, held } = await heldContainer();
    held.on('error', () => undefined);
    proxy.cut();
    await isGone(name);
  });
});

describe('injection', () => {
  /** Creates a container by a process that is killed at the rule's moment. */
  async function killedCreator(moment: 'kill-before' | 'kill-after'): Promise<{ name: string; printed: string }> {
    const name = newName();
    const { hit } = proxy.inject({ at: 0, act: moment, onHit: () => creator.child.kill('SIGKILL') });
    const creator = cli('create', `--name=${name}`, `--label=${run.label}`, '--network=none', IMAGE);
    await hit;
    const { code, stdout } = await creator.done;
    expect([code, creator.child.signalCode]).toEqual([null, 'SIGKILL']);
    return { name, printed: stdout };
  }

  test('kill-before: the engine never receives the call', async () => {
    const { name, printed } = await killedCreator('kill-before');
    expect(printed).toBe('');
    expect(await exists(name)).toBe(false);
    expect(proxy.mutating()).toMatchObject([{ path: '/containers/create', forwarded: false, status: undefined }]);
  });

  test('kill-after: the engine has done it, the client never knows', async () => {
    const { name, printed } = await killedCreator('kill-after');
    expect(printed).toBe('');
    expect(await exists(name)).toBe(true);
    expect(proxy.mutating()).toMatchObject([{ path: '/containers/create', forwarded: true, status: 201 }]);
  });

  test('kill-after of an attach ends what was attached', async () => {
    const container = await engine.createContainer(settings(['cat'], { ...STDIN, HostConfig: { AutoRemove: true } }));
    await container.start();
    proxy.inject({ when: (call) => call.path.endsWith('/attach'), act: 'kill-after' });
    await expect(container.attach({ stream: true, stdin: true, hijack: true })).rejects.toThrow('socket hang up');
    expect(proxy.calls.at(-1)).toMatchObject({ status: 101, forwarded: true });
    await until(
      'the container is gone',
      () => dockerResult(['inspect', container.id]),
      ({ code }) => code === 1,
    );
  });

  test('drop-reply: the engine has done it, the client sees its connection end and lives on', async () => {
    const options = settings(['true']);
    const { hit } = proxy.inject({ when: (call) => call.method === 'POST', act: 'drop-reply' });
    await expect(engine.createContainer(options)).rejects.toThrow('socket hang up');
    expect(await hit).toMatchObject({ status: 201 });
    expect(await exists(options.name)).toBe(true);
    await expect(engine.createContainer(options)).rejects.toMatchObject({ statusCode: 409 });
  });

  test('delay: the call waits, others go on', async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const options = settings(['true']);
    const injected = proxy.inject({ at: 0, act: 'delay', ms: 300, onHit: () => released });
    const creating = engine.createContainer(options);
    await until('the call is held', injected.hits, (hits) => hits === 1);
    await engine.ping();
    expect(await exists(options.name)).toBe(false);
    expect(proxy.mutating()).toMatchObject([{ forwarded: false }]);
    release();
    await creating;
    const [call] = proxy.mutating();
    expect(call).toMatchObject({ status: 201, forwarded: true });
    expect((call?.endedAt ?? 0) - (call?.startedAt ?? 0)).toBeGreaterThanOrEqual(299);
  });

  test('refuse: the client gets the status and the message, the engine nothing', async () => {
    const options = settings(['true']);
    proxy.inject({ at: 0, act: 'refuse', status: 500, message: 'no space left on device' });
    await expect(engine.createContainer(options)).rejects.toMatchObject({
      statusCode: 500,
      json: { message: 'no space left on device' },
    });
    expect(await exists(options.name)).toBe(false);
    expect(proxy.mutating()).toMatchObject([{ forwarded: false, status: 500 }]);
    await engine.createContainer(options);
    expect(proxy.mutating()).toHaveLength(2);
  });

  test('refuse takes an upload in before it answers', async () => {
    const container = await engine.createContainer(settings(['true']));
    const file = join(directory, 'upload');
    await writeFile(file, randomBytes(4 * 1024 * 1024));
    proxy.inject({ when: (call) => call.method === 'PUT', act: 'refuse', status: 507, message: 'full' });
    const { code, stderr } = await cli('cp', file, `${container.id}:/tmp/upload`).done;
    expect(code).toBe(1);
    expect(stderr).toContain('full');
  });

  test('at counts mutating calls alone, with exec also execs', async () => {
    const container = await idleContainer();
    proxy.reset();
    const withExec = proxy.inject({ at: 1, exec: true, act: 'refuse', status: 418, message: 'exec start' });
    const without = proxy.inject({ at: 0, act: 'refuse', status: 418, message: 'kill' });
    await container.inspect();
    const exec = await container.exec({ Cmd: ['true'] });
    await expect(exec.start({ Detach: true })).rejects.toThrow('exec start');
    await expect(container.kill()).rejects.toMatchObject({ json: { message: 'kill' } });
    expect([withExec.hits(), without.hits()]).toEqual([1, 1]);
  });

  test('hits once, or as often as told, or no more once removed', async () => {
    const refused = { when: () => true, act: 'refuse', status: 503, message: 'not now' } as const;
    const hits = async (): Promise<boolean> =>
      await engine.ping().then(
        () => false,
        () => true,
      );
    proxy.inject(refused);
    expect([await hits(), await hits()]).toEqual([true, false]);
    proxy.inject({ ...refused, times: 2 });
    expect([await hits(), await hits(), await hits()]).toEqual([true, true, false]);
    proxy.inject({ ...refused, times: Infinity }).remove();
    expect(await hits()).toBe(false);
  });
});

test('an engine that is not there ends the connection', async () => {
  const lonely = await startProxy({ upstream: join(directory, 'nobody.sock') });
  const client = new Docker({ socketPath: lonely.socketPath });
  await expect(client.ping()).rejects.toThrow();
  await lonely.close();
});
