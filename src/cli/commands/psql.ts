import { PgherdError } from '../../base/error.ts';
import { sqlPort } from '../../balancer/config.ts';
import { layoutOf } from '../../postgres/layout.ts';
import { serverPort } from '../../postgres/config.ts';
import { findGroup, findServer, type FoundGroup, type Server } from '../../reconcile/find.ts';
import { findOnEngine } from '../find-on-engine.ts';
import { runInside, type Task } from '../inside/run-inside.ts';
import { isTerminal } from '../inside/stdio.ts';
import type { Output } from '../output.ts';
import { connect, type GlobalOptions } from '../session.ts';

export type PsqlFlags = GlobalOptions & { readonly cluster?: string; readonly node?: string };

/** psql from the image of a node, in its container: neither it nor the password is needed here. */
export async function psql(
  group: string | undefined,
  args: readonly string[],
  flags: PsqlFlags,
  output: Output,
): Promise<number> {
  const engine = await connect(flags, output);
  const { node, cluster } = flags;
  const place =
    node === undefined
      ? throughBalancer(await findOnEngine(engine, (servers) => findGroup(servers, group, cluster)))
      : straightTo(await findOnEngine(engine, (servers) => findServer(servers, node, cluster)), group);
  const terminal = isTerminal();
  return runInside(engine, {
    container: place.node.container.id,
    command: ['psql', ...args],
    user: 'postgres',
    env: { ...place.env, ...environment(terminal) },
    terminal,
    psql: place.psql,
  });
}

type Place = {
  /** Where psql runs. */
  readonly node: Server;
  readonly env: Readonly<Record<string, string>>;
  readonly psql: NonNullable<Task['psql']>;
};

function straightTo(node: Server, group: string | undefined): Place {
  const { name, cluster } = node;
  if (node.kind === 'balancer') {
    throw new PgherdError('not-found', `${name} is a balancer, and --node goes straight to a server`, {
      remedy: `leave --node out to go through the balancer: \`pgherd psql ${name}\``,
    });
  }
  if (group !== undefined && group !== node.group) {
    throw new PgherdError('not-found', `${name} is of group ${node.group}, not of ${group}`, {
      remedy: `leave the group out: \`pgherd psql --node ${name}\``,
    });
  }
  if (node.container.state !== 'running') {
    throw new PgherdError('not-running', `${name} of cluster ${cluster} does not run (${node.container.state})`, {
      remedy: `see \`pgherd status\` and \`pgherd logs ${name}\``,
    });
  }
  const env = { PGHOST: '/var/run/postgresql', PGPORT: String(serverPort) };
  return { node, env, psql: { home: homeOf(node) } };
}

function throughBalancer(group: FoundGroup): Place {
  const { balancer, name } = group;
  const node = chooseNode(group);
  if (node === undefined) {
    const states = group.nodes.map((each) => `${each.name} is ${each.container.state}`).join(', ');
    throw new PgherdError('not-running', `no server of group ${name} runs: ${states || 'there is none'}`, {
      remedy: 'see `pgherd status`; `pgherd reconcile --once` brings them up',
    });
  }
  if (balancer?.container.state !== 'running') {
    const state = balancer?.container.state ?? 'gone';
    throw new PgherdError('not-running', `the balancer of group ${name} does not run (${state})`, {
      remedy: `go straight to a server with \`pgherd psql --node ${node.name}\`; \`pgherd reconcile --once\` mends it`,
    });
  }
  const address = addressOf(balancer, node);
  const env = { PGHOST: address, PGPORT: String(sqlPort) };
  return { node, env, psql: { home: homeOf(node), through: { address, port: sqlPort } } };
}

// psql outlives a change of leaders where it does not run beside the leader: that is slot 0 as a rule.
function chooseNode({ nodes }: FoundGroup): Server | undefined {
  const running = nodes.filter(({ container }) => container.state === 'running').toReversed();
  const isWell = ({ container }: Server): boolean =>
    container.health.status !== 'unhealthy' && container.isBusy !== true;
  return running.find(isWell) ?? running[0];
}

// Its name, where the engine chose the address.
function addressOf(balancer: Server, node: Server): string {
  const common = Object.entries(balancer.container.networks).filter(([network]) => network in node.container.networks);
  return common.map(([, { address }]) => address).find((each) => each !== undefined) ?? balancer.container.name;
}

function homeOf({ container }: Server): string {
  return layoutOf(container.volumes.map(({ target }) => target)).home;
}

/** Variables, which every argument of psql's own goes before. */
function environment(terminal: boolean): Readonly<Record<string, string>> {
  // The container's root is read-only: there is no place for a history.
  const common = { PGCONNECT_TIMEOUT: '15', PSQL_HISTORY: '/dev/null' };
  if (!terminal) return common;
  return { ...common, TERM: process.env['TERM'] ?? 'xterm', PGCLIENTENCODING: 'UTF8', LC_CTYPE: 'C.UTF-8' };
}
