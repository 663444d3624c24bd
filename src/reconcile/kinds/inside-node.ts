import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError, PgherdError } from '../../base/error.ts';
import type { Container } from '../../docker/types.ts';
import { serverProgram } from '../../postgres/scripts.ts';
import type { ActionContext } from '../actions.ts';
import type { Placed } from './node-folder.ts';

/** The exit code of the script that has a server load its configuration where the server would not take it. */
const refusedConfig = 78;

/** The same, where the server goes on with its settings of before, and has loaded all else. */
const keptConfig = 79;

/** The exit code of the bootstrap script where an init script failed. */
const initScriptFailed = 65;

/** The exit code of scripts that refuse since a later holder of the lock has been there. */
const superseded = 75;

/** Milliseconds that init scripts may take together; where the server ends before, so does the wait. */
const bootstrapDeadline = 24 * 3600 * 1000;

/** Seconds a server may take to answer before a step counts as failed; crash recovery and clones take longer, and are waited for again. */
export const readySeconds = 120;

/** Seconds that one which is to take a reload may take to take connections. */
export const upSeconds = 10;

/** Milliseconds that a reload may take, of a second or less: others wait for those that do not freeze just then. */
const reloadDeadline = 15_000;

/** Milliseconds that the engine may take to begin and end a script which keeps its seconds to itself. */
const ownTimeMargin = 1500;

/** The same of one that begins no question after its seconds, and may wait for the answer to its last. */
const questionMargin = 12_000;

/** Milliseconds that a health check may take: its questions have bounds of their own. */
const healthDeadline = 15_000;

/** Milliseconds between two questions beside a script that asks often. */
const askPause = 5000;

/** What psql is to run: arguments, which are whole or not there, or an input that no process list shows. */
type Sql = { readonly statements: readonly string[] } | { readonly input: string };

/**
 * Runs SQL in a node's server as the superuser, and gives what it printed; throws with what the server said. A server that
 * hangs answers nothing: the wait is called off when the cluster changes, so whatever is run can be run again.
 */
export async function runSql(context: ActionContext, node: Placed, superuser: string, sql: Sql): Promise<string> {
  const command = serverProgram(
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    '/var/run/postgresql',
    '-U',
    superuser,
    '-d',
    'postgres',
    ...('statements' in sql ? sql.statements.flatMap((statement) => ['-c', statement]) : []),
  );
  const result = await context.engine.exec(node.container, {
    // Nothing that pgherd writes waits for a replica: the replica may wait for it.
    command: ['env', 'PGOPTIONS=-c synchronous_commit=local -c statement_timeout=0', ...command],
    ...('input' in sql ? { input: sql.input } : {}),
    signal: context.signal,
  });
  if (result.code !== 0) throw await explain(context, node.container, 'SQL', result.stderr);
  return result.stdout.trim();
}

/** Runs a script of the node's revision folder, and gives what it printed. */
export async function runScript(
  context: ActionContext,
  node: Placed,
  script: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const result = await context.engine.exec(node.container, {
    command: [...underEpoch(context), 'sh', `${node.layout.home}/${script}`, ...args],
    deadline: deadlineOf(script, args),
    ...(/\/(?:await|caught-up|health)$/.test(script) ? { signal: context.signal } : {}),
    ...(input === undefined ? {} : { input }),
  });
  if (result.code === 0) return result.stdout.trim();
  if (script.endsWith('/apply') && (result.code === refusedConfig || result.code === keptConfig)) {
    const { name = node.container } = (await context.engine.inspectContainer(node.container)) ?? {};
    const said = result.stderr.trim().replace(/^pgherd apply: /, '');
    const retry = result.code === keptConfig;
    throw new PgherdError('node-failed', `${name}: ${said}`, { remedy: 'put it right in the file', retry });
  }
  if (result.code === superseded) throw await explainSuperseded(context, result.stderr);
  throw await explain(
    context,
    node.container,
    script.split('/').at(-1) ?? script,
    result.stderr,
    script === 'config/bootstrap' && result.code === initScriptFailed,
  );
}

