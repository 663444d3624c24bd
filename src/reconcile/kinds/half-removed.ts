import { labelNames } from '../names.ts';
import { step, type Change, type Step } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { resourceOf } from './find-node.ts';
import { nodeStopSeconds } from './node-spec.ts';

export type HalfRemoved = {
  /** The name of the container that is in the way. */
  readonly name: string;
  readonly change: Change;
  /** Its removal, once more. */
  readonly step: Step;
};

/** What takes away containers that the engine could not remove whole. */
export function planHalfRemoved({ halfRemoved }: Pick<Snapshot, 'halfRemoved'>): readonly HalfRemoved[] {
  return halfRemoved.map((container) => {
    const resource = resourceOf(container);
    const kind = container.labels[labelNames.kind] ?? '';
    const remove = step(resource, { do: 'remove-container', container: container.id, stopSeconds: nodeStopSeconds });
    const detail = 'the engine could not remove its container whole; its volume is kept';
    return {
      name: container.name,
      change: { resource, kind, actions: ['delete'], reason: { code: 'half-removed', detail }, fields: [] },
      // Another container of the same node may be removed in the same plan.
      step: { ...remove, id: `${remove.id} ${container.name}` },
    };
  });
}

/** Has a plan that makes such a container anew remove what is left of it before. */
export function withHalfRemoved(
  planned: { readonly changes: readonly Change[]; readonly steps: readonly Step[] },
  halfRemoved: readonly HalfRemoved[],
): { readonly changes: readonly Change[]; readonly steps: readonly Step[] } {
  const isMade = ({ change }: HalfRemoved): boolean =>
    planned.changes.some(({ resource, actions }) => resource === change.resource && actions.includes('create'));
  const changes = planned.changes.map((each): Change => {
    const half = halfRemoved.find(({ change }) => change.resource === each.resource && each.actions.includes('create'));
    return half === undefined ? each : { ...each, actions: ['delete', 'create'], reason: half.change.reason };
  });
  const steps = planned.steps.map((each): Step => {
    const { action } = each;
    const half =
      action.do === 'create-container' ? halfRemoved.find(({ name }) => name === action.spec.name) : undefined;
    return half === undefined ? each : { ...each, after: [...each.after, half.step.id] };
  });
  return {
    changes: [...halfRemoved.filter((each) => !isMade(each)).map(({ change }) => change), ...changes],
    steps: [...halfRemoved.map((half) => half.step), ...steps],
  };
}
