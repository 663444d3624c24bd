import { PgherdError } from '../../base/error.ts';
import { findGroup } from '../../reconcile/find.ts';
import { observe } from '../../reconcile/observe.ts';
import type { ObservedNode } from '../../reconcile/snapshot.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { findOnEngine } from '../find-on-engine.ts';
import type { Output } from '../output.ts';
import { connect, type GlobalOptions } from '../session.ts';
import type { OperatorEngine } from '../../docker/operator.ts';

export type PasswordFlags = GlobalOptions & { readonly cluster?: string };

/** Prints the superuser's password, and nothing else. */
export async function show(group: string | undefined, flags: PasswordFlags, output: Output): Promise<ExitCode> {
  const engine = await connect(flags, output);
  const { cluster, name, holder } = await findHolder(engine, group, flags);
  const [user, password] = await Promise.all([
    readOne(engine, holder, 'config/superuser'),
    readOne(engine, holder, 'secrets/superuser'),
  ]);
  const json = { cluster, group: name, user, password };
  if (output.format === 'json') output.print(JSON.stringify(json));
  else output.printExactly(password);
  return exitCodes.done;
}

/** Prints where the superuser's password stands, as `docker cp` takes it. */
export async function path(group: string | undefined, flags: PasswordFlags, output: Output): Promise<ExitCode> {
  const engine = await connect(flags, output);
  const { cluster, name, holder } = await findHolder(engine, group, flags);
  const container = holder.container.name;
  const file = `${holder.layout.home}/secrets/superuser`;
  const json = { cluster, group: name, container, path: file, volume: holder.volume };
  output.print(output.format === 'json' ? JSON.stringify(json) : `${container}:${file}`);
  return exitCodes.done;
}

type Found = { readonly cluster: string; readonly name: string; readonly holder: ObservedNode };

/** A node whose volume holds the newest passwords of its group; it need not run. */
async function findHolder(engine: OperatorEngine, group: string | undefined, flags: PasswordFlags): Promise<Found> {
  const { cluster, name } = await findOnEngine(engine, (servers) => findGroup(servers, group, flags.cluster));
  const { nodes } = await observe(engine, cluster, undefined);
  const versionOf = ({ facts }: ObservedNode): number => facts.secrets?.version ?? 0;
  const [holder] = nodes
    .filter((node) => node.group === name && node.facts.secrets !== undefined)
    .toSorted((a, b) => versionOf(b) - versionOf(a));
  if (holder !== undefined) return { cluster, name, holder };
  throw new PgherdError('secret-missing', `no container of group ${name} has a volume with its passwords`, {
    remedy: 'see `pgherd status`; they are made with the group, by `pgherd reconcile --once`',
  });
}

async function readOne(engine: OperatorEngine, { container, layout }: ObservedNode, file: string): Promise<string> {
  const files = await engine.readArchive(container.id, `${layout.home}/${file}`);
  const [content] = files?.values() ?? [];
  if (content !== undefined) return content.replace(/\n$/, '');
  throw new PgherdError('secret-missing', `${container.name} has no ${layout.home}/${file}`, {
    remedy: 'see `pgherd status`: it may be put in place just now',
    retry: true,
  });
}
