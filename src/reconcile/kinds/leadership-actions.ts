import { hasCode, PgherdError } from '../../base/error.ts';
import { slotName, standbyNames, type Commits } from '../../postgres/config.ts';
import type { Container } from '../../docker/types.ts';
import { formatFence, formatHandover, type FenceCause, type Fork } from '../../postgres/layout.ts';
import type { ActionContext } from '../actions.ts';
import { proveRecorded, readRecord, type RecordSource, type Votes } from './group-record.ts';
import { writeFolder, type Placed } from './node-folder.ts';
import { runScript, runSql } from './inside-node.ts';

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
  /** One that was taken out of service may be started again as it was. */
  | {
      readonly do: 'unfence';
      readonly node: Placed;
      readonly image: string;
      /** It was never stopped: it leads still. */
      readonly runs: boolean;
    }
  /** A request of that time, and what was requested before, is over. */
  | {
      readonly do: 'end-request';
      /** Epoch milliseconds. */
      readonly at: number;
      readonly targets: readonly (Placed & { readonly image: string })[];
    }
  /** A standby follows nobody from now on; the `detached` link of its volume then tells how far it came. */
  | {
      readonly do: 'detach';
      readonly node: Placed;
      readonly name: string;
      /** That it may take. */
      readonly seconds: number;
    }
  | ({
      readonly do: 'promote';
      readonly node: Placed;
      readonly name: string;
      readonly revision: string;
      /** Slots of those who are to follow it. */
      readonly followers: readonly number[];
      /** By what is seen: the record alone says why, and a run that ends early tells nobody. */
      readonly kind: 'failover' | 'switchover';
      /** Where its predecessor ended. */
      readonly fork: Fork | undefined;
      readonly group: string;
      /** Of the record by which it leads. */
      readonly source: RecordSource;
    } & Votes)
  /** So many of these nodes have all that the leader has written. */
  | {
      readonly do: 'await-caught-up';
      readonly node: Placed;
      readonly num: number;
      readonly names: readonly string[];
      /** Whom commits are to wait for meanwhile. */
      readonly meanwhile: Commits;
      /** Seconds that it may take. */
      readonly seconds: number;
    };

/** Seconds that a promotion may take; a hung server does not hold up another one for longer. */
const promoteSeconds = 15;

type Of<K extends LeadershipAction['do']> = Extract<LeadershipAction, { do: K }>;

export const leadershipActions = {
  fence: async (action: Of<'fence'>, context: ActionContext) => {
    const { engine } = context;
    const seen = await engine.inspectContainer(action.node.container);
    if (seen === undefined) return;
    const isOrderly = action.stopSeconds !== undefined && seen.state === 'running';
    // A shutdown waits for its checkpoint, and sessions are cut meanwhile: what can be written before is.
    if (isOrderly) await runSql(context, action.node, action.superuser, { statements: ['CHECKPOINT'] });
    await engine.updateContainer(seen.id, { restart: 'no' });
    if (isOrderly) {
      // Whoever takes over must have at least this, and its leader's last word.
      const lsn = await readLsn(action, context);
      await mark(action, lsn, context);
      await stop(action, seen.id, action.stopSeconds, context);
      await proveDead(action, context);
      return;
    }
    await kill(seen, context);
    await proveDead(action, context);
    await mark(action, undefined, context);
    // Between the proof and the mark somebody may have started it by hand.
    await proveDead(action, context);
  },
  unfence: async ({ node, image, runs }: Of<'unfence'>, context: ActionContext) => {
    await writeFolder(node, image, context, [{ type: 'link', path: 'serves', target: runs ? 'lead' : 'ended' }]);
  },
  'end-request': async ({ at, targets }: Of<'end-request'>, context: ActionContext) => {
    const target = formatHandover({ is: 'ended', at });
    await Promise.all(
      targets.map(({ image, ...node }) =>
        writeFolder(node, image, context, [{ type: 'link', path: 'handover', target }]),
      ),
    );
  },
  detach: async (action: Of<'detach'>, context: ActionContext) => {
    await runScript(context, action.node, 'config/detach', [String(action.seconds)]).catch((error: unknown) => {
      const isOfEngine = hasCode(
        error,
        'engine-unreachable',
        'engine-permission',
        'interrupted',
        'lock-lost',
        'reply-lost',
      );
      if (!(error instanceof PgherdError) || isOfEngine) throw error;
      // Who does not answer is not waited for: whether it may be done without it, is decided next.
      throw new PgherdError('node-failed', error.message, {
        cause: error,
        remedy: `see \`docker logs ${action.name}\``,
      });
    });
  },
  promote: async (action: Of<'promote'>, context: ActionContext) => {
    const { timeline = 0 } = await readRecord(action.group, action.source, context);
    await proveRecorded(action.name, action.source.record, action, context);
    await runScript(context, action.node, `${action.revision}/promote`, [
      String(promoteSeconds),
      String(timeline),
      ...action.followers.map(slotName),
    ]);
  },
  'await-caught-up': async (action: Of<'await-caught-up'>, context: ActionContext) => {
    await runScript(context, action.node, 'config/caught-up', [
      String(action.seconds),
      String(action.num),
      standbyNames(action.meanwhile),
      ...action.names,
    ]);
  },
};

