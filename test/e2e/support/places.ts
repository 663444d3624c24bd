import { createServer, type Server } from 'node:net';
import { docker, dockerLines } from './engine.ts';

/**
 * Place n is the subnet 10.200.n.0/24 and 40 host ports below the range the system gives to outgoing connections.
 * Whoever listens on its guard port has it: test processes run side by side, and one that dies gives its places back.
 */
const PLACES = 256;
const GUARDS = 20_000;
const PORTS = 21_000;
const PORTS_EACH = 40;

export type Place = {
  /** `10.200.n.0/24`; no network of the engine overlapped it. */
  readonly subnet: string;
  /** Takes ports of 127.0.0.1 that nobody listens on; never the same twice. */
  ports(count: number): Promise<readonly number[]>;
  release(): Promise<void>;
};

/** Takes places nobody has; throws if there are not enough. */
export async function takePlaces(count: number): Promise<readonly Place[]> {
  let used = await usedSubnets();
  const taken: Place[] = [];
  for (let index = 0; index < PLACES && taken.length < count; index += 1) {
    if (isUsed(index, used)) continue;
    const guard = await listen(GUARDS + index);
    if (guard === undefined) continue;
    // Looked at again under guard: its last holder may have died and left a network behind in the meantime.
    used = await usedSubnets();
    if (isUsed(index, used)) await close(guard);
    else taken.push(place(index, guard));
  }
  if (taken.length === count) return taken;
  await Promise.all(taken.map((one) => one.release()));
  throw new Error(`fewer than ${String(count)} free subnets in 10.200.0.0/16; the engine has ${used.join(', ')}`);
}

const isUsed = (index: number, used: readonly string[]): boolean =>
  used.some((other) => overlaps(subnetOf(index), other));

const subnetOf = (index: number): string => `10.200.${String(index)}.0/24`;

function place(index: number, guard: Server): Place {
  let next = PORTS + index * PORTS_EACH;
  const end = next + PORTS_EACH;
  const freePort = async (): Promise<number> => {
    while (next < end) {
      const port = next++;
      const server = await listen(port);
      if (server === undefined) continue;
      await close(server);
      return port;
    }
    throw new Error(`place ${String(index)} has no more free ports`);
  };
  return {
    subnet: subnetOf(index),
    ports: async (count) => {
      const ports: number[] = [];
      while (ports.length < count) ports.push(await freePort());
      return ports;
    },
    release: () => close(guard),
  };
}

/** Undefined if the port is taken. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  server.unref();
  return await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Listens on a port of the host, as a process outside the engine, until `close`. */
export async function holdPort(port: number): Promise<Server> {
  const server = await listen(port);
  if (server === undefined) throw new Error(`port ${String(port)} is taken`);
  return server;
}

export async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

async function usedSubnets(): Promise<readonly string[]> {
  const networks = await dockerLines('network', 'ls', '--quiet', '--no-trunc');
  const format = '{{range .IPAM.Config}}{{.Subnet}} {{end}}';
  const inspected = await Promise.all(networks.map((id) => inspectNetwork(id, format)));
  return inspected.flatMap((line) => line.split(' ')).filter((subnet) => /^\d+(?:\.\d+){3}\/\d+$/.test(subnet));
}

/** Empty if the network is gone by now. */
async function inspectNetwork(id: string, format: string): Promise<string> {
  return await docker('network', 'inspect', '--format', format, id).catch((error: unknown) => {
    if (/No such network|not found/.test(String(error))) return '';
    throw error;
  });
}

function overlaps(one: string, other: string): boolean {
  const [a, b] = [range(one), range(other)];
  return a.first <= b.last && b.first <= a.last;
}

/** First and last address of a subnet, as numbers. */
function range(subnet: string): { first: number; last: number } {
  const [address = '', bits = ''] = subnet.split('/');
  const size = 2 ** (32 - Number(bits));
  let value = 0;
  for (const part of address.split('.')) value = value * 256 + Number(part);
  const first = Math.floor(value / size) * size;
  return { first, last: first + size - 1 };
}
