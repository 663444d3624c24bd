import type { GroupContext } from '../context.ts';
import { findBusy, type GroupView } from '../group.ts';
import { groupResource, nodeResource, volumeResource } from '../names.ts';
import { inOrder, step, type Change, type Part, type Step } from '../plan.ts';
import { findLackingSlots } from '../reports.ts';
import type { ObservedNode } from '../snapshot.ts';
import { nodeName, placed } from './find-node.ts';
import { nodeStopSeconds } from './node-spec.ts';
import { recordAction } from './record-action.ts';
import { findPromotion } from './revisions.ts';

type Led = Extract<GroupView, { phase: 'led' }>;

export type Membership = {
  /** What must be done before new members are started. */
  readonly before: readonly Step[];
  /** What is done once departed members are out of use. */
  readonly after: readonly Step[];
  readonly changes: readonly Change[];
};

/** Who is a member: the recorded list grows before anything relies on a new one, and shrinks after a departed one is gone. */
export function planMembership(context: GroupContext, view: Led, balancer: Part): Membership {
  const { group, fingerprint } = context;
  const resource = groupResource(group.name);
  const wanted = group.nodes.map(({ slot }) => slot).sort((a, b) => a - b);
  const departed = departedNodes(context);
  // A leader that leaves hands over first; one that could not, and was stopped for it, leads on.
  const leaves = departed.find(({ slot }) => slot === view.leader.slot);
  if (leaves !== undefined) return { before: [], after: planReturn(leaves), changes: [] };
  const known = view.record.members;
  const arrived = wanted.filter((slot) => !known.includes(slot));
  // One that another call to the engine holds is there yet, and a balancer that is held lets go of nobody.
  const isHeld = (slot: number | undefined): boolean => findBusy(context.snapshot, group.name, slot) !== undefined;
  const gone = known.filter((slot) => !wanted.includes(slot));
  const leaving = gone.some(isHeld) || isHeld(undefined) ? [] : gone;
  const isFirst = view.isBootstrapRecord;
  const renew = fingerprint !== undefined && fingerprint !== view.source.facts.secrets?.fingerprint;
  const lacking = lackingSlots(context, view, [...new Set([...known, ...wanted])]);
  const before: Step[] = [];
  if (arrived.length > 0 || isFirst || renew) {
    const password = step(resource, {
      do: 'set-password',
      group: group.name,
      node: placed(view.leader),
      superuser: group.user,
    });
    const grown = [...new Set([...known, ...wanted])].sort((a, b) => a - b);
    const slots = setSlots(context, view, grown);
    // The record tells the next run that the slots are there; of a bootstrap they are.
    const first = [...(renew ? [password.id] : []), ...(arrived.length > 0 && !isFirst ? [slots.id] : [])];
    const record = step(resource, recordAction(context, view, grown, renew), first);
    before.push(...(renew ? [password] : []), record, ...(arrived.length > 0 ? [slots] : []));
  }
  const promotion = findPromotion(context, view);
  if ((lacking.length > 0 || promotion !== undefined) && before.every(({ action }) => action.do !== 'set-slots')) {
    before.push(setSlots(context, view, known));
  }
  const removal = planRemoval(context, isHeld(undefined) ? [] : departed, balancer);
  const after = [...removal.steps];
  if (before.length === 0 && leaving.length > 0) {
    const removed = removal.steps.map(({ id }) => id);
    const slots = setSlots(context, view, wanted, removed);
    after.push(slots, step(resource, recordAction(context, view, wanted, false), [slots.id]));
  }
  const changes: Change[] = [...removal.changes];
  const forgotten = leaving.filter((slot) => !departed.some((node) => node.slot === slot));
  if (forgotten.length > 0) changes.push(membershipChange(resource, known, wanted));
  if (lacking.length > 0) changes.push(slotsChange(resource, lacking));
  if (renew) changes.push(passwordChange(resource));
  return { before, after, changes };
}

