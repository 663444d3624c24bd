// Generated from schemas/topology.schema.json by src/topology/generate.mjs; do not edit.

/**
 * A value; true and false mean on and off.
 *
 * This interface was referenced by `PostgresParameters`'s JSON-Schema definition
 * via the `patternProperty` "^[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)?$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[a-zA-Z_][a-zA-Z0-9_]*$".
 */
export type ParameterValue = string | number | boolean;
/**
 * Lines of pg_hba.conf for connections over TCP, placed before pgherd's own; `trust` and `local` lines are refused.
 */
export type Hba = string[];
/**
 * Memory limit, at least 6MB; units are powers of 1024.
 */
export type Memory = number | string;
/**
 * CPU limit.
 */
export type Cpus = number;
/**
 * Size of /dev/shm, at least 1MB.
 */
export type ShmSize = number | string;
/**
 * Restart policy of the container.
 */
export type Restart = 'always' | 'unless-stopped' | 'on-failure' | 'no';
/**
 * Name of the container.
 */
export type ContainerName = string;
/**
 * Fixed address on the network; needs `network.subnet`.
 */
export type IpAddress = string;
/**
 * Port published on the host.
 */
export type PublishedPort = number;

/**
 * One cluster: pgBalancer load balancers, each in front of one PostgreSQL primary and its streaming replicas.
 */
export interface TopologyFile {
  /**
   * Where an editor finds the schema of this file; pgherd does not read it.
   */
  $schema?: string;
  /**
   * Version of the file format.
   */
  schema_version?: 1;
  /**
   * Name of the cluster; containers, networks and volumes are named after it.
   */
  cluster_name: string;
  /**
   * The cluster's networks.
   */
  network?: {
    /**
     * Bridge network of the cluster.
     */
    name?: string;
    /**
     * Subnet of the network; needed where addresses are given.
     */
    subnet?: string;
    /**
     * Internal network that carries the write address of each group.
     */
    rw_name?: string;
    /**
     * Subnet of the internal network.
     */
    rw_subnet?: string;
  };
  /**
   * Address of the host on which published ports listen.
   */
  bind_address?: string;
  postgres?: Postgres;
  replication?: Replication;
  failover?: Failover;
  rollout?: Rollout;
  /**
   * What becomes of data volumes.
   */
  volumes?: {
    /**
     * Whether the volume of a node that leaves the file is kept.
     */
    on_remove?: 'retain' | 'delete';
  };
  /**
   * Fields whose drift is left alone. Not acted on by this version.
   */
  ignore_changes?: string[];
  /**
   * The groups: a balancer each, with its primary and replicas.
   *
   * @minItems 1
   * @maxItems 200
   */
  balancers: Balancer[];
}
/**
 * Settings of every PostgreSQL node, where the group or the node does not say otherwise.
 */
export interface Postgres {
  /**
   * Image of the node; the official image's contract, PostgreSQL 13, 15, 17 or 18 (14 and 16 are not tested).
   */
  image?: string;
  /**
   * Superuser, created at bootstrap.
   */
  user?: string;
  /**
   * Database, created at bootstrap.
   */
  database?: string;
  password?: Password;
  parameters?: PostgresParameters;
  hba?: Hba;
  /**
   * Scripts run once, at bootstrap, in this order; relative to the topology file.
   */
  init_scripts?: string[];
  memory?: Memory;
  cpus?: Cpus;
  shm_size?: ShmSize;
  healthcheck?: Healthcheck;
  restart?: Restart;
}
/**
 * Where the password of the superuser comes from; it never stands in the file.
 */
export interface Password {
  /**
   * File that holds the password: one line, not empty, a newline at its end does not count. Relative to the topology file.
   */
  file?: string;
  /**
   * Environment variable that holds the password: one line, not empty.
   */
  env?: string;
  /**
   * A random password, made once and kept with the data.
   */
  generate?: true;
}
/**
 * Settings of postgresql.conf, except those that pgherd sets. Layers are merged, the innermost wins. Changed by reload; those that need a restart get a rolling one: no server is restarted while another one of its group is not up.
 */
export interface PostgresParameters {
  [k: string]: ParameterValue;
}
/**
 * Docker's own health check, shown to people; pgherd probes by itself.
 */
export interface Healthcheck {
  /**
   * Time between two checks.
   */
  interval?: number | string;
  /**
   * A check that takes longer has failed.
   */
  timeout?: number | string;
  /**
   * Failures in a row after which the container counts as unhealthy.
   */
  retries?: number;
  /**
   * Time after the start in which failures do not count.
   */
  start_period?: number | string;
}
/**
 * How commits are replicated; a group overrides the top level key by key.
 */
