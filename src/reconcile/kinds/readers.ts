import { canonicalJson, digest } from '../../base/canonical.ts';
import { mapReaders, toExtraHosts, toHostsLines, type Replica } from '../../balancer/hosts.ts';
import type { GroupContext } from '../context.ts';
import { step, type FieldChange, type Step } from '../plan.ts';
import type { ObservedBalancer } from '../snapshot.ts';
import { readersMarker } from './balancer-actions.ts';

// In slot order: reader 1 is the first follower, whoever leads. One whose container is not running is silent, and every
// new session would wait for it. `starting` undefined: all are taken to serve.
export function followers(
  { addresses, group, snapshot, view }: GroupContext,
  starting: ReadonlySet<number> | undefined,
): readonly Replica[] {
  const leader = view.phase === 'led' ? view.leader.slot : group.nodes[0].slot;
  return group.nodes
    .filter(({ slot }) => slot !== leader)
    .map(({ slot }) => {
      const container = snapshot.nodes.find((each) => each.group === group.name && each.slot === slot)?.container;
      // One that does not speak is waited for by every new session, as one that does not run.
      const runs = container?.state === 'running' && !snapshot.silent.has(container.id);
      const serves = starting === undefined || starting.has(slot) || runs;
      return { address: addresses.node(group.name, slot) ?? '127.0.0.1', serves };
    });
}

// At its start a balancer has what ExtraHosts says; what was written since counts for that run only.
export function readersStep(
  context: GroupContext,
  resource: string,
  { container, readers }: ObservedBalancer,
  isInterrupted: boolean,
  starting: ReadonlySet<number>,
): { readonly step: Step; readonly field: FieldChange } | undefined {
  const wanted = mapReaders(followers(context, starting));
  const lines = toHostsLines(wanted);
  const name = digest(lines);
  const isWritten = !isInterrupted && readers?.endsWith(`.${String(container.startedAt)}`) === true;
  const isInForce = isWritten
    ? readers === readersMarker(name, container.startedAt)
    : sameHosts(container.extraHosts, toExtraHosts(wanted));
  if (isInForce) return undefined;
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

function sameHosts(a: readonly string[], b: readonly string[]): boolean {
  return canonicalJson([...a].sort()) === canonicalJson([...b].sort());
}