// The record of a bootstrap is written before the slots are looked for: what made it made them.
function lackingSlots({ snapshot }: GroupContext, view: Led, members: readonly number[]): readonly string[] {
  if (view.isBootstrapRecord) return [];
  const followers = members.filter((slot) => slot !== view.leader.slot);
  return findLackingSlots(snapshot.reports.get(view.leader.container.id), followers);
}

function slotsChange(resource: string, lacking: readonly string[]): Change {
  const field = { path: 'slots', before: undefined, after: lacking.join(', '), effect: 'live' } as const;
  return updateOf(resource, 'slots', 'its leader lacks replication slots of its followers', [field]);
}

function setSlots(context: GroupContext, view: Led, members: readonly number[], after: readonly string[] = []): Step {
  const followers = members.filter((slot) => slot !== view.leader.slot);
  const action = { do: 'set-slots', node: placed(view.leader), superuser: context.group.user, followers } as const;
  const promotion = findPromotion(context, view);
  return step(groupResource(context.group.name), action, [...after, ...(promotion === undefined ? [] : [promotion])]);
}

function planRemoval(
  context: GroupContext,
  departed: readonly ObservedNode[],
  balancer: Part,
): { readonly steps: readonly Step[]; readonly changes: readonly Change[] } {
  const { group, snapshot, topology } = context;
  // Sessions leave first: the balancer lets go of a reader before its server goes.
  const lastOfBalancer = balancer.steps?.findLast(({ action }) => action.do !== 'pull-image')?.id;
  const steps: Step[] = [];
  const changes: Change[] = [];
  for (const node of departed) {
    const name = nodeName(node);
    const remove = step(
      nodeResource(name),
      { do: 'remove-container', container: node.container.id, stopSeconds: nodeStopSeconds },
      lastOfBalancer === undefined ? [] : [lastOfBalancer],
    );
    steps.push(remove);
    const kept = topology.volumes.onRemove === 'retain';
    const detail = kept
      ? `not in the file; its volume ${node.volume} is kept`
      : `not in the file; volumes.on_remove is delete`;
    changes.push({
      resource: nodeResource(name),
      kind: 'node',
      actions: ['delete'],
      reason: { code: 'not-in-file', detail },
      fields: [],
    });
    if (kept) continue;
    const volumes = snapshot.volumes.filter((each) => each.group === group.name && each.slot === node.slot);
    for (const { volume } of volumes) {
      const resource = volumeResource(volume.name);
      steps.push(step(resource, { do: 'remove-volume', name: volume.name }, [remove.id]));
      changes.push({
        resource,
        kind: 'volume',
        actions: ['delete'],
        reason: { code: 'not-in-file', detail },
        fields: [],
      });
    }
  }
  return { steps, changes };
}

function departedNodes({ group, snapshot }: GroupContext): readonly ObservedNode[] {
  return snapshot.nodes.filter(
    (node) => node.group === group.name && !group.nodes.some(({ slot }) => slot === node.slot),
  );
}

function planReturn(node: ObservedNode): readonly Step[] {
  if (node.facts.serves !== 'fenced') return [];
  const resource = nodeResource(nodeName(node));
  const { image, state } = node.container;
  return inOrder([
    step(resource, { do: 'unfence', node: placed(node), image, runs: state === 'running' }),
    step(resource, { do: 'start', container: node.container.id }),
  ]);
}

function membershipChange(resource: string, known: readonly number[], wanted: readonly number[]): Change {
  const field = { path: 'members', before: known.join(', '), after: wanted.join(', '), effect: 'live' } as const;
  return updateOf(resource, 'members', 'its record and slots still name nodes that are gone', [field]);
}

function passwordChange(resource: string): Change {
  const field = { path: 'password', before: '(sensitive)', after: '(sensitive)', effect: 'live' } as const;
  return updateOf(resource, 'password', "the superuser's password is not the one in the file's source", [field]);
}

function updateOf(resource: string, code: string, detail: string, fields: Change['fields']): Change {
  return { resource, kind: 'group', actions: ['update'], reason: { code, detail }, fields };
}
