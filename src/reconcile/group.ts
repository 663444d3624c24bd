import { compareRecords, isSameReign, type NodeState, type RecordName } from '../postgres/layout.ts';
import type { Group } from '../topology/model.ts';
import type { Container } from '../docker/types.ts';
import type { BlockReason, Reason } from './plan.ts';
import { labelNames, readSlot } from './names.ts';
import type { ObservedNode, ObservedVolume, Snapshot } from './snapshot.ts';

/** How far a group has come, from what its volumes say. Nothing is decided from a part of them. */
export type GroupView =
  /** A volume that decides has no container, so nobody knows yet what it holds: containers first, decisions after. */
  | { readonly phase: 'unread' }
  /** No volume of the group holds or ever held data: the first node bootstraps. */
  | { readonly phase: 'fresh' }
  | {
      readonly phase: 'led';
      readonly leader: ObservedNode;
      readonly systemIdentifier: string;
      readonly record: RecordName;
      /** The record is still the one the bootstrap began with. */
      readonly isBootstrapRecord: boolean;
      /** A node that holds the record. */
      readonly source: ObservedNode;
    }
  /** The leader's data is gone, and others have a copy: one of them may lead. */
  | {
      readonly phase: 'lost';
      readonly systemIdentifier: string;
      readonly record: RecordName;
      readonly source: ObservedNode;
      readonly reason: Reason;
      readonly remedy: string;
    }
  | { readonly phase: 'blocked'; readonly reason: BlockReason; readonly remedy: string };

/** Milliseconds for which the container of a leader's volume is waited for, before another node may lead. */
const unreadPatience = 10_000;

/** A record of this version says that the bootstrap has begun, every later one that it has ended. */
const bootstrapRecordVersion = 1;

export function viewGroup(group: Group, snapshot: Snapshot): GroupView {
  const nodes = snapshot.nodes.filter((node) => node.group === group.name);
  const unread = unreadVolumes(group, snapshot);
  const source = newestRecord(nodes);
  const withData = nodes.filter(({ facts }) => facts.state.is === 'data');
  // Whether or not the file has it: it may serve, and cannot be taken out of service.
  if (source !== undefined && findBusy(snapshot, group.name, source.record.leader) !== undefined) {
    return { phase: 'unread' };
  }
  if (unread.some(({ slot }) => group.nodes.some((node) => node.slot === slot))) {
    if (source === undefined || !isReadEnough(source.record, nodes)) return { phase: 'unread' };
    // Its container may be impossible to make: it is waited for as for a leader that has ended.
    const isAway = unread.some(({ slot }) => slot === source.record.leader);
    if (isAway && (snapshot.lost.get(group.name) ?? 0) < unreadPatience) return { phase: 'unread' };
  }
  const isFresh = (source === undefined || source.record.version <= bootstrapRecordVersion) && withData.length === 0;
  const [hidden] = unread;
  // What the file no longer names may be all that is left of the group.
  if (isFresh) return hidden === undefined ? { phase: 'fresh' } : blockedByHidden(hidden);
  if (source === undefined) return blockedNoRecord(withData);
  const { record } = source;
  const leader = nodes.find(({ slot }) => slot === record.leader);
  if (leader?.facts.state.is === 'data' && isOfReign(leader, record)) {
    const { systemIdentifier } = leader.facts.state;
    const isBootstrapRecord = record.version === bootstrapRecordVersion;
    return { phase: 'led', leader, systemIdentifier, record, isBootstrapRecord, source: source.node };
  }
  const blocked = blockedNoLeader(group, record, leader, withData);
  const [holder] = withData;
  if (blocked.phase !== 'blocked' || holder?.facts.state.is !== 'data') return blocked;
  const { systemIdentifier } = holder.facts.state;
  return { ...blocked, phase: 'lost', systemIdentifier, record, source: source.node };
}

/** Milliseconds until a leader whose volume no container reads counts as lost; undefined: there is none such. */
export function unreadFor(group: Group, snapshot: Snapshot): number | undefined {
  const lostFor = snapshot.lost.get(group.name);
  if (lostFor === undefined || lostFor >= unreadPatience || viewGroup(group, snapshot).phase !== 'unread')
    return undefined;
  return unreadPatience - lostFor;
}

/**
 * The container of a node, or of a group's balancer, which has no slot, where another call to the engine holds it: nothing
 * can be read of it or done to it.
 */
export function findBusy(
  { busy }: Pick<Snapshot, 'busy'>,
  group: string,
  slot: number | undefined,
): Container | undefined {
  return busy.find((container) => isOf(container, group, slot));
}

/** The containers of nodes and balancers, with those that another call holds: of these the list tells names and addresses. */
export function listContainers({ balancers, nodes, busy }: Snapshot): readonly Container[] {
  return [...[...balancers, ...nodes].map(({ container }) => container), ...busy];
}

/** The container of a node, or of a group's balancer, which has no slot. */
export function findContainer(snapshot: Snapshot, group: string, slot: number | undefined): Container | undefined {
  return listContainers(snapshot).find((container) => isOf(container, group, slot));
}

function isOf({ labels }: Container, group: string, slot: number | undefined): boolean {
  return labels[labelNames.group] === group && readSlot(labels) === slot;
}

