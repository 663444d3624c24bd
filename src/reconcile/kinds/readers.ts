import { canonicalJson, digest } from '../../base/canonical.ts';
import { mapReaders, toExtraHosts, toHostsLines, type Replica } from '../../balancer/hosts.ts';
import type { GroupContext } from '../context.ts';
import { findBusy } from '../group.ts';
import { balancerResource } from '../names.ts';
import { step, type FieldChange, type Part, type Step } from '../plan.ts';
import { isAdrift } from '../reports.ts';
import type { ObservedBalancer } from '../snapshot.ts';
import { isSecondWriter } from '../writers.ts';
import { readersMarker } from './balancer-actions.ts';

/** Why they are written. */
export const readersReason = {
  code: 'readers',
  detail: "its readers' names do not mean the replicas that serve",
} as const;

const mostChoices = 64;

/** `serves` undefined: it is read from as long as it is, and no longer. */
type Reader = Omit<Replica, 'serves'> & { readonly serves: boolean | undefined };

// In slot order: reader 1 is the first follower, whoever leads. `starting` undefined: all are taken to serve.
export function followers(context: GroupContext, starting: ReadonlySet<number> | undefined): readonly Reader[] {
  const { addresses, group, view } = context;
  const leader = view.phase === 'led' || view.phase === 'lost' ? view.record.leader : group.nodes[0].slot;
  return group.nodes
    .filter(({ slot }) => slot !== leader)
    .map(({ slot }) => ({
      address: addresses.node(group.name, slot) ?? '127.0.0.1',
      serves: starting === undefined || starting.has(slot) || isReadable(context, slot),
    }));
}

// Whoever does not follow is not read from: it has what nobody else has, or stands still. A moment without a leader, or
// without a connection to it, is not that.
function isReadable({ snapshot, group }: GroupContext, slot: number): boolean | undefined {
  const node = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot);
  const busy = findBusy(snapshot, group.name, slot);
  // One that another call to the engine holds goes on as it is.
  if (busy?.state === 'running' && !snapshot.silent.has(busy.id)) return undefined;
  // One that does not speak is waited for by every new session, as one that does not run.
  if (node?.container.state !== 'running' || snapshot.silent.has(node.container.id)) return false;
  if (isSecondWriter(node, snapshot) || node.facts.state.is === 'diverged') return false;
  const report = snapshot.reports.get(node.container.id);
  if (report === undefined) return node.container.health.status === 'unhealthy' ? undefined : true;
  return !isAdrift(report);
}

// At its start a balancer has what ExtraHosts says; what was written since counts for that run only.
export function readersStep(
  context: GroupContext,
  resource: string,
  { container, readers }: ObservedBalancer,
  isInterrupted: boolean,
  starting: ReadonlySet<number>,
): { readonly step: Step; readonly field: FieldChange } | undefined {
  const [wanted = [], ...others] = choices(followers(context, starting)).map(mapReaders);
  const isWritten = !isInterrupted && readers?.endsWith(`.${String(container.startedAt)}`) === true;
  const isInForce = (addresses: readonly string[]): boolean =>
    isWritten
      ? readers === readersMarker(digest(toHostsLines(addresses)), container.startedAt)
      : sameHosts(container.extraHosts, toExtraHosts(addresses));
  if ([wanted, ...others].some(isInForce)) return undefined;
  const lines = toHostsLines(wanted);
  const name = digest(lines);
  return {
    step: step(resource, { do: 'write-readers', container: container.id, lines, name }),
    field: {
      path: 'readers.hosts',
      before: isWritten ? undefined : container.extraHosts.join(', '),
      after: toExtraHosts(wanted).join(', '),
      effect: 'live',
    },
  };
}

/** Only the readers of a balancer that runs: for a group of which nothing else is touched. */
export function planReaders(context: GroupContext): Part {
  const observed = context.snapshot.balancers.find((each) => each.group === context.group.name);
  if (observed?.container.state !== 'running') return {};
  const resource = balancerResource(context.group.name);
  const found = readersStep(context, resource, observed, false, new Set());
  if (found === undefined) return {};
  const change = {
    resource,
    kind: 'balancer',
    actions: ['update'],
    reason: readersReason,
    fields: [found.field],
  } as const;
  return { changes: [change], steps: [found.step] };
}

/** All that may be in force of readers of which some are not known, first the one in which those serve. */
function choices(readers: readonly Reader[]): readonly (readonly Replica[])[] {
  return readers.reduce<readonly (readonly Replica[])[]>(
    (known, { address, serves }) => {
      const values = serves === undefined && known.length < mostChoices ? [true, false] : [serves ?? true];
      return values.flatMap((value) => known.map((replicas) => [...replicas, { address, serves: value }]));
    },
    [[]],
  );
}

function sameHosts(a: readonly string[], b: readonly string[]): boolean {
  return canonicalJson([...a].sort()) === canonicalJson([...b].sort());
}
