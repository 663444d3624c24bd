import type { Group, Topology } from '../topology/model.ts';
import type { Addresses } from './allocate.ts';
import type { GroupView } from './group.ts';
import type { Snapshot } from './snapshot.ts';

/** What planning a group takes: all of it data. */
export type GroupContext = {
  readonly topology: Topology;
  readonly group: Group;
  readonly snapshot: Snapshot;
  readonly addresses: Addresses;
  readonly view: GroupView;
  /** Of the password the file gives; undefined: pgherd made one, and any will do. */
  readonly fingerprint: string | undefined;
  /** Resources that this run has failed with for good, and that nothing else is to wait for. */
  readonly failed: ReadonlySet<string>;
};
