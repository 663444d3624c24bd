import { PgherdError } from '../../base/error.ts';
import { balancerEntries, balancerRevision, home, hostsScript, readersLink } from '../../balancer/revision.ts';
import type { BalancerConfig } from '../../balancer/config.ts';
import { monitorRole } from '../../postgres/config.ts';
import type { ActionContext } from '../actions.ts';
import { readRecord, type RecordSource } from './group-record.ts';
import { ownerOf } from './node-folder.ts';

export type BalancerAction =
  | {
      readonly do: 'write-balancer';
      readonly group: string;
      readonly container: string;
      readonly image: string;
      readonly user: string;
      readonly config: BalancerConfig;
      readonly superuser: string;
      readonly secretsName: string;
      readonly source: RecordSource;
    }
  | {
      readonly do: 'write-readers';
      readonly container: string;
      /** Lines of a hosts file. */
      readonly lines: string;
      /** Names the lines; the `readers` link tells it afterwards, with the run of the container it counts for. */
      readonly name: string;
    }
  | { readonly do: 'await-balancer'; readonly container: string };

type Of<K extends BalancerAction['do']> = Extract<BalancerAction, { do: K }>;

/** Seconds a balancer may take until it answers. */
const readySeconds = 60;

/** Docker resets the hosts file at every start, so what was written counts for one run only. */
export function readersMarker(name: string, startedAt: number): string {
  return `readers.${name}.${String(startedAt)}`;
}

export const balancerActions = {
  'write-balancer': async (action: Of<'write-balancer'>, context: ActionContext) => {
    const { secrets } = await readRecord(action.group, action.source, context);
    const owner = await ownerOf(context, action.container, action.image, action.user);
    const revision = balancerRevision(action.config, action.secretsName);
    const entries = balancerEntries(revision, {
      superuser: { name: action.superuser, password: secrets.superuser },
      monitor: { name: monitorRole, password: secrets.monitor },
    });
    await context.engine.writeArchive(action.container, '/etc', entries, owner);
  },
  'write-readers': async (action: Of<'write-readers'>, context: ActionContext) => {
    const container = await context.engine.inspectContainer(action.container);
    const marker = readersMarker(action.name, container?.startedAt ?? 0);
    const result = await context.engine.exec(action.container, {
      command: ['sh', '-c', hostsScript, 'hosts', action.lines, readersLink, marker],
      user: '0:0',
    });
    if (result.code === 0) return;
    throw new PgherdError('node-failed', `${action.container}: its hosts file: ${result.stderr.trim()}`, {
      retry: true,
    });
  },
  'await-balancer': async ({ container }: Of<'await-balancer'>, context: ActionContext) => {
    const result = await context.engine.exec(container, {
      command: ['sh', `${home}/config/await`, String(readySeconds)],
      deadline: (readySeconds + 30) * 1000,
      signal: context.signal,
    });
    if (result.code === 0) return;
    const log = (await context.engine.readLogs(container, 3).catch(() => '')).trim().split('\n').join('; ');
    const said = result.stderr.trim() || log;
    throw new PgherdError('node-failed', `the balancer ${container} does not answer: ${said}`, {
      remedy: `see \`docker logs ${container}\``,
      retry: true,
    });
  },
};
