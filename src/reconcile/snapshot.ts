import type { Container, Image, Network, Volume } from '../docker/types.ts';
import type { Reports } from './reports.ts';
import type { Layout, NodeFacts, RecordName } from '../postgres/layout.ts';

/** A PostgreSQL container of the cluster, with what its volume says. */
export type ObservedNode = {
  readonly container: Container;
  readonly group: string;
  readonly slot: number;
  readonly volume: string;
  readonly layout: Layout;
  readonly facts: NodeFacts;
  /** Its volume holds a newer record than its link says: somebody whose time is over wrote last. */
  readonly isLinkLate?: boolean;
  /** Its bootstrap goes on. */
  readonly isUnderWay?: boolean;
  /** Its data is a standby's: a server that is promoted, by whomever, takes that mark away before it takes writes. */
  readonly isStandby: boolean;
};

/** Names a node whatever container it has. */
export function nodeKey({ group, slot }: { readonly group: string; readonly slot: number }): string {
  return `${group}/${String(slot)}`;
}

/** A balancer container, with what its links say. */
export type ObservedBalancer = {
  readonly container: Container;
  readonly group: string;
  /** Names of revisions. */
  readonly config: string | undefined;
  readonly started: string | undefined;
  /** What the readers' names were last made to mean, and in which run of the container. */
  readonly readers: string | undefined;
};

/** A data volume. */
export type ObservedVolume = {
  readonly volume: Volume;
  readonly group: string;
  readonly slot: number;
  readonly generation: number;
};

/** A resource that is not ours and holds a name we want. */
export type Taken = { readonly kind: 'container' | 'network' | 'volume'; readonly name: string; readonly by: string };

/** The world as one look at the engine gave it. */
export type Snapshot = {
  /** Epoch milliseconds. */
  readonly takenAt: number;
  /** What the servers that speak said last, by container id. */
  readonly reports: Reports;
  /** Ids of containers that run, and whose servers do not speak though they should. */
  readonly silent: ReadonlySet<string>;
  /** The last words of every server that was ever heard, also of those that are gone: by `nodeKey`. */
  readonly past: Reports;
  /** Milliseconds by the clock of the reports: when they were taken. */
  readonly heardUntil: number;
  /** Milliseconds since a group's leader was first seen not to serve; those that serve are not in it. */
  readonly lost: ReadonlyMap<string, number>;
  /** Ids of containers whose servers hang: silent, replicas for long, and asked in another way without an answer. */
  readonly hung: ReadonlySet<string>;
  /** Milliseconds until a lost leader should be up again that was not seen to serve since its engine came back, by group. */
  readonly settlesIn: ReadonlyMap<string, number>;
  /** Milliseconds since the last change of leaders, by group: known where the leader is lost. */
  readonly sinceChange: ReadonlyMap<string, number>;
  readonly cluster: string;
  /** Somebody holds its lock. */
  readonly isLocked?: boolean;
  readonly networks: readonly Network[];
  /** All networks of the engine, looked at only where one of ours is missing. */
  readonly otherNetworks: readonly Network[];
  readonly volumes: readonly ObservedVolume[];
  readonly nodes: readonly ObservedNode[];
  readonly balancers: readonly ObservedBalancer[];
  /**
   * Nodes and balancers whose removal the engine has begun and not brought to its end: they run no more, nothing can be read
   * of them, and their names are taken until they are gone.
   */
  readonly halfRemoved: readonly Container[];
  /**
   * Nodes and balancers that another call to the engine holds, such as `docker cp`: nothing can be read of them or done to
   * them until that is over. Whether they run, the list tells.
   */
  readonly busy: readonly Container[];
  /** By reference; undefined: not on the engine. */
  readonly images: Readonly<Record<string, Image | undefined>>;
  readonly taken: readonly Taken[];
  /** Files of revisions in force, by container id: read only where they differ from what is wanted. */
  readonly inForce: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

/** What was seen, with a container that was started since: as what, its volume says by now. */
export function withStarted(snapshot: Snapshot, container: string): Snapshot {
  return withNode(snapshot, container, (node) => ({
    ...node,
    container: { ...node.container, state: 'running' },
    facts: { ...node.facts, serves: undefined },
  }));
}

/** What was seen, with a server that was promoted since by this record: what the others say is judged by who leads now. */
export function withPromoted(snapshot: Snapshot, container: string, record: RecordName): Snapshot {
  return withNode(snapshot, container, (node) => ({
    ...node,
    facts: { ...node.facts, record, serves: 'lead', detached: undefined },
    isStandby: false,
  }));
}

function withNode(snapshot: Snapshot, container: string, change: (node: ObservedNode) => ObservedNode): Snapshot {
  return { ...snapshot, nodes: snapshot.nodes.map((node) => (node.container.id === container ? change(node) : node)) };
}
