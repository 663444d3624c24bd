import { PgherdError } from '../../base/error.ts';
import { readState } from '../../postgres/layout.ts';
import type { ActionContext } from '../actions.ts';
import { isHalfClone } from '../group.ts';
import { formatLabels, labelNames, volumeName } from '../names.ts';
import { stopForGood } from './container.ts';
import type { Placed } from './node-folder.ts';

export type VolumeAction =
  | { readonly do: 'create-volume'; readonly name: string; readonly labels: Readonly<Record<string, string>> }
  | { readonly do: 'remove-volume'; readonly name: string }
  /** A container with its volume, which holds a clone that is not whole. */
  | {
      readonly do: 'discard-clone';
      readonly node: Placed;
      readonly name: string;
      readonly stopSeconds: number;
    };

type Of<K extends VolumeAction['do']> = Extract<VolumeAction, { do: K }>;

export function createVolume(cluster: string, group: string, slot: number, generation: number): VolumeAction {
  return {
    do: 'create-volume',
    name: volumeName(cluster, group, slot, generation),
    labels: formatLabels({ cluster, kind: 'volume', group, slot }),
  };
}

export const volumeActions = {
  'create-volume': async (action: Of<'create-volume'>, { engine }: ActionContext) => {
    // The engine answers 'created' for a name that exists, so the labels tell whose it is.
    const volume = await engine.createVolume(action.name, action.labels);
    if (volume.labels[labelNames.cluster] === action.labels[labelNames.cluster]) return;
    throw new PgherdError('name-taken', `the volume ${action.name} exists and is not pgherd's`, {
      remedy: `rename it, or remove it with \`docker volume rm ${action.name}\` if nobody needs it`,
    });
  },
  'remove-volume': async ({ name }: Of<'remove-volume'>, context: ActionContext) => {
    await removeVolume(name, context);
  },
  'discard-clone': async ({ node, name, stopSeconds }: Of<'discard-clone'>, context: ActionContext) => {
    const { engine } = context;
    const container = await stopForGood(node.container, stopSeconds, context);
    // Without its container nobody can tell what the volume holds: it is kept.
    if (container?.volumes.some((mounted) => mounted.name === name) !== true) return;
    // It may have become whole since it was looked at.
    const state = readState(await engine.readLink(container.id, `${node.layout.home}/state`));
    if (!isHalfClone(state)) {
      throw new PgherdError('node-failed', `${name} holds more than a clone cut short: not removing it`, {
        retry: true,
      });
    }
    await engine.removeContainer(container.id);
    // One that the engine made up for a volume that went away meanwhile has no labels: it is not pgherd's to remove.
    const volume = await engine.inspectVolume(name);
    if (volume?.labels[labelNames.cluster] === context.cluster) await removeVolume(name, context);
  },
};

async function removeVolume(name: string, context: ActionContext): Promise<void> {
  const volume = await context.engine.inspectVolume(name);
  if (volume === undefined) return;
  if (volume.labels[labelNames.cluster] !== context.cluster) {
    throw new PgherdError('name-taken', `the volume ${name} is not pgherd's: not removing it`, {
      remedy: 'remove it by hand if nobody needs it; the node it had belonged to is out of the file already',
    });
  }
  await context.engine.removeVolume(name);
}
