/**
 * A topology as the rest of pgherd sees it: validated, interpolated, with every default filled in.
 * What a file may say is defined by schemas/topology.schema.json alone; `resolve.ts` maps one to the other.
 */

/** Where a password comes from; never the password itself. */
export type PasswordSource =
  | { readonly from: 'generate' }
  /** Absolute path of a file; its content, less one trailing newline, is the password. */
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'env'; readonly name: string };

/** Durations in seconds. */
export type Healthcheck = {
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
};

export type RestartPolicy = 'always' | 'unless-stopped' | 'on-failure' | 'no';

/** One PostgreSQL server. Slot 0 is the file's `primary`, a replica's slot is its `node_id`. */
export type Node = {
  /** Unique in the cluster: `host` where given, else `<group>-primary` or `<group>-replica<slot>`. */
  readonly name: string;
  readonly slot: number;
  readonly containerName: string;
  /** IPv4 address on the cluster's network, where the file gives one. */
  readonly address: string | undefined;
  /** Port published on the host at `bindAddress`, where the file gives one. */
  readonly port: number | undefined;
  readonly image: string;
  /** postgresql.conf settings of the file, values as PostgreSQL reads them, `max_connections` always among them. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Extra pg_hba.conf lines, before pgherd's own TCP lines. */
  readonly hba: readonly string[];
  /** Bytes; undefined: no limit. */
  readonly memory: number | undefined;
  /** CPUs, e.g. 1.5; undefined: no limit. */
  readonly cpus: number | undefined;
  /** Bytes of /dev/shm. */
  readonly shmSize: number;
  readonly healthcheck: Healthcheck;
  readonly restart: RestartPolicy;
};

export type Balancer = {
  readonly containerName: string;
  readonly address: string | undefined;
  /** Ports published on the host at `bindAddress`, where the file gives them. */
  readonly port: number | undefined;
  readonly pcpPort: number | undefined;
  readonly restApiPort: number | undefined;
  readonly image: string;
  readonly flavor: 'pgbalancer' | 'pgpool';
  /** pgpool parameters of the file, values as pgpool reads them, unquoted; `num_init_children` and `max_pool` always among them. */
  readonly config: Readonly<Record<string, string>>;
  /** Share of reads that the leader takes, where a replica has 1; absent: 0, or 1 without replicas. */
  readonly weight?: number;
  readonly memory: number | undefined;
  readonly cpus: number | undefined;
  readonly restart: RestartPolicy;
};

/** A balancer with its primary and replicas. */
export type Group = {
  /** The balancer's `name` in the file. */
  readonly name: string;
  readonly balancer: Balancer;
  /** Superuser. */
  readonly user: string;
  /** Database created at bootstrap. */
  readonly database: string;
  readonly password: PasswordSource;
  /** Absolute paths of scripts (.sql, .sql.gz, .sh) run once at bootstrap, in order. */
  readonly initScripts: readonly string[];
  /** In slot order, slot 0 first. */
  readonly nodes: readonly [Node, ...Node[]];
  readonly replication: {
    readonly mode: 'async' | 'quorum';
    readonly syncReplicas: number;
    /** Where too few replicas are left: `required`: commits wait; `preferred`: they do not, which is said. */
    readonly durability: 'required' | 'preferred';
  };
  readonly failover: {
    readonly mode: 'automatic' | 'manual';
    /** Seconds. */
    readonly delay: number;
    /** Bytes of WAL; undefined: no bound. */
    readonly maxLag: number | undefined;
  };
  readonly rollout: { readonly maxUnavailable: number; readonly primary: 'switchover' | 'restart' };
};

export type Topology = {
  /** The file it came from, as the user wrote the path. */
  readonly file: string;
  /** `cluster_name`. */
  readonly cluster: string;
  readonly schemaVersion: 1;
  readonly network: {
    readonly name: string;
    /** CIDR; undefined: the engine's choice, kept. */
    readonly subnet: string | undefined;
    readonly writeName: string;
    readonly writeSubnet: string | undefined;
  };
  readonly bindAddress: string;
  readonly volumes: { readonly onRemove: 'retain' | 'delete' };
  /** Paths of fields whose drift is left alone, e.g. `balancers[0].primary.memory`. */
  readonly ignoreChanges: readonly string[];
  readonly groups: readonly [Group, ...Group[]];
};