/** The slot of who leads. While a volume waits to be read nothing is decided, and who leads is known all the same. */
export function findLeading(group: Group, snapshot: Snapshot): number | undefined {
  const view = viewGroup(group, snapshot);
  if (view.phase !== 'unread') return view.phase === 'led' ? view.leader.slot : undefined;
  return newestRecord(snapshot.nodes.filter((node) => node.group === group.name))?.record.leader;
}

/**
 * Whether a volume is the one that its node leads with by a record. Who is promoted has the record of that before it leads;
 * an older volume of it, kept when it was set aside, has an older one.
 */
export function isOfReign({ facts }: ObservedNode, record: RecordName): boolean {
  return facts.record !== undefined && isSameReign(facts.record, record);
}

/** The volume a slot's data is in: its container's, else the newest generation. */
export function currentVolume(group: string, slot: number, snapshot: Snapshot): ObservedVolume | undefined {
  const volumes = snapshot.volumes.filter((each) => each.group === group && each.slot === slot);
  const unread = [...snapshot.halfRemoved, ...snapshot.busy].find((container) => isOf(container, group, slot));
  const observed = snapshot.nodes.find((node) => node.group === group && node.slot === slot);
  const mounted = observed?.volume ?? unread?.volumes[0]?.name;
  return (
    volumes.find(({ volume }) => volume.name === mounted) ?? volumes.toSorted((a, b) => b.generation - a.generation)[0]
  );
}

/** The generation after all that a slot has. */
export function nextGeneration(group: string, slot: number, snapshot: Snapshot): number {
  const volumes = snapshot.volumes.filter((each) => each.group === group && each.slot === slot);
  return Math.max(0, ...volumes.map(({ generation }) => generation)) + 1;
}

/**
 * Whether a node's volume was cut short in a clone, rewind or bootstrap, and must be set aside. One whose container runs is
 * under way; a bootstrap is under way only while the controller that began it lives.
 */
export function isCutShort({ container, facts }: ObservedNode): boolean {
  if (facts.state.is === 'bootstrapping' || facts.state.is === 'half' || facts.state.is === 'unknown') return true;
  // One that starts where it was cut short ends at once, and is seen then.
  const mayGoOn = container.state === 'running' || container.state === 'paused';
  return (facts.state.is === 'cloning' || facts.state.is === 'rewinding') && !mayGoOn;
}

/** Whether a volume holds a clone that is not whole, and so nothing that is not on the leader as well. */
export function isHalfClone({ is }: NodeState): boolean {
  return is === 'cloning' || is === 'half';
}

/** Volumes of a group, of slots that have no container to read them by. */
export function unreadVolumes(group: Group, { nodes, volumes }: Snapshot): readonly ObservedVolume[] {
  const isRead = (slot: number): boolean => nodes.some((node) => node.group === group.name && node.slot === slot);
  return volumes.filter((each) => each.group === group.name && !isRead(each.slot));
}

// A promotion is written down in a majority of the volumes at least: of two in both, so that the leader's own is enough.
function isReadEnough({ members, leader }: RecordName, nodes: readonly ObservedNode[]): boolean {
  const isRead = (slot: number): boolean => nodes.some((node) => node.slot === slot && node.facts.record !== undefined);
  const read = members.filter(isRead).length;
  return read * 2 > members.length || (members.length === 2 && isRead(leader));
}

/** The newest record that the volumes of a group's nodes hold. */
export function newestRecord(
  nodes: readonly ObservedNode[],
): { readonly node: ObservedNode; readonly record: RecordName } | undefined {
  const recorded = nodes.flatMap((node) =>
    node.facts.record === undefined ? [] : [{ node, record: node.facts.record }],
  );
  return recorded.toSorted(({ record: a }, { record: b }) => compareRecords(b, a))[0];
}

function blockedByHidden({ volume, slot, group }: ObservedVolume): GroupView {
  const detail = `${volume.name} is of slot ${String(slot)}, which the file does not name, and may hold the data of ${group}`;
  return {
    phase: 'blocked',
    reason: { code: 'data-not-in-file', detail },
    remedy: `put that node back into the file (node_id ${String(slot)}), or remove the volume with \`docker volume rm ${volume.name}\` if nobody needs its data`,
  };
}

function blockedNoRecord(withData: readonly ObservedNode[]): GroupView {
  const volumes = withData.map(({ volume }) => volume).join(', ');
  return {
    phase: 'blocked',
    reason: { code: 'record-missing', detail: `${volumes} holds data, and no volume says who leads` },
    remedy:
      'put back pgherd/record in the volume from a backup of it; pgherd does not guess, and does not initialise anew',
  };
}

function blockedNoLeader(
  group: Group,
  record: RecordName,
  leader: ObservedNode | undefined,
  withData: readonly ObservedNode[],
): GroupView {
  const name = group.nodes.find(({ slot }) => slot === record.leader)?.name ?? `slot ${String(record.leader)}`;
  const others = withData.map(({ volume }) => volume).join(', ');
  const found =
    leader === undefined
      ? 'its data volume is gone'
      : leader.facts.state.is === 'data'
        ? `its volume ${leader.volume} is of a time before that`
        : `its volume ${leader.volume} holds no data`;
  const rest = others === '' ? 'no other node holds data either' : `the data is still in ${others}`;
  return {
    phase: 'blocked',
    reason: { code: 'leader-data-gone', detail: `${name} leads by the group's record, and ${found}; ${rest}` },
    remedy:
      'put the volume back from a backup; pgherd does not make an empty leader where a group had data, and leaves the rest as it is',
  };
}
