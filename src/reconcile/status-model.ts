import type { CommitState } from './commit-state.ts';
import type { Blocked } from './plan.ts';

export type Sync = 'InSync' | 'OutOfSync';
export type Health = 'Healthy' | 'Progressing' | 'Degraded' | 'Blocked';

export type NodeStatus = {
  readonly name: string;
  readonly role: 'leader' | 'replica' | 'unknown';
  /** The container's state, `missing` where there is none. */
  readonly state: string;
  readonly health: Health;
  readonly replication: { readonly state: string; readonly lag_bytes: number | null } | null;
  readonly timeline: number | null;
  readonly ip: string | null;
  readonly port: number | null;
  readonly volume: string | null;
  /** When its container was started last, ISO 8601; null where it does not run. */
  readonly started_at: string | null;
  /** How often the engine has started it again since it was started by hand. */
  readonly restarts: number;
  readonly message: string | null;
};

export type BalancerStatus = {
  readonly name: string;
  readonly state: string;
  readonly health: Health;
  readonly ip: string | null;
  readonly port: number | null;
  /** As of a node. */
  readonly started_at: string | null;
  readonly restarts: number;
  readonly message: string | null;
};

export type GroupStatus = {
  readonly name: string;
  readonly leader: string | null;
  /** In quorum mode. */
  readonly commits: CommitState | null;
  readonly nodes: readonly NodeStatus[];
  readonly balancer: BalancerStatus;
};

export type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

export type ClusterStatus = {
  readonly name: string;
  /** The file that describes it, as the user wrote the path. */
  readonly file: string;
  readonly sync: Sync;
  readonly health: Health;
  readonly conditions: readonly Condition[];
  /** What only a human can decide, and how. */
  readonly blocked: readonly Blocked[];
  readonly groups: readonly GroupStatus[];
  /** Volumes that hold an earlier generation, or belong to no node of the file. */
  readonly leftovers: readonly string[];
};