/** Nothing of it runs: `dead` is one that the engine could not remove whole. */
export function isDead(state: Container['state']): boolean {
  return state === 'exited' || state === 'created' || state === 'dead';
}

async function mark(
  { node, image, cause }: Of<'fence'>,
  lsn: number | undefined,
  context: ActionContext,
): Promise<void> {
  await writeFolder(node, image, context, [{ type: 'link', path: 'serves', target: formatFence(cause, lsn) }]);
}

async function readLsn({ node, superuser }: Of<'fence'>, context: ActionContext): Promise<number | undefined> {
  const statements = ["SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"];
  const said = await runSql(context, node, superuser, { statements });
  return /^\d+$/.test(said) ? Number(said) : undefined;
}

// One that ends or waits for its next start at this moment is stopped; whether it is dead then, is proven apart.
async function kill({ id, state }: Container, { engine }: ActionContext): Promise<void> {
  if (isDead(state)) return;
  await engine.killContainer(id, 'SIGKILL').catch(async (error: unknown) => {
    if (!hasCode(error, 'not-running')) throw error;
    await engine.stopContainer(id, 0);
  });
}

/**
 * Has the server end in order. One that has written its shutdown checkpoint and sends nothing any more may be kept by an
 * archive_command that hangs, or by somebody who takes nothing: it is killed then, and says in its log what kept it.
 */
async function stop({ node }: Of<'fence'>, id: string, seconds: number, context: ActionContext): Promise<void> {
  const { engine } = context;
  const command = ['sh', `${node.layout.home}/config/shutdown`, String(seconds)];
  const watch = engine
    .exec(id, { command, deadline: (seconds + 10) * 1000 })
    .then(({ code }) => code === 0)
    // It ends with the container.
    .catch((error: unknown) => {
      if (error instanceof PgherdError) return false;
      throw error;
    });
  const kept = watch.then(async (isKept) => {
    const left = isKept ? await engine.inspectContainer(id) : undefined;
    if (left !== undefined) await kill(left, context);
  });
  await Promise.all([engine.stopContainer(id, seconds), kept]);
}

async function proveDead({ node, name }: Of<'fence'>, { engine }: ActionContext): Promise<void> {
  const container = await engine.inspectContainer(node.container);
  if (container === undefined || isDead(container.state)) return;
  throw new PgherdError(
    'node-failed',
    `${name} is ${container.state}, and must be proven dead before anybody else leads`,
    {
      remedy: `see \`docker inspect ${container.name}\``,
      retry: true,
    },
  );
}
