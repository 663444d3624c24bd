import { readersPerReplica } from '../base/readers.ts';

/** pgpool's own defaults (https://www.pgpool.net/docs/latest/en/html/runtime-config-connection.html). */
const poolDefaults = { children: 32, pool: 4 } as const;

/** What the file says about a group, as far as connections go; undefined where it says nothing. */
export type BudgetInput = {
  /** `num_init_children`: sessions that the balancer serves at once. */
  readonly children: number | undefined;
  /** `max_pool`: connections that each of those keeps to every backend. */
  readonly pool: number | undefined;
  readonly replicas: number;
  readonly maxConnections: number | undefined;
  /** `superuser_reserved_connections` and `reserved_connections` together. */
  readonly reserved: number;
};

export type Budget = {
  readonly children: number;
  readonly pool: number;
  readonly maxConnections: number;
  /** The least `max_connections` that these need. */
  readonly needed: number;
  /** The sum behind `needed`, for a message. */
  readonly sum: string;
};

/** Connections that pgherd keeps for itself: heartbeat, readiness probe, two for actions, one for `pgherd psql`. */
const own = 5;
/** Replication beside one stream for each follower: a clone and the rewind of a rejoining node. */
const sparesForReplication = 2;
/** Replicas that a value left open leaves room for, so that adding one restarts nobody. */
const expectedReplicas = 8;

/**
 * What `max_connections` must hold, and values for what the file leaves open that fit together.
 *
 * pgpool connects a session to every backend and keeps `max_pool` such connections in each of its `num_init_children`
 * processes. Of the reader names up to `readersPerReplica` may resolve to one replica while others are down; the leader
 * sees the pool once, and any node can become either. Replication and reserved connections come on top. Since
 * PostgreSQL 12 senders have places of their own; they are counted all the same, as room to spare.
 *
 * Values that the file leaves open are the same for any number of replicas up to `expectedReplicas`, since changing them
 * is a restart of every node. Where `max_connections` is given and the pool is not, the pool is made to fit: `max_pool`
 * from 4 down to 1 first, which costs only cached connections, then `num_init_children` down to 1. Where it is not given,
 * it is what the pool needs, rounded up to ten, at least PostgreSQL's default of 100. Values that are given are taken as
 * they are, and `needed` tells what they need with the replicas there are now.
 */
export function planConnections(input: BudgetInput): Budget {
  const reserved = input.reserved + own;
  const count = (children: number, pool: number, backends: number, replicas: number): number =>
    children * pool * backends + replicas + sparesForReplication + reserved;
  const most = Math.max(expectedReplicas, input.replicas);
  const limit = input.maxConnections ?? Infinity;

  let pool = input.pool ?? poolDefaults.pool;
  let children = input.children ?? poolDefaults.children;
  while (input.pool === undefined && pool > 1 && count(children, pool, readersPerReplica, most) > limit) pool -= 1;
  if (input.children === undefined && count(children, pool, readersPerReplica, most) > limit) {
    const fitting = Math.floor((limit - count(0, pool, 0, most)) / (pool * readersPerReplica));
    children = Math.max(1, fitting);
  }
  const backends = Math.min(readersPerReplica, Math.max(1, input.replicas));
  const sum =
    `num_init_children ${children} × max_pool ${pool} × ${backends} ${backends === 1 ? 'backend' : 'readers on one node'}` +
    ` + ${input.replicas + sparesForReplication} for replication + ${reserved} reserved`;
  const roomy = Math.ceil(count(children, pool, readersPerReplica, most) / 10) * 10;
  return {
    children,
    pool,
    needed: count(children, pool, backends, input.replicas),
    sum,
    maxConnections: input.maxConnections ?? Math.max(100, roomy),
  };
}
