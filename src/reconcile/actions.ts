import type { Engine } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import { balancerActions, type BalancerAction } from './kinds/balancer-actions.ts';
import { containerActions, type ContainerAction } from './kinds/container.ts';
import { leadershipActions, type LeadershipAction } from './kinds/leadership-actions.ts';
import { networkActions, type NetworkAction } from './kinds/network.ts';
import { nodeActions, type NodeAction } from './kinds/node-actions.ts';
import type { Owners } from './kinds/node-folder.ts';
import { volumeActions, type VolumeAction } from './kinds/volume.ts';

/** Everything a step may do. A new kind of resource adds one line here and one below. */
export type Action = NetworkAction | VolumeAction | ContainerAction | NodeAction | LeadershipAction | BalancerAction;

/** What an action works with. */
export type ActionContext = {
  /** What changes something through it asks `verifyLock` right before. */
  readonly engine: Engine;
  readonly cluster: string;
  /** Throws where the lock of the cluster is lost. */
  readonly verifyLock: () => Promise<void>;
  /**
   * The number of this holder of the lock: nodes that have seen a higher one refuse what it instructs them to do. Undefined
   * while nothing but looking is done.
   */
  readonly epoch: () => number | undefined;
  /** The records of the groups as last written or read, by group. */
  readonly records: Map<string, GroupRecord>;
  /** The same of earlier runs: good where a volume still has a record of that name. */
  readonly remembered: Map<string, GroupRecord>;
  /** The password the file gives a group's superuser; undefined: pgherd makes one. */
  readonly passwordOf: (group: string) => string | undefined;
  readonly readFile: (path: string) => Promise<Buffer>;
  /** Calls off waits, never what changes something. */
  readonly signal: AbortSignal;
  readonly randomBytes: (size: number) => Buffer;
  readonly owners: Owners;
};

type Names = Action['do'];
type Actions = { readonly [K in Names]: (action: Extract<Action, { do: K }>, context: ActionContext) => Promise<void> };

const actions: Actions = {
  ...networkActions,
  ...volumeActions,
  ...containerActions,
  ...nodeActions,
  ...leadershipActions,
  ...balancerActions,
};

/** Does what a step says. */
export async function act(action: Action, context: ActionContext): Promise<void> {
  const run = actions[action.do] as (action: Action, context: ActionContext) => Promise<void>;
  await run(action, context);
}
