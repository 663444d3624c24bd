import { PgherdError } from '../../base/error.ts';
import { slotName } from '../../postgres/config.ts';
import type { FenceCause } from '../../postgres/layout.ts';
import type { ActionContext } from '../actions.ts';
import { writeFolder, type Placed } from './node-actions.ts';
import { readySeconds, runScript, runSql } from './inside-node.ts';

export type LeadershipAction =
  /** A server that leads is stopped for good: it cannot come back as it is, whoever starts it. */
  | {
      readonly do: 'fence';
      readonly node: Placed;
      readonly image: string;
      readonly name: string;
      /** Seconds for an orderly shutdown; undefined: it is killed. */
      readonly stopSeconds: number | undefined;
      readonly cause: FenceCause;
      readonly superuser: string;
    }
  /** A standby follows nobody from now on; the `loaded` link of its volume then tells how far it came. */
  | { readonly do: 'detach'; readonly node: Placed; readonly name: string }
  | {
      readonly do: 'promote';
      readonly node: Placed;
      readonly name: string;
      readonly revision: string;
      /** Slots of those who are to follow it. */
      readonly followers: readonly number[];
    }
  /** These nodes have all that the leader has written. */
  | { readonly do: 'await-caught-up'; readonly node: Placed; readonly names: readonly string[] };

type Of<K extends LeadershipAction['do']> = Extract<LeadershipAction, { do: K }>;

/** Seconds a standby may take to replay what it has. */
const detachSeconds = 30;

export const leadershipActions = {
  fence: async (action: Of<'fence'>, context: ActionContext) => {
    const { engine } = context;
    const seen = await engine.inspectContainer(action.node.container);
    if (seen !== undefined) {
      await context.verifyLock();
      if (action.stopSeconds !== undefined && seen.state === 'running') {
        // A shutdown waits for its checkpoint, and sessions are cut meanwhile: what can be written before is.
        await runSql(context, action.node, action.superuser, { statements: ['CHECKPOINT'] });
      }
      await context.verifyLock();
      await engine.updateContainer(seen.id, { restart: 'no' });
      if (action.stopSeconds === undefined) {
        if (seen.state !== 'exited' && seen.state !== 'created') await engine.killContainer(seen.id, 'SIGKILL');
      } else {
        await engine.stopContainer(seen.id, action.stopSeconds);
      }
      await proveDead(action, context);
    }
    await writeFolder(action.node, action.image, context, [
      { type: 'link', path: 'serves', target: `fenced.${action.cause}` },
    ]);
    // Between the proof and the mark somebody may have started it by hand.
    await proveDead(action, context);
  },
  detach: async (action: Of<'detach'>, context: ActionContext) => {
    await runScript(context, action.node, 'config/detach', [String(detachSeconds)]).catch((error: unknown) => {
      if (!(error instanceof PgherdError) || error.code !== 'node-failed') throw error;
      // Who does not answer is not waited for: whether it may be done without it, is decided next.
      throw new PgherdError('node-failed', error.message, {
        cause: error,
        remedy: `see \`docker logs ${action.name}\``,
      });
    });
  },
  promote: async (action: Of<'promote'>, context: ActionContext) => {
    await context.verifyLock();
    await runScript(context, action.node, `${action.revision}/promote`, action.followers.map(slotName));
  },
  'await-caught-up': async (action: Of<'await-caught-up'>, context: ActionContext) => {
    await runScript(context, action.node, 'config/caught-up', [String(readySeconds), ...action.names]);
  },
};

async function proveDead({ node, name }: Of<'fence'>, { engine }: ActionContext): Promise<void> {
  const container = await engine.inspectContainer(node.container);
  if (container === undefined || container.state === 'exited' || container.state === 'created') return;
  throw new PgherdError(
    'node-failed',
    `${name} is ${container.state}, and must be proven dead before anybody else leads`,
    {
      remedy: `see \`docker inspect ${container.name}\``,
      retry: true,
    },
  );
}