export interface Replication {
  /**
   * `async`: a commit does not wait; `quorum`: it waits until `sync_replicas` replicas have it, and is lost with none of the others.
   */
  mode?: 'async' | 'quorum';
  /**
   * Replicas that must have a commit, in quorum mode.
   */
  sync_replicas?: number;
  /**
   * Where fewer than `sync_replicas` are left, in quorum mode: `required`: commits wait for one to come back; `preferred`: they go on without, and a failover then needs a human.
   */
  durability?: 'required' | 'preferred';
}
/**
 * What happens when the leader is gone; a group overrides the top level key by key.
 */
export interface Failover {
  /**
   * `automatic`: pgherd promotes a replica by itself; `manual`: `pgherd failover` does, and the leader is only restarted in place.
   */
  mode?: 'automatic' | 'manual';
  /**
   * How long a leader that has ended, or does not answer, may take to come back in place, where nothing is lost; then another node is promoted. `0s`: at once.
   */
  delay?: number | string;
  /**
   * A replica further behind than this (bytes of WAL, in async mode) is not promoted without a human.
   */
  max_lag?: number | string;
}
/**
 * How changes roll over the nodes of a group; a group overrides the top level key by key. Not acted on by this version.
 */
export interface Rollout {
  /**
   * Replicas that may be down at once.
   */
  max_unavailable?: number;
  /**
   * Whether the leader hands over before its restart.
   */
  primary?: 'switchover' | 'restart';
}
/**
 * A balancer with its primary and replicas.
 */
export interface Balancer {
  /**
   * Name of the group.
   */
  name: string;
  container_name?: ContainerName;
  ip_address?: IpAddress;
  /**
   * Port on the host for clients.
   */
  port?: number;
  /**
   * Port on the host for PCP.
   */
  pcp_port?: number;
  /**
   * Port on the host for the REST API, which asks for no password.
   */
  rest_api_port?: number;
  /**
   * Image of the balancer.
   */
  image?: string;
  /**
   * What the image holds: the program `pgbalancer`, run as its user `pgbalancer`, or stock pgpool-II, the program `pgpool`, run as its user `postgres`. The image needs `sh`, `psql` and the program on its PATH.
   */
  flavor?: 'pgbalancer' | 'pgpool';
  /**
   * Parameters of pgBalancer or pgpool, except those that pgherd sets.
   */
  config?: {
    [k: string]: ParameterValue;
  };
  /**
   * Share of reads that the leader takes, where a replica has 1.
   */
  weight?: number;
  memory?: Memory;
  cpus?: Cpus;
  restart?: Restart;
  postgres?: Postgres1;
  primary?: Primary;
  /**
   * The replicas: a list, or how many.
   *
   * @maxItems 127
   */
  replicas?: number | Replica[];
  replication?: Replication;
  failover?: Failover;
  rollout?: Rollout;
}
/**
 * Settings of the group's nodes; they override the top level.
 */
export interface Postgres1 {
  /**
   * Image of the node; the official image's contract, PostgreSQL 13, 15, 17 or 18 (14 and 16 are not tested).
   */
  image?: string;
  /**
   * Superuser, created at bootstrap.
   */
  user?: string;
  /**
   * Database, created at bootstrap.
   */
  database?: string;
  password?: Password;
  parameters?: PostgresParameters;
  hba?: Hba;
  /**
   * Scripts run once, at bootstrap, in this order; relative to the topology file.
   */
  init_scripts?: string[];
  memory?: Memory;
  cpus?: Cpus;
  shm_size?: ShmSize;
  healthcheck?: Healthcheck;
  restart?: Restart;
}
/**
 * The node that bootstraps the group; another may lead later.
 */
export interface Primary {
  /**
   * Name of the node, its host name on the network too.
   */
  host?: string;
  port?: PublishedPort;
  container_name?: ContainerName;
  ip_address?: IpAddress;
  /**
   * Image of the node; the official image's contract, PostgreSQL 13, 15, 17 or 18 (14 and 16 are not tested).
   */
  image?: string;
  parameters?: PostgresParameters;
  hba?: Hba;
  memory?: Memory;
  cpus?: Cpus;
  shm_size?: ShmSize;
  healthcheck?: Healthcheck;
  restart?: Restart;
}
/**
 * A replica.
 */
export interface Replica {
  /**
   * Slot of the replica, kept for life; name, address and volume follow it.
   */
  node_id?: number;
  /**
   * Name of the node, its host name on the network too.
   */
  host?: string;
  port?: PublishedPort;
  container_name?: ContainerName;
  ip_address?: IpAddress;
  /**
   * Image of the node; the official image's contract, PostgreSQL 13, 15, 17 or 18 (14 and 16 are not tested).
   */
  image?: string;
  parameters?: PostgresParameters;
  hba?: Hba;
  memory?: Memory;
  cpus?: Cpus;
  shm_size?: ShmSize;
  healthcheck?: Healthcheck;
  restart?: Restart;
}
