import { readersPerReplica } from '../base/readers.ts';
import { readerName } from './config.ts';

/** What answers where nobody serves: it refuses at once, and reads go to the writer. */
const nobody = '127.0.0.1';

export type Replica = { readonly address: string; readonly serves: boolean };

/**
 * The address behind each reader's name, in order. A replica that does not serve is stood in for by one that does,
 * within `readersPerReplica`, never by the leader: a client would hold two sessions there and could block itself.
 */
export function mapReaders(replicas: readonly Replica[]): readonly string[] {
  const load = new Map(replicas.filter(({ serves }) => serves).map(({ address }) => [address, 1]));
  return replicas.map(({ address, serves }) => {
    if (serves) return address;
    const [stand] = [...load].filter(([, readers]) => readers < readersPerReplica).sort(([, a], [, b]) => a - b);
    if (stand === undefined) return nobody;
    load.set(stand[0], stand[1] + 1);
    return stand[0];
  });
}

/** Lines for Docker's ExtraHosts, `name:address`. */
export function toExtraHosts(addresses: readonly string[]): readonly string[] {
  return addresses.map((address, index) => `${readerName(index + 1)}:${address}`);
}

/** Lines for a hosts file. */
export function toHostsLines(addresses: readonly string[]): string {
  return addresses.map((address, index) => `${address} ${readerName(index + 1)}\n`).join('');
}
