import { topologyOf } from '../reconcile/support.ts';
import type { Topology } from '../../src/topology/model.ts';

export const modes = ['async', 'required', 'preferred'] as const;
export type Mode = (typeof modes)[number];

/** What a group is asked for. */
export type Setting = {
  readonly mode: Mode;
  readonly failover: 'automatic' | 'manual';
  /** Milliseconds. */
  readonly delay: number;
};

/** A group of three. */
export function topologyFor({ mode, failover, delay }: Setting): Topology {
  const replication = mode === 'async' ? {} : { replication: { mode: 'quorum', durability: mode } };
  return topologyOf(
    JSON.stringify({
      cluster_name: 'shop',
      failover: { mode: failover, delay: `${String(delay / 1000)}s` },
      ...replication,
      balancers: [{ name: 'lb1', primary: { port: 20_001 }, replicas: [{ node_id: 1 }, { node_id: 2 }] }],
    }),
  );
}

export function nameOf({ mode, failover, delay }: Setting): string {
  return `${mode}, ${failover} failover after ${String(delay / 1000)} s`;
}
