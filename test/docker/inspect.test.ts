import type Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { mapContainer, mapNetwork, mapVolume } from '../../src/docker/inspect.ts';

/** What Engine 20.10 says of a container, as far as it is read. */
const container = {
  Id: '1e82',
  Name: '/shop-lb1',
  Created: '2026-01-01T00:00:00.5Z',
  RestartCount: 2,
  State: {
    Status: 'running',
    Running: true,
    Paused: false,
    Restarting: false,
    Dead: false,
    ExitCode: 0,
    StartedAt: '2026-01-01T00:00:01Z',
  },
  Config: { Image: 'postgres:17', Labels: { a: 'b' } },
  HostConfig: {},
  NetworkSettings: { Networks: {} },
  Mounts: [],
};

const map = (more: object): ReturnType<typeof mapContainer> =>
  mapContainer({ ...container, ...more } as unknown as Docker.ContainerInspectInfo);
const mapState = (more: object): string => map({ State: { ...container.State, ...more } }).state;

describe('a container', () => {
  it('with nothing special is told in full', () => {
    expect(map({})).toEqual({
      id: '1e82',
      name: 'shop-lb1',
      labels: { a: 'b' },
      image: 'postgres:17',
      state: 'running',
      exitCode: 0,
      restartCount: 2,
      startedAt: Date.parse('2026-01-01T00:00:01Z'),
      createdAt: Date.parse('2026-01-01T00:00:00.5Z'),
      health: { status: 'none', output: '' },
      extraHosts: [],
      restart: 'no',
      memory: 0,
      cpus: 0,
      networks: {},
      volumes: [],
    });
  });

  it('tells the version of PostgreSQL that its image names', () => {
    const majorOf = (Env: unknown): number | undefined => map({ Config: { ...container.Config, Env } }).postgresMajor;
    expect(majorOf(['PATH=/bin', 'PG_MAJOR=18'])).toBe(18);
    for (const other of [undefined, null, [], ['PG_MAJOR='], ['PG_MAJOR=9.6'], ['XPG_MAJOR=18']]) {
      expect(majorOf(other)).toBeUndefined();
    }
  });

  it('that restarts or is paused says Running too, and is neither running', () => {
    expect(mapState({ Restarting: true })).toBe('restarting');
    expect(mapState({ Paused: true })).toBe('paused');
    expect(mapState({ Dead: true })).toBe('dead');
    expect(mapState({ Running: false, Status: 'created' })).toBe('created');
    expect(mapState({ Running: false, Status: 'removing' })).toBe('removing');
    expect(mapState({ Running: false, Status: 'exited' })).toBe('exited');
  });

  it('that never started has no start', () => {
    expect(map({ State: { ...container.State, StartedAt: '0001-01-01T00:00:00Z' } }).startedAt).toBe(0);
  });

  it.each([
    ['', 'no'],
    ['no', 'no'],
    ['always', 'always'],
    ['unless-stopped', 'unless-stopped'],
    ['on-failure', 'on-failure'],
  ])('with the restart policy %j has %s', (Name, expected) => {
    expect(map({ HostConfig: { RestartPolicy: { Name } } }).restart).toBe(expected);
  });

  it('has its limits in bytes and CPUs', () => {
    expect(map({ HostConfig: { Memory: 1024, NanoCpus: 1_500_000_000 } })).toMatchObject({ memory: 1024, cpus: 1.5 });
  });

  it('has the addresses asked for, not those it got', () => {
    const Networks = {
      a: { NetworkID: '1', IPAMConfig: { IPv4Address: '10.0.0.9' }, IPAddress: '' },
      b: { NetworkID: '2', IPAMConfig: null, IPAddress: '10.1.0.2' },
      c: { NetworkID: '', IPAMConfig: {}, IPAddress: '' },
    };
    expect(map({ NetworkSettings: { Networks } }).networks).toEqual({
      a: { networkId: '1', address: '10.0.0.9' },
      b: { networkId: '2', address: undefined },
      c: { networkId: '', address: undefined },
    });
  });

  it('has its volumes in a fixed order, and none that is another mount', () => {
    const Mounts = [
      { Type: 'volume', Name: 'two', Destination: '/b' },
      { Type: 'tmpfs', Destination: '/tmp' },
      { Type: 'volume', Name: 'one', Destination: '/a' },
    ];
    expect(map({ Mounts }).volumes).toEqual([
      { name: 'one', target: '/a' },
      { name: 'two', target: '/b' },
    ]);
  });

  it('says what its health check said last', () => {
    const Health = { Status: 'unhealthy', Log: [{ Output: 'first' }, { Output: ' waiting\n' }] };
    expect(map({ State: { ...container.State, Health } }).health).toEqual({ status: 'unhealthy', output: 'waiting' });
    const empty = { Status: 'starting', Log: null };
    expect(map({ State: { ...container.State, Health: empty } }).health).toEqual({ status: 'starting', output: '' });
  });
});

it('a network has its subnets, and none where the engine sends null', () => {
  const network = { Id: '1', Name: 'shop', Labels: {}, Internal: true, IPAM: { Config: [{ Subnet: '10.0.0.0/24' }] } };
  expect(mapNetwork(network as unknown as Docker.NetworkInspectInfo)).toEqual({
    id: '1',
    name: 'shop',
    labels: {},
    internal: true,
    subnets: ['10.0.0.0/24'],
  });
  const host = { ...network, IPAM: { Config: null } } as unknown as Docker.NetworkInspectInfo;
  expect(mapNetwork(host).subnets).toEqual([]);
});

it('a volume without labels has none', () => {
  const volume = { Name: 'v', Labels: null, CreatedAt: 'then' } as unknown as Docker.VolumeInspectInfo;
  expect(mapVolume(volume)).toEqual({ name: 'v', labels: {}, createdAt: 'then' });
});
