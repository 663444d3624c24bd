import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/error.ts';
import type { Engine, EngineEvent, EventFilter } from '../../src/docker/engine.ts';
import type { Container, ContainerSpec } from '../../src/docker/types.ts';
import { until } from '../e2e/support/until.ts';

/** An engine to be held against the contract, and a place on it. */
export type ContractBench = {
  readonly engine: Engine;
  /** On everything that is made, so that it can be swept. */
  readonly labels: Readonly<Record<string, string>>;
  /** Unique on the engine; begins every name. */
  readonly prefix: string;
  /** Two free subnets, a.b.c.0/24. */
  readonly subnets: readonly [string, string];
  readonly port: number;
  /** Lets the time of a health check pass, where it does not by itself. */
  readonly passTime?: () => void;
  readonly release: () => Promise<void>;
};

const image = 'postgres:17';
const data = '/var/lib/postgresql/data';

/** What pgherd relies on in every engine, the real one as well as the double in memory. */
export function describeEngine(name: string, open: () => Promise<ContractBench>): void {
  describe(name, () => {
    let bench: ContractBench;
    let engine: Engine;
    let count = 0;

    beforeAll(async () => {
      bench = await open();
      engine = bench.engine;
    });
    afterEach(async () => {
      for (const { id } of await engine.listContainers(bench.labels)) await engine.removeContainer(id);
      for (const { id } of await engine.listNetworks(bench.labels)) await engine.removeNetwork(id);
      for (const { name } of await engine.listVolumes(bench.labels)) await engine.removeVolume(name);
    });
    afterAll(async () => {
      await bench.release();
    });

    const newName = (): string => `${bench.prefix}-${String((count += 1))}`;
    const address = (subnet: string, last: number): string => subnet.replace(/0\/24$/, String(last));
    const codeOf = async (call: Promise<unknown>): Promise<ErrorCode | undefined> => {
      const failure: unknown = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return failure === undefined ? undefined : (failure as { readonly code: ErrorCode }).code;
    };
    const inspect = async (ref: string): Promise<Container> => {
      const container = await engine.inspectContainer(ref);
      if (container === undefined) throw new Error(`no container ${ref}`);
      return container;
    };
    const spec = (more: Partial<ContainerSpec> = {}): ContainerSpec => ({
      name: newName(),
      image,
      entrypoint: ['sleep', 'infinity'],
      labels: bench.labels,
      network: 'none',
      // Else the image's would be made without a name.
      tmpfs: more.volume === undefined ? { [data]: '' } : {},
      ...more,
    });
    const create = (more?: Partial<ContainerSpec>): Promise<string> => engine.createContainer(spec(more));
    const run = async (more?: Partial<ContainerSpec>): Promise<string> => {
      const id = await create(more);
      await engine.startContainer(id);
      return id;
    };
    const newNetwork = async (subnet: string | undefined, internal = true): Promise<{ id: string; name: string }> => {
      const network = newName();
      const id = await engine.createNetwork({ name: network, labels: bench.labels, internal, subnet });
      return { id, name: network };
    };

    describe('a container', () => {
      it('is created once under a name', async () => {
        const one = spec();
        const id = await engine.createContainer(one);
        expect(await codeOf(engine.createContainer(one))).toBe('name-taken');
        expect(await inspect(one.name)).toMatchObject({ id, name: one.name, state: 'created', startedAt: 0 });
      });

      it('starts, stops and goes, however often it is told', async () => {
        const id = await create();
        await engine.startContainer(id);
        await engine.startContainer(id);
        const running = await inspect(id);
        expect(running).toMatchObject({ state: 'running', restartCount: 0 });
        expect(running.startedAt).toBeGreaterThanOrEqual(running.createdAt);
        await engine.stopContainer(id, 0);
        await engine.stopContainer(id, 0);
        expect(await inspect(id)).toMatchObject({ state: 'exited', exitCode: 137 });
        await engine.startContainer(id);
        expect((await inspect(id)).startedAt).toBeGreaterThan(running.startedAt);
        await engine.removeContainer(id);
        await engine.removeContainer(id);
        expect(await engine.inspectContainer(id)).toBeUndefined();
      });

      it('that is not there can be stopped and killed, not started, updated or asked', async () => {
        const none = newName();
        await engine.stopContainer(none, 0);
        await engine.killContainer(none, 'SIGKILL');
        await engine.unpauseContainer(none);
        expect(await codeOf(engine.startContainer(none))).toBe('not-found');
        expect(await codeOf(engine.updateContainer(none, { restart: 'no' }))).toBe('not-found');
        expect(await codeOf(engine.exec(none, { command: ['true'] }))).toBe('not-found');
        expect(await codeOf(engine.readLogs(none, 1))).toBe('not-found');
        expect(await codeOf(engine.attachInput(none))).toBe('not-found');
        const stream = engine.execStream(none, { command: ['cat'] }, new AbortController().signal);
        expect(await codeOf(stream)).toBe('not-found');
        expect(await codeOf(engine.writeArchive(none, '/tmp', [], 0))).toBe('not-found');
        expect(await engine.readLink(none, '/x')).toBeUndefined();
        expect(await engine.pathExists(none, '/x')).toBe(false);
        expect(await engine.readArchive(none, '/x')).toBeUndefined();
      });

      it('needs an image that is there', async () => {
        const missing = `${bench.prefix}-none:1`;
        expect(await codeOf(create({ image: missing }))).toBe('not-found');
        expect(await engine.inspectImage(missing)).toBeUndefined();
        expect((await engine.inspectImage(image))?.volumes).toEqual([data]);
      });

      it('is killed, and cannot be when it does not run', async () => {
        const id = await run({ restart: 'always' });
        await engine.killContainer(id, 'SIGKILL');
        const ended = await until(
          'it has ended',
          () => inspect(id),
          ({ state }) => state !== 'running',
        );
        expect(ended).toMatchObject({ state: 'exited', exitCode: 137 });
        expect(await codeOf(engine.killContainer(id, 'SIGKILL'))).toBe('not-running');
        expect(await codeOf(engine.unpauseContainer(id))).toBe('engine-error');
      });

      it('is told as it was asked for', async () => {
        const volume = newName();
        await engine.createVolume(volume, bench.labels);
        const id = await create({
          restart: 'always',
          memory: 64 * 2 ** 20,
          cpus: 0.5,
          volume: { name: volume, target: data },
          extraHosts: ['reader1:10.0.0.1'],
          labels: { ...bench.labels, 'pgherd.spec': '{"a":1}' },
        });
        expect(await inspect(id)).toMatchObject({
          image,
          restart: 'always',
          memory: 64 * 2 ** 20,
          cpus: 0.5,
          volumes: [{ name: volume, target: data }],
          extraHosts: ['reader1:10.0.0.1'],
          labels: { 'pgherd.spec': '{"a":1}' },
          health: { status: 'none' },
          restartCount: 0,
          postgresMajor: 17,
        });
      });

      it('with nothing asked for has no limits, no restart policy and no volume', async () => {
        const id = await create();
        const nothing = { restart: 'no', memory: 0, cpus: 0, volumes: [], extraHosts: [] };
        expect(await inspect(id)).toMatchObject(nothing);
      });

      it('changes its limits and policy alive or not, those that are named alone', async () => {
        const id = await run({ memory: 64 * 2 ** 20 });
        await engine.updateContainer(id, { memory: 128 * 2 ** 20, cpus: 1.5 });
        expect(await inspect(id)).toMatchObject({ memory: 128 * 2 ** 20, cpus: 1.5, restart: 'no' });
        await engine.updateContainer(id, { memory: 32 * 2 ** 20, restart: 'always' });
        expect(await inspect(id)).toMatchObject({ memory: 32 * 2 ** 20, cpus: 1.5, restart: 'always' });
        await engine.stopContainer(id, 0);
        await engine.updateContainer(id, { restart: 'unless-stopped' });
        expect(await inspect(id)).toMatchObject({ state: 'exited', restart: 'unless-stopped', cpus: 1.5 });
        expect(await codeOf(engine.updateContainer(id, { memory: 1 }))).toBe('engine-error');
      });

      it('is listed with others that bear the labels, by name', async () => {
        const labels = { ...bench.labels, 'contract.list': bench.prefix };
        const [b, a] = [await create({ labels }), await create({ labels })];
        await create();
        const told: Container[] = [];
        const listed = await engine.listContainers({ 'contract.list': bench.prefix }, (each) => told.push(each));
        expect(new Set(told)).toEqual(new Set(listed));
        expect(listed.map(({ id }) => id).toSorted()).toEqual([a, b].toSorted());
        expect(listed.map(({ name: each }) => each)).toEqual(listed.map(({ name: each }) => each).toSorted());
        expect(await engine.listContainers({ ...labels, 'contract.other': 'x' })).toEqual([]);
      });

      it('says what it wrote, as many of its last lines as are asked for', async () => {
        const id = await run({ entrypoint: ['sh', '-c', 'echo one; echo two; exit 3'] });
        const ended = await until(
          'it has ended',
          () => inspect(id),
          ({ state }) => state === 'exited',
        );
        expect(ended.exitCode).toBe(3);
        expect(await engine.readLogs(id, 10)).toBe('one\ntwo\n');
        expect(await engine.readLogs(id, 1)).toBe('two\n');
      });

      it('that ends by itself is started again as its policy says', async () => {
        const id = await run({ entrypoint: ['sh', '/nonesuch'], restart: 'always' });
        const restarting = await until(
          'it restarts',
          () => inspect(id),
          ({ state }) => state === 'restarting',
        );
        expect(restarting.exitCode).toBe(2);
        await engine.stopContainer(id, 0);
        expect((await inspect(id)).state).toBe('exited');
      });

      it('has a health where it was given a check', async () => {
        // Far off: it is looked at before the first.
        const check = { command: ['true'], interval: 60, timeout: 1, retries: 1, startPeriod: 0 };
        const id = await create({ healthcheck: check });
        await engine.startContainer(id);
        expect((await inspect(id)).health.status).toBe('starting');
      });
    });

    describe('a port', () => {
      it('is for one container at a time, told at its start', async () => {
        const network = await newNetwork(bench.subnets[0], false);
        const published = {
          network: { name: network.name },
          ports: [{ container: 5432, host: bench.port, address: '127.0.0.1' }],
        };
        const holder = spec(published);
        const held = await engine.createContainer(holder);
        await engine.startContainer(held);
        const second = await create(published);
        expect(await codeOf(engine.startContainer(second))).toBe('port-taken');
        expect((await inspect(second)).state).toBe('created');
        expect(await engine.findPortHolder(bench.port)).toBe(holder.name);
        await engine.removeContainer(held);
        expect(await engine.findPortHolder(bench.port)).toBeUndefined();
        await engine.startContainer(second);
        expect((await inspect(second)).state).toBe('running');
      });
    });

    describe('a network', () => {
      it('has one name, one subnet and goes once nothing runs on it', async () => {
        const network = await newNetwork(bench.subnets[0]);
        expect(await engine.inspectNetwork(network.name)).toMatchObject({
          id: network.id,
          name: network.name,
          internal: true,
          subnets: [bench.subnets[0]],
          labels: bench.labels,
        });
        const again = { name: network.name, labels: {}, internal: true, subnet: bench.subnets[1] };
        expect(await codeOf(engine.createNetwork(again))).toBe('name-taken');
        const inside = { ...again, name: newName(), subnet: bench.subnets[0].replace('/24', '/25') };
        expect(await codeOf(engine.createNetwork(inside))).toBe('subnet-overlap');
        const id = await run({ network: { name: network.name } });
        expect(await codeOf(engine.removeNetwork(network.id))).toBe('network-in-use');
        await engine.stopContainer(id, 0);
        await engine.removeNetwork(network.id);
        await engine.removeNetwork(network.id);
        expect(await engine.inspectNetwork(network.id)).toBeUndefined();
      });

      it('gets a subnet from the engine where none is given, and then takes no fixed address', async () => {
        const network = await newNetwork(undefined);
        const [subnet] = (await engine.inspectNetwork(network.id))?.subnets ?? [];
        expect(subnet).toMatch(/^\d+\.\d+\.\d+\.\d+\/\d+$/);
        const fixed = String(subnet).replace(/\.\d+\/\d+$/, '.9');
        const id = await create({ network: { name: network.name, address: fixed } });
        expect(await codeOf(engine.startContainer(id))).toBe('address-outside');
      });

      it('is listed by label, and without one among all', async () => {
        const network = await newNetwork(bench.subnets[0]);
        expect((await engine.listNetworks(bench.labels)).map(({ id }) => id)).toEqual([network.id]);
        expect((await engine.listNetworks()).map(({ id }) => id)).toContain(network.id);
      });
    });

    describe('an address', () => {
      it('is told as asked for, also before the first start and after the end', async () => {
        const network = await newNetwork(bench.subnets[0]);
        const asked = address(bench.subnets[0], 9);
        const id = await create({ network: { name: network.name, address: asked } });
        expect((await inspect(id)).networks).toEqual({ [network.name]: { networkId: '', address: asked } });
        await engine.startContainer(id);
        const started = { [network.name]: { networkId: network.id, address: asked } };
        expect((await inspect(id)).networks).toEqual(started);
        await engine.stopContainer(id, 0);
        expect((await inspect(id)).networks).toEqual(started);
      });

      it('is for one running container at a time', async () => {
        const network = await newNetwork(bench.subnets[0]);
        const asked = { network: { name: network.name, address: address(bench.subnets[0], 9) } };
        const [first, second] = [await run(asked), await create(asked)];
        expect(await codeOf(engine.startContainer(second))).toBe('address-taken');
        expect((await inspect(second)).state).toBe('created');
        await engine.stopContainer(first, 0);
        await engine.startContainer(second);
        expect(await codeOf(engine.startContainer(first))).toBe('address-taken');
        expect((await inspect(first)).state).toBe('exited');
      });

      it("is neither outside the network nor the gateway's", async () => {
        const network = await newNetwork(bench.subnets[0]);
        const outside = await create({ network: { name: network.name, address: address(bench.subnets[1], 9) } });
        expect(await codeOf(engine.startContainer(outside))).toBe('address-outside');
        const gateway = await create({ network: { name: network.name, address: address(bench.subnets[0], 1) } });
        expect(await codeOf(engine.startContainer(gateway))).toBe('address-taken');
      });
    });

    describe('a network made after the container', () => {
      it('is found by its name at the first start', async () => {
        const name = newName();
        const id = await create({ network: { name, address: address(bench.subnets[0], 9) } });
        expect(await codeOf(engine.startContainer(id))).toBe('not-found');
        expect((await inspect(id)).state).toBe('created');
        const network = await engine.createNetwork({
          name,
          labels: bench.labels,
          internal: true,
          subnet: bench.subnets[0],
        });
        await engine.startContainer(id);
        expect((await inspect(id)).networks[name]?.networkId).toBe(network);
      });

      it('is not the one that a container knew before, though it has its name', async () => {
        const old = await newNetwork(bench.subnets[0]);
        const asked = address(bench.subnets[0], 9);
        const id = await run({ network: { name: old.name, address: asked } });
        await engine.stopContainer(id, 0);
        await engine.removeNetwork(old.id);
        const fresh = { name: old.name, labels: bench.labels, internal: true, subnet: bench.subnets[0] };
        const network = await engine.createNetwork(fresh);
        expect(await codeOf(engine.startContainer(id))).toBe('not-found');
        expect((await inspect(id)).networks[old.name]?.networkId).toBe(old.id);
        await engine.disconnectNetwork(old.name, id);
        await engine.connectNetwork(old.name, id, { address: asked });
        await engine.startContainer(id);
        expect((await inspect(id)).networks[old.name]).toEqual({ networkId: network, address: asked });
      });
    });

    describe('to connect', () => {
      it('a running container takes effect, once', async () => {
        const [one, two] = [await newNetwork(bench.subnets[0]), await newNetwork(bench.subnets[1])];
        const id = await run({ network: { name: one.name } });
        const asked = address(bench.subnets[1], 9);
        await engine.connectNetwork(two.name, id, { address: asked, aliases: ['x'] });
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: two.id, address: asked });
        expect(await codeOf(engine.connectNetwork(two.name, id, { address: asked }))).toBe('in-progress');
        await engine.disconnectNetwork(two.name, id);
        expect(Object.keys((await inspect(id)).networks)).toEqual([one.name]);
        await engine.disconnectNetwork(two.name, id);
      });

      it('a running container to an address in use fails, and leaves a mark that is no connection', async () => {
        const [one, two] = [await newNetwork(bench.subnets[0]), await newNetwork(bench.subnets[1])];
        const asked = address(bench.subnets[1], 9);
        const holder = await run({ network: { name: two.name, address: asked } });
        const id = await run({ network: { name: one.name } });
        expect(await codeOf(engine.connectNetwork(two.name, id, { address: asked }))).toBe('address-taken');
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: '', address: asked });
        // Not connected is what a disconnect is to reach: the mark stays, and the next connect takes its place.
        await engine.disconnectNetwork(two.name, id);
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: '', address: asked });
        await engine.removeContainer(holder);
        await engine.connectNetwork(two.name, id, { address: asked });
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: two.id, address: asked });
      });

      it('a stopped container counts from its start, and a second time not at all', async () => {
        const [one, two] = [await newNetwork(bench.subnets[0]), await newNetwork(bench.subnets[1])];
        const id = await create({ network: { name: one.name } });
        const [first, second] = [address(bench.subnets[1], 9), address(bench.subnets[1], 10)];
        await engine.connectNetwork(two.name, id, { address: first });
        await engine.connectNetwork(two.name, id, { address: second });
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: '', address: first });
        await engine.disconnectNetwork(two.name, id);
        await engine.connectNetwork(two.name, id, { address: second });
        await engine.startContainer(id);
        expect((await inspect(id)).networks[two.name]).toEqual({ networkId: two.id, address: second });
      });

      it('needs both sides to be there', async () => {
        const network = await newNetwork(bench.subnets[0]);
        const id = await run({ network: { name: network.name } });
        expect(await codeOf(engine.connectNetwork(newName(), id, {}))).toBe('not-found');
        expect(await codeOf(engine.connectNetwork(network.name, newName(), {}))).toBe('not-found');
        await engine.disconnectNetwork(newName(), id);
        expect(await codeOf(engine.disconnectNetwork(network.name, newName()))).toBe('not-found');
      });
    });

    describe('a volume', () => {
      it('has users: all containers that mount it, running or not', async () => {
        const [used, free] = [newName(), newName()];
        for (const each of [used, free]) await engine.createVolume(each, bench.labels);
        const one = spec({ volume: { name: used, target: data } });
        const other = spec({ volume: { name: used, target: data } });
        await engine.startContainer(await engine.createContainer(one));
        const id = await engine.createContainer(other);
        const users = await engine.listVolumeUsers();
        expect(users.get(used)).toEqual([one.name, other.name].toSorted());
        expect(users.has(free)).toBe(false);
        await engine.removeContainer(id);
        expect((await engine.listVolumeUsers()).get(used)).toEqual([one.name]);
      });

      it('that is there keeps its labels when it is made again', async () => {
        const volume = newName();
        const labels = { ...bench.labels, 'contract.volume': 'first' };
        expect(await engine.createVolume(volume, labels)).toMatchObject({ name: volume, labels });
        expect(await engine.createVolume(volume, { 'contract.volume': 'second' })).toMatchObject({ labels });
        expect(await engine.inspectVolume(volume)).toMatchObject({ labels });
        expect(await engine.listVolumes({ 'contract.volume': 'first', ...bench.labels })).toHaveLength(1);
        expect(await engine.listVolumes({ 'contract.volume': 'second', ...bench.labels })).toEqual([]);
        await engine.removeVolume(volume);
        await engine.removeVolume(volume);
        expect(await engine.inspectVolume(volume)).toBeUndefined();
      });

      it('stays as long as a container has it, also a stopped one, and longer than that', async () => {
        const volume = newName();
        await engine.createVolume(volume, bench.labels);
        const mounted = { volume: { name: volume, target: data } };
        const first = await create(mounted);
        await engine.writeArchive(first, data, [{ type: 'link', path: 'state', target: 'data.1' }], 999);
        expect(await codeOf(engine.removeVolume(volume))).toBe('volume-in-use');
        await engine.removeContainer(first);
        const second = await create(mounted);
        expect(await engine.readLink(second, `${data}/state`)).toBe(`${data}/data.1`);
      });
    });

    describe('files in a container', () => {
      it.each(['created', 'running', 'stopped'])('are written and read, the container %s', async (state) => {
        const volume = newName();
        await engine.createVolume(volume, bench.labels);
        const id = await create({ volume: { name: volume, target: data }, readOnly: true });
        if (state !== 'created') await engine.startContainer(id);
        if (state === 'stopped') await engine.stopContainer(id, 0);
        await engine.writeArchive(
          id,
          data,
          [
            { type: 'directory', path: 'pgherd', mode: 0o700 },
            { type: 'directory', path: 'pgherd/rev.1', mode: 0o700 },
            { type: 'file', path: 'pgherd/rev.1/role', content: 'lead 1\n', mode: 0o600 },
            { type: 'file', path: 'pgherd/rev.1/deep', content: 'grüße', mode: 0o600 },
            { type: 'link', path: 'pgherd/config', target: 'rev.1' },
          ],
          999,
        );
        expect(await engine.readLink(id, `${data}/pgherd/config`)).toBe(`${data}/pgherd/rev.1`);
        expect(await engine.readLink(id, `${data}/pgherd/rev.1/role`)).toBeUndefined();
        expect(await engine.readLink(id, `${data}/pgherd/nothing`)).toBeUndefined();
        const exists = (path: string): Promise<boolean> => engine.pathExists(id, `${data}/pgherd/${path}`);
        expect(await Promise.all(['rev.1', 'rev.1/role', 'config', 'config/role'].map(exists))).not.toContain(false);
        expect(await Promise.all(['nothing', 'rev.1/nothing', 'rev.2/role'].map(exists))).not.toContain(true);
        const files = new Map([
          ['rev.1/role', 'lead 1\n'],
          ['rev.1/deep', 'grüße'],
        ]);
        expect(new Map(await engine.readArchive(id, `${data}/pgherd/rev.1`))).toEqual(files);
        expect(await engine.readArchive(id, `${data}/pgherd/config/role`)).toEqual(new Map([['role', 'lead 1\n']]));
        expect(await engine.readArchive(id, `${data}/pgherd/nothing`)).toBeUndefined();
      });

      it('take the place of what was there, and leave what is beside them', async () => {
        const id = await create();
        const write = (target: string, file: string): Promise<void> =>
          engine.writeArchive(
            id,
            '/etc',
            [
              { type: 'directory', path: 'pgherd', mode: 0o755 },
              { type: 'file', path: `pgherd/${file}`, content: file, mode: 0o600 },
              { type: 'link', path: 'pgherd/config', target },
            ],
            0,
          );
        await write('one', 'a');
        await write('two', 'b');
        expect(await engine.readLink(id, '/etc/pgherd/config')).toBe('/etc/pgherd/two');
        expect([...((await engine.readArchive(id, '/etc/pgherd')) ?? [])].toSorted()).toEqual([
          ['pgherd/a', 'a'],
          ['pgherd/b', 'b'],
        ]);
      });

      it('are refused by a read-only root and by a folder that is not there', async () => {
        const entry = { type: 'file', path: 'x', content: '', mode: 0o600 } as const;
        const id = await create({ readOnly: true });
        expect(await codeOf(engine.writeArchive(id, '/etc', [entry], 0))).toBe('engine-error');
        await engine.removeContainer(id);
        const other = await create();
        expect(await codeOf(engine.writeArchive(other, '/nonesuch', [entry], 0))).toBe('not-found');
      });

      it('of the image tell who owns what', async () => {
        const id = await create();
        const passwd = await engine.readArchive(id, '/etc/passwd');
        expect(passwd?.get('passwd')).toMatch(/^postgres:x:\d+:/m);
      });
    });

    describe('a command in a container', () => {
      it('gives its code and what it wrote', async () => {
        const id = await run();
        const said = await engine.exec(id, { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
        expect(said).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' });
        expect(await engine.exec(id, { command: ['true'] })).toEqual({ code: 0, stdout: '', stderr: '' });
        expect(await engine.exec(id, { command: ['cat'], input: 'grüße\n' })).toMatchObject({ stdout: 'grüße\n' });
        expect(await engine.exec(id, { command: ['id', '-u'], user: '4321:0' })).toMatchObject({ stdout: '4321\n' });
        expect(await engine.exec(id, { command: ['nonesuch'] })).toMatchObject({ code: 126 });
        expect(await engine.exec(id, { command: ['sh', '/nonesuch'] })).toMatchObject({ code: 2 });
      });

      it('needs it to run', async () => {
        const id = await create();
        expect(await codeOf(engine.exec(id, { command: ['true'] }))).toBe('not-running');
      });
    });

    describe('standard input', () => {
      const held = { entrypoint: ['cat'], stdinOnce: true, autoRemove: true, readOnly: true } as const;

      it('keeps `cat` running until it closes, and the container goes with it', async () => {
        const id = await create(held);
        const attachment = await engine.attachInput(id);
        await engine.startContainer(id);
        expect((await inspect(id)).state).toBe('running');
        attachment.close();
        await attachment.closed;
        await until(
          'it is gone',
          () => engine.inspectContainer(id),
          (container) => container === undefined,
        );
      });

      it('is what is written to it', async () => {
        const id = await create({ ...held, entrypoint: ['head', '-n', '1'] });
        const attachment = await engine.attachInput(id);
        await engine.startContainer(id);
        expect((await inspect(id)).state).toBe('running');
        attachment.write('a line\n');
        await attachment.closed;
        await until(
          'it is gone',
          () => engine.inspectContainer(id),
          (container) => container === undefined,
        );
        attachment.write('another one\n');
      });

      it('held by someone does not keep the container from being removed', async () => {
        const id = await create(held);
        const attachment = await engine.attachInput(id);
        await engine.startContainer(id);
        await engine.removeContainer(id);
        expect(await engine.inspectContainer(id)).toBeUndefined();
        attachment.close();
        await attachment.closed;
        expect(await codeOf(engine.startContainer(id))).toBe('not-found');
      });

      it('let go of at the moment it is removed, by two, is gone when either is done', async () => {
        const id = await create(held);
        const attachment = await engine.attachInput(id);
        await engine.startContainer(id);
        attachment.close();
        const remove = async (): Promise<unknown> => {
          await engine.removeContainer(id);
          return await engine.inspectContainer(id);
        };
        expect(await Promise.all([remove(), remove()])).toEqual([undefined, undefined]);
      });
    });

    describe('a command whose standard input is held open', () => {
      const never = new AbortController().signal;
      const held = ['sh', '-c', 'echo one; cat; touch /tmp/ended'];

      it('gives what it writes line by line, until it ends', async () => {
        const id = await run();
        const command = ['sh', '-c', 'echo one; echo; echo grüße; echo err >&2; exit 3'];
        const stream = await engine.execStream(id, { command }, never);
        expect(await all(stream.lines)).toEqual(['one', '', 'grüße']);
        expect(stream.stderr()).toBe('err\n');
        const who = await engine.execStream(id, { command: ['id', '-u'], user: '4321:0' }, never);
        expect(await all(who.lines)).toEqual(['4321']);
      });

      it.each(['closed', 'called off'])('ends when it is %s, and its lines do', async (how) => {
        const id = await run();
        const aborter = new AbortController();
        const stream = await engine.execStream(id, { command: held }, aborter.signal);
        const lines = stream.lines[Symbol.asyncIterator]();
        expect(await lines.next()).toEqual({ done: false, value: 'one' });
        expect(await engine.readArchive(id, '/tmp/ended')).toBeUndefined();
        if (how === 'closed') stream.close();
        else aborter.abort();
        expect(await lines.next()).toEqual({ done: true, value: undefined });
        await until(
          'it has ended',
          () => engine.readArchive(id, '/tmp/ended'),
          (files) => files !== undefined,
        );
        stream.close();
      });

      it('ends with the container', async () => {
        const id = await run();
        const stream = await engine.execStream(id, { command: held }, never);
        const lines = stream.lines[Symbol.asyncIterator]();
        expect(await lines.next()).toEqual({ done: false, value: 'one' });
        await engine.stopContainer(id, 0);
        expect(await lines.next()).toEqual({ done: true, value: undefined });
        expect(await codeOf(engine.execStream(id, { command: held }, never))).toBe('not-running');
      });

      it('is not started where it is called off before', async () => {
        const id = await run();
        expect(await codeOf(engine.execStream(id, { command: held }, AbortSignal.abort()))).toBe('interrupted');
      });
    });

    describe('events', () => {
      const watch = async (filter: EventFilter): Promise<AsyncIterable<EngineEvent>> =>
        engine.watchEvents(filter, new AbortController().signal);
      // By a label of its own: what others do on the engine is told as well.
      const ownLabel = (): { labels: Record<string, string>; label: string } => {
        const value = newName();
        return { labels: { ...bench.labels, 'contract.events': value }, label: `contract.events=${value}` };
      };

      it("of a container's life come in order, with its labels", async () => {
        const { labels, label } = ownLabel();
        const events = await watch({ types: ['container'], label });
        const one = spec({ labels });
        const id = await engine.createContainer(one);
        await engine.writeArchive(id, '/etc', [], 0);
        await engine.startContainer(id);
        await engine.updateContainer(id, { restart: 'always' });
        await engine.stopContainer(id, 0);
        await engine.startContainer(id);
        await engine.removeContainer(id);
        const told = await upTo(events, ({ action }) => action === 'destroy');
        const life = ['create', 'extract-to-dir', 'start', 'update', 'kill', 'die', 'stop'];
        // Stopped, it is sent one signal after the other.
        expect(withoutRepeats(told.map(({ action }) => action))).toEqual([...life, 'start', 'kill', 'die', 'destroy']);
        for (const event of told) {
          expect(event).toMatchObject({ type: 'container', id, attributes: { ...labels, name: one.name, image } });
        }
        const times = told.map(({ at }) => at);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(times[0]).toBeGreaterThan(Date.parse('2026-01-01') - 1);
      });

      it('of its health are told without those of the checks', async () => {
        const { labels, label } = ownLabel();
        const events = await watch({ types: ['container'], label, actions: ['health_status', 'start', 'exec'] });
        const healthcheck = { command: ['true'], interval: 1, timeout: 10, retries: 1, startPeriod: 0 };
        await run({ labels, healthcheck });
        bench.passTime?.();
        const told = await upTo(events, ({ action }) => action !== 'start');
        expect(told.map(({ action }) => action)).toEqual(['start', 'health_status']);
      });

      it("of a network name the container, and bear no label of the network's", async () => {
        const events = await watch({ types: ['network'] });
        const { id: network, name } = await newNetwork(bench.subnets[0]);
        const id = await run({ network: { name } });
        await engine.disconnectNetwork(network, id);
        await engine.connectNetwork(network, id, {});
        await engine.removeContainer(id);
        await engine.removeNetwork(network);
        const told = await upTo(events, (event) => event.id === network && event.action === 'destroy');
        const own = told.filter((event) => event.id === network);
        const moves = own.map(({ action, attributes: { container = '' } }) => `${action} ${container}`);
        const [joined, left] = [`connect ${id}`, `disconnect ${id}`];
        // Engine 20.10 tells of a disconnect twice.
        expect(withoutRepeats(moves)).toEqual(['create ', joined, left, joined, left, 'destroy ']);
        for (const { attributes } of own) expect(attributes).toMatchObject({ name, type: 'bridge' });
        expect(Object.keys(own[0]?.attributes ?? {}).toSorted()).toEqual(['name', 'type']);
      });

      it('of a volume name it, and none of them passes a label', async () => {
        const { labels, label } = ownLabel();
        const volumes = await watch({ types: ['volume'], actions: ['create', 'destroy'] });
        const labelled = await watch({ types: ['container', 'network', 'volume'], label });
        const volume = newName();
        await engine.createVolume(volume, labels);
        await engine.removeVolume(volume);
        const network = { name: newName(), labels, internal: true, subnet: bench.subnets[0] };
        await engine.removeNetwork(await engine.createNetwork(network));
        const id = await create({ labels });
        const told = await upTo(volumes, (event) => event.id === volume && event.action === 'destroy');
        const own = told.filter((event) => event.id === volume);
        expect(own.map(({ action }) => action)).toEqual(['create', 'destroy']);
        const [first] = await upTo(labelled, () => true);
        expect(first).toMatchObject({ type: 'container', action: 'create', id });
      });

      it('end when they are called off, also before the first', async () => {
        const filter: EventFilter = { types: ['container'], label: newName() };
        const aborter = new AbortController();
        const events = await engine.watchEvents(filter, aborter.signal);
        const waiting = all(events);
        const unread = await engine.watchEvents(filter, aborter.signal);
        aborter.abort();
        expect(await waiting).toEqual([]);
        expect(await all(unread)).toEqual([]);
        expect(await codeOf(engine.watchEvents(filter, aborter.signal))).toBe('interrupted');
      });
    });
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

/** What comes until the one that is waited for; with that, the stream is let go of. */
async function upTo<T>(items: AsyncIterable<T>, isLast: (item: T) => boolean): Promise<readonly T[]> {
  const seen: T[] = [];
  for await (const item of items) {
    seen.push(item);
    if (isLast(item)) return seen;
  }
  throw new Error(`ended after ${JSON.stringify(seen)}`);
}

function withoutRepeats(items: readonly string[]): readonly string[] {
  return items.filter((item, index) => item !== items[index - 1]);
}