/**
 * Waits until a node's server is ready, by the scripts of this folder: one asks often and ends when it is; another asks now
 * and then, since the first may hang, or the engine not tell its end, and others wait for it. `pause`: milliseconds between
 * two such questions.
 */
export async function awaitReady(
  context: ActionContext,
  node: Placed,
  folder: string,
  pause = askPause,
): Promise<void> {
  const [isReady, isOver] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([context.signal, isReady.signal]);
  const wait = runScript({ ...context, signal }, node, `${folder}/await`, [String(readySeconds)])
    .catch((error: unknown) => {
      if (!isReady.signal.aborted || !(error instanceof PgherdError)) throw error;
    })
    .finally(() => {
      isOver.abort(new InterruptedError('the wait is over'));
    });
  const asks = async (): Promise<void> => {
    while (!isReady.signal.aborted && (await passes(pause, isOver.signal))) {
      const said = runScript({ ...context, signal: isOver.signal }, node, `${folder}/health`, []);
      await said.then(
        () => {
          isReady.abort(new InterruptedError('it is ready'));
        },
        (error: unknown) => {
          if (!(error instanceof PgherdError)) throw error;
        },
      );
    }
  };
  await Promise.all([wait, asks()]);
}

/** Whether so many milliseconds pass before the signal. */
async function passes(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}

// Scripts refuse what an earlier holder of the lock instructs.
function underEpoch(context: ActionContext): readonly string[] {
  const epoch = context.epoch();
  return epoch === undefined ? [] : ['env', `PGHERD_EPOCH=${String(epoch)}`];
}

// Where the lock is still held, what the node has seen is claimed again, and the step planned anew.
async function explainSuperseded(context: ActionContext, said: string): Promise<PgherdError> {
  await context.verifyLock();
  return new PgherdError('in-progress', said.trim(), { retry: true });
}

function deadlineOf(script: string, args: readonly string[]): number {
  if (script === 'config/bootstrap') return bootstrapDeadline;
  if (script.endsWith('/apply')) return reloadDeadline;
  if (script.endsWith('/health')) return healthDeadline;
  // Seconds that it keeps to itself, unless not even the shell runs: others wait for it no longer than it was to take.
  const [seconds = String(readySeconds)] = args;
  const isOnTime = /\/(?:detach|promote|caught-up)$/.test(script);
  return Number(seconds) * 1000 + (isOnTime ? ownTimeMargin : questionMargin);
}

// Where the server itself gave up, its own last words say more than those of who waited for it.
async function explain(
  context: ActionContext,
  ref: string,
  asked: string,
  said: string,
  isFinal = false,
): Promise<PgherdError> {
  const container: Container | undefined = await context.engine.inspectContainer(ref);
  const what = `${asked} in ${container?.name ?? ref}`;
  const lines = said.trim().split('\n').slice(-3).join('; ');
  if (container?.state === 'running' && container.restartCount === 0) {
    if (!isFinal)
      return new PgherdError(codeOf(lines), `${what}: ${lines || 'its container ended meanwhile'}`, { retry: true });
    return new PgherdError('node-failed', `${what}: an init script failed: ${lines}`, {
      remedy: 'mend the script and run the command again: the group then begins anew, in a new volume',
    });
  }
  // One that is being removed has no log any more.
  const log = (await context.engine.readLogs(ref, 5).catch(() => '')).trim().split('\n').join('; ');
  const code = codeOf(log || lines);
  return new PgherdError(code, `${what}: the server ended (${container?.state ?? 'gone'}): ${log || lines}`, {
    ...(code === 'node-failed' ? { remedy: `see \`docker logs ${container?.name ?? ref}\`` } : {}),
    retry: true,
  });
}

/** What the words of a server or of its scripts mean: PostgreSQL ends them with those of the operating system. */
export function codeOf(said: string): 'no-space' | 'no-memory' | 'node-failed' {
  if (/no space left on device|disk quota exceeded/i.test(said)) return 'no-space';
  return /cannot allocate memory|could not map anonymous shared memory|too many open files/i.test(said)
    ? 'no-memory'
    : 'node-failed';
}
