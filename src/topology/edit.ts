import { isDeepStrictEqual } from 'node:util';
import { addTo } from './edit-add.ts';
import { findPlace, asRecord, type EditContext, type Place } from './edit-place.ts';
import { Refusal, type Refused } from './edit-refusal.ts';
import { removeFrom } from './edit-remove.ts';
import type { Change } from './edit-slots.ts';
import { applySplices } from './edit-source.ts';
import type { Topology } from './model.ts';
import { readTopology } from './parse.ts';
import { toValue } from './tree.ts';

export type { EditContext } from './edit-place.ts';
export type { Refused } from './edit-refusal.ts';

/** A file with other replicas, everything else in it byte for byte as it was. */
export type Edited = {
  readonly text: string;
  readonly topology: Topology;
  /** Names of nodes. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
};

export type EditResult = Edited | { readonly refused: Refused };

/**
 * Adds replicas to a group. A number grows; to a list comes an entry with the keys of the last one, written as that is:
 * `node_id` is above all others, names, addresses and ports go on from the siblings' and clash with nothing, other keys
 * are copied.
 */
export function addReplicas(text: string, group: string, count: number, context: EditContext): EditResult {
  return edit(text, (plain) => {
    let edited: Edited | undefined;
    const added: string[] = [];
    while (edited === undefined || added.length < count) {
      const place: Place = findPlace(edited?.text ?? plain, group, context);
      edited = complete(place, addTo(place, count - added.length, context), context);
      added.push(...edited.added);
    }
    return { ...edited, added };
  });
}

/**
 * Removes a replica from a group; all others keep their slots. A number shrinks where the last one goes, and else becomes
 * a list of those that stay.
 */
export function removeReplica(text: string, group: string, slot: number, context: EditContext): EditResult {
  return edit(text, (plain) => {
    const place = findPlace(plain, group, context);
    return complete(place, removeFrom(place, slot), context);
  });
}

function edit(text: string, run: (plain: string) => Edited): EditResult {
  const mark = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  try {
    const edited = run(text.slice(mark.length));
    return { ...edited, text: mark + edited.text };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.refused };
    throw error;
  }
}

/** Makes the change, and finds that it is the one that was meant and leaves a sound file. */
function complete(place: Place, { splices, replicas }: Change, { file, env, cwd }: EditContext): Edited {
  const text = applySplices(place.source.text, splices);
  const { content, diagnostics } = readTopology(text, file, env, cwd);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (content === undefined || errors.length > 0) {
    throw new Refusal(
      `${file} would not be valid with this change`,
      'see to what is said of it first; nothing was changed',
      errors,
    );
  }
  if (!isDeepStrictEqual(toValue(content.tree), replaceReplicas(place, replicas))) {
    throw new Refusal(
      'replicas are written in a way that cannot be edited without another change',
      'edit the file by hand',
    );
  }
  const { topology } = content.resolved;
  const namesIn = (topology: Topology): readonly string[] =>
    (topology.groups[place.index]?.nodes ?? []).map(({ name }) => name);
  const [before, after] = [namesIn(place.topology), namesIn(topology)];
  return {
    text,
    topology,
    added: after.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !after.includes(name)),
  };
}

function replaceReplicas({ value, index }: Place, replicas: unknown): unknown {
  const root = asRecord(value);
  const balancers = Array.isArray(root['balancers']) ? root['balancers'] : [];
  const edited = balancers.map((balancer, at) =>
    at === index ? { ...asRecord(balancer), replicas } : (balancer as unknown),
  );
  return { ...root, balancers: edited };
}
