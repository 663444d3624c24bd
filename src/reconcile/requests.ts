import { PgherdError } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import {
  formatHandover,
  formatPause,
  isSameReign,
  type Handover,
  type HandoverRequest,
  type PauseRequest,
  type RecordName,
  type Reign,
} from '../postgres/layout.ts';
import { newestRecord } from './group.ts';
import { readSlot } from './names.ts';
import { placed } from './kinds/find-node.ts';
import { Owners, writeFolder } from './kinds/node-folder.ts';
import { observe } from './observe.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

type Requested = Extract<HandoverRequest, { is: 'requested' }>;

/** The requested change of leaders that a group's nodes know of; undefined: none, or the reign it was to end is over. */
export function findHandover(nodes: readonly ObservedNode[], record: RecordName): Requested | undefined {
  const request = newestRequest(nodes);
  if (request?.is !== 'requested' || !isSameReign(request.of, record)) return undefined;
  return request.to === record.leader ? undefined : request;
}

/** Whether a cluster is paused: the latest word of any of its volumes holds. */
export function isPaused({ nodes }: Pick<Snapshot, 'nodes'>): boolean {
  return newestPause(nodes)?.isPaused === true;
}

/** Whether the volumes that are read say that a cluster is paused, or was once. */
export function isPauseKnown({ nodes, busy }: Pick<Snapshot, 'nodes' | 'busy'>): boolean {
  const isHeld = busy.some(({ labels }) => readSlot(labels) !== undefined);
  return newestPause(nodes) !== undefined || (nodes.length > 0 && !isHeld);
}

/** The requests that count, in a form to compare. */
export function listRequests(nodes: readonly ObservedNode[]): string {
  const groups = [...new Set(nodes.map(({ group }) => group))].sort();
  const handovers = groups.map((name) => [name, newestRequest(nodes.filter(({ group }) => group === name))]);
  return JSON.stringify([newestPause(nodes)?.at, handovers]);
}

/**
 * Requests a change of leaders of the lock's holder: it ends `of`, the reign that the caller saw, and no other, so that a
 * request that arrives late does nothing. Takes no lock. Fails with `not-found` if the group has no node.
 */
export async function requestHandover(
  engine: Engine,
  cluster: string,
  group: string,
  handover: Handover,
  of: Reign,
): Promise<Requested> {
  const nodes = await nodesOf(engine, cluster, group);
  const { leader, fork } = of;
  const at = later(newestRequest(nodes)?.at);
  const request: Requested = { is: 'requested', ...handover, of: { leader, fork }, at };
  await writeLink(engine, nodes, 'handover', formatHandover(request));
  return request;
}

/** Cancels a request, unless there is a later one, or the reign it was to end is over. */
export async function cancelHandover(
  engine: Engine,
  cluster: string,
  group: string,
  { at, of }: Requested,
): Promise<void> {
  const nodes = await nodesOf(engine, cluster, group);
  const [newest, found] = [newestRequest(nodes), newestRecord(nodes)];
  if (newest === undefined || newest.at > at || newest.is === 'ended') return;
  if (found !== undefined && !isSameReign(found.record, of)) return;
  await writeLink(engine, nodes, 'handover', formatHandover({ is: 'ended', at }));
}

/** Pauses a cluster, or resumes it. Takes no lock: its holder is the one to see it. Returns whether anything changed. */
export async function setPaused(engine: Engine, cluster: string, by: string | undefined): Promise<boolean> {
  const nodes = await nodesOf(engine, cluster, undefined, true);
  const isPaused = by !== undefined;
  const newest = newestPause(nodes);
  const known = nodes.filter(({ facts }) => facts.pause?.at === newest?.at);
  if ((newest?.isPaused ?? false) === isPaused && (known.length === nodes.length || !isPaused)) return false;
  await writeLink(engine, nodes, 'pause', formatPause({ isPaused, at: later(newest?.at), by }));
  return true;
}

// `all`: one that is not told would go by an older word later.
async function nodesOf(engine: Engine, cluster: string, group?: string, all = false): Promise<readonly ObservedNode[]> {
  const { nodes, busy } = await observe(engine, cluster, undefined);
  const untold = busy.find(({ labels }) => readSlot(labels) !== undefined);
  if (all && untold !== undefined) {
    throw new PgherdError(
      'engine-timeout',
      `another call to the engine holds ${untold.name}, which could not be told`,
      {
        remedy: 'wait for the end of that call, such as `docker cp`, or end it',
      },
    );
  }
  const own = nodes.filter((node) => group === undefined || node.group === group);
  if (own.length > 0) return own;
  const whose = group === undefined ? `cluster ${cluster}` : `group ${group} of cluster ${cluster}`;
  throw new PgherdError('not-found', `there is no container of a server of ${whose} on the engine`, {
    remedy: `see \`docker ps --all --filter label=pgherd.cluster=${cluster}\`; \`pgherd reconcile --once\` brings it up`,
  });
}

// The ends of two requests of one moment: the end counts.
function newestRequest(nodes: readonly ObservedNode[]): HandoverRequest | undefined {
  const all = nodes.flatMap(({ facts }) => (facts.handover === undefined ? [] : [facts.handover]));
  return all.toSorted((a, b) => b.at - a.at || (a.is === 'ended' ? -1 : b.is === 'ended' ? 1 : 0))[0];
}

function newestPause(nodes: readonly ObservedNode[]): PauseRequest | undefined {
  const all = nodes.flatMap(({ facts }) => (facts.pause === undefined ? [] : [facts.pause]));
  return all.toSorted((a, b) => b.at - a.at)[0];
}

// Clocks of hosts differ: what is written after having seen another word is later than that.
function later(than: number | undefined): number {
  return Math.max(Date.now(), (than ?? 0) + 1);
}

// One volume that has it is enough for who looks; all are tried, so that it outlives any of them.
async function writeLink(
  engine: Engine,
  nodes: readonly ObservedNode[],
  path: 'handover' | 'pause',
  target: string,
): Promise<void> {
  const owners = new Owners();
  const written = await Promise.allSettled(
    nodes.map((node) =>
      writeFolder(placed(node), node.container.image, { engine, owners }, [{ type: 'link', path, target }]),
    ),
  );
  const failed = written.find((each) => each.status === 'rejected');
  if (failed !== undefined && written.every(({ status }) => status === 'rejected')) throw failed.reason;
}
