/** What the engine says, in the shape pgherd compares: defaults undone, units plain, order fixed. */

export const containerStates = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const;
export type ContainerState = (typeof containerStates)[number];

/** Whether its removal has begun; `dead`: the engine could not bring that to its end. It takes nothing but its removal. */
export function isBeingRemoved({ state }: { readonly state: ContainerState }): boolean {
  return state === 'removing' || state === 'dead';
}

export type Endpoint = {
  readonly networkId: string;
  /** The address asked for (IPAMConfig), which a stopped container keeps; undefined: the engine chooses. */
  readonly address: string | undefined;
};

export type Container = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
  readonly state: ContainerState;
  readonly exitCode: number;
  /** Restarts by the engine since the last start by hand. */
  readonly restartCount: number;
  /** Epoch milliseconds; 0: never started. */
  readonly startedAt: number;
  readonly createdAt: number;
  readonly health: { readonly status: 'none' | 'starting' | 'healthy' | 'unhealthy'; readonly output: string };
  /** Lines of HostConfig.ExtraHosts, `name:address`. */
  readonly extraHosts: readonly string[];
  readonly restart: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** Bytes; 0: no limit. */
  readonly memory: number;
  /** CPUs; 0: no limit. */
  readonly cpus: number;
  /** By network name. */
  readonly networks: Readonly<Record<string, Endpoint>>;
  readonly volumes: readonly { readonly name: string; readonly target: string }[];
  /** The major version of PostgreSQL, where its image says so. */
  readonly postgresMajor?: number | undefined;
  /** Another call holds it, such as `docker cp`, and the engine tells no more of it than its list: the rest is unknown. */
  readonly isBusy?: boolean | undefined;
};

export type Network = {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly subnets: readonly string[];
};

export type Volume = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
};

export type Image = {
  readonly id: string;
  /** Paths declared as VOLUME. */
  readonly volumes: readonly string[];
  /** The major version of PostgreSQL, where it says so. */
  readonly postgresMajor?: number | undefined;
};

/** What `docker run` would be told; the engine module turns it into a create call. */
export type ContainerSpec = {
  readonly name: string;
  readonly image: string;
  readonly hostname?: string;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly network: { readonly name: string; readonly address?: string; readonly aliases?: readonly string[] } | 'none';
  readonly volume?: { readonly name: string; readonly target: string };
  /** Host port by container port, bound to `address`. */
  readonly ports?: readonly { readonly container: number; readonly host: number; readonly address: string }[];
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly extraHosts?: readonly string[];
  readonly restart?: Container['restart'];
  readonly memory?: number;
  readonly cpus?: number;
  readonly shmSize?: number;
  /** A process of the engine's own (docker-init) is the first, passes signals on and collects orphans. */
  readonly init?: boolean;
  readonly readOnly?: boolean;
  readonly dropCapabilities?: boolean;
  readonly stopSignal?: string;
  /** Seconds. */
  readonly stopTimeout?: number;
  /** Seconds. */
  readonly healthcheck?: {
    readonly command: readonly string[];
    readonly interval: number;
    readonly timeout: number;
    readonly retries: number;
    readonly startPeriod: number;
  };
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly stdinOnce?: boolean;
  readonly autoRemove?: boolean;
};

export type ExecResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** One call to the engine, for -v and for logs. */
export type EngineCall = {
  readonly method: string;
  readonly path: string;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  readonly milliseconds: number;
};
