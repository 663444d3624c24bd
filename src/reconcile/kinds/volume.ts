import { PgherdError } from '../../base/error.ts';
import type { ActionContext } from '../actions.ts';
import { formatLabels, labelNames, volumeName } from '../names.ts';

export type VolumeAction =
  | { readonly do: 'create-volume'; readonly name: string; readonly labels: Readonly<Record<string, string>> }
  | { readonly do: 'remove-volume'; readonly name: string };

export function createVolume(cluster: string, group: string, slot: number, generation: number): VolumeAction {
  return {
    do: 'create-volume',
    name: volumeName(cluster, group, slot, generation),
    labels: formatLabels({ cluster, kind: 'volume', group, slot }),
  };
}

export const volumeActions = {
  'create-volume': async (action: Extract<VolumeAction, { do: 'create-volume' }>, { engine }: ActionContext) => {
    // The engine answers 'created' for a name that exists, so the labels tell whose it is.
    const volume = await engine.createVolume(action.name, action.labels);
    if (volume.labels[labelNames.cluster] === action.labels[labelNames.cluster]) return;
    throw new PgherdError('name-taken', `the volume ${action.name} exists and is not pgherd's`, {
      remedy: `rename it, or remove it with \`docker volume rm ${action.name}\` if nobody needs it`,
    });
  },
  'remove-volume': async (action: Extract<VolumeAction, { do: 'remove-volume' }>, context: ActionContext) => {
    const volume = await context.engine.inspectVolume(action.name);
    if (volume === undefined) return;
    if (volume.labels[labelNames.cluster] !== context.cluster) {
      throw new PgherdError('name-taken', `the volume ${action.name} is not pgherd's: not removing it`, {
        remedy: 'remove it by hand if nobody needs it; the node it had belonged to is out of the file already',
      });
    }
    await context.verifyLock();
    await context.engine.removeVolume(action.name);
  },
};
