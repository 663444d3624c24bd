import type { TestCluster } from '../e2e/support/cluster.ts';

/** `quorum`: commits wait for a replica, whatever comes; `preferred`: where there is one. */
export const modes = ['async', 'quorum', 'preferred'] as const;
export type Mode = (typeof modes)[number];

export const group = 'lb1';
export const password = 'only-a-test';
export const passwordVariable = 'CHAOS_PASSWORD';
export const nodeNames = [`${group}-primary`, `${group}-replica1`, `${group}-replica2`];

/** Connections that a node has, and how many of them only superusers get: those of the checker are such. */
export const connections = { most: 100, reserved: 20 } as const;

const firstAddress = 20;

export function nodeAddress(cluster: TestCluster, slot: number): string {
  return cluster.address(firstAddress + slot);
}

/** Addresses are given, so that writers and probers know where each node is, also one that was made anew. */
export function topology(
  cluster: TestCluster,
  port: number,
  { mode, delay }: { readonly mode: Mode; readonly delay?: string },
): unknown {
  const address = (slot: number): { readonly ip_address: string } => ({ ip_address: nodeAddress(cluster, slot) });
  return {
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: {
      password: { env: passwordVariable },
      // A limit, so that a server can come up against it.
      memory: '512MB',
      parameters: {
        shared_buffers: '64MB',
        max_connections: connections.most,
        superuser_reserved_connections: connections.reserved,
      },
    },
    replication:
      mode === 'async'
        ? { mode }
        : { mode: 'quorum', sync_replicas: 1, durability: mode === 'preferred' ? 'preferred' : 'required' },
    ...(delay === undefined ? {} : { failover: { delay } }),
    balancers: [
      {
        name: group,
        port,
        primary: address(0),
        replicas: [1, 2].map((slot) => ({ node_id: slot, ...address(slot) })),
        config: { num_init_children: 32, max_pool: 1 },
      },
    ],
  };
}
