import type { Budget } from './budget.ts';
import type { Issue } from './diagnostic.ts';
import { explainOwned } from './owned.ts';
import { formatPath, type Path } from './path.ts';
import type { Resolved } from './resolve.ts';
import type { PostgresParameters, TopologyFile } from './types.gen.ts';

/** One mapping of parameters in a file. */
type Layer = {
  readonly kind: 'postgres' | 'balancer';
  readonly path: Path;
  readonly parameters: PostgresParameters | undefined;
};

/** Parameters that pgherd owns, those that would break replication, and spellings of one name. */
export function checkParameters(raw: TopologyFile): Issue[] {
  return listLayers(raw).flatMap(({ kind, path, parameters }) => {
    const seen = new Map<string, string>();
    return Object.entries(parameters ?? {}).flatMap(([given, value]): Issue[] => {
      const name = given.toLowerCase();
      const at = [...path, given];
      const earlier = seen.get(name);
      seen.set(name, given);
      if (earlier !== undefined) {
        const message = `${given} and ${earlier} are the same parameter`;
        return [{ path: at, at: 'key', code: 'duplicate-parameter', message, hint: 'keep one of them' }];
      }
      const reason = explainOwned(kind, name);
      if (reason !== undefined)
        return [{ path: at, at: 'key', code: 'owned-parameter', message: `pgherd sets this itself: ${reason}` }];
      if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
        const message = 'a number this large loses digits';
        return [{ path: at, at: 'value', code: 'parameter', message, hint: 'put it in quotes' }];
      }
      return kind === 'postgres'
        ? checkPostgresValue(name, String(value), at)
        : checkBalancerValue(name, String(value), at);
    });
  });
}

function listLayers(raw: TopologyFile): Layer[] {
  const postgres = (path: Path, parameters: PostgresParameters | undefined): Layer => ({
    kind: 'postgres',
    path: [...path, 'parameters'],
    parameters,
  });
  const groups = raw.balancers.flatMap((balancer, index): Layer[] => {
    const path = ['balancers', index];
    const replicas = Array.isArray(balancer.replicas) ? balancer.replicas : [];
    return [
      { kind: 'balancer', path: [...path, 'config'], parameters: balancer.config },
      postgres([...path, 'postgres'], balancer.postgres?.parameters),
      postgres([...path, 'primary'], balancer.primary?.parameters),
      ...replicas.map((replica, at) => postgres([...path, 'replicas', at], replica.parameters)),
    ];
  });
  return [postgres(['postgres'], raw.postgres?.parameters), ...groups];
}

function checkPostgresValue(name: string, value: string, path: Path): Issue[] {
  if (name === 'wal_level' && !['replica', 'logical'].includes(value.toLowerCase())) {
    const message = `expected replica or logical, got ${JSON.stringify(value)}`;
    return [
      { path, at: 'value', code: 'parameter', message, hint: 'below "replica" there is no streaming replication' },
    ];
  }
  if (name === 'max_connections') return checkWhole(value, 1, 262_143, path);
  if (name === 'max_wal_senders' || name === 'max_replication_slots') return checkWhole(value, 1, 262_143, path);
  return [];
}

function checkBalancerValue(name: string, value: string, path: Path): Issue[] {
  if (name === 'num_init_children' || name === 'max_pool') return checkWhole(value, 1, 100_000, path);
  return [];
}

function checkWhole(value: string, least: number, most: number, path: Path): Issue[] {
  if (/^[0-9]{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most) return [];
  const message = `expected a whole number from ${least} to ${most}, got ${JSON.stringify(value)}`;
  return [{ path, at: 'value', code: 'parameter', message }];
}

const senders = ['max_wal_senders', 'max_replication_slots'] as const;
/** What a node has of each where the file does not say; a test holds it to what nodes are given. */
export const defaultSenders = 20;

/** Connections that fit, and senders and slots for every follower. */
export function checkConnections(raw: TopologyFile, { topology, budgets, origins }: Resolved): Issue[] {
  // a parameter of an outer layer is in force for several nodes, and reported once
  const issues = new Map<string, Issue>();
  for (const [index, group] of topology.groups.entries()) {
    const budget = budgets.get(group);
    if (budget === undefined) continue;
    const followers = group.nodes.length - 1;
    for (const node of group.nodes) {
      for (const name of ['max_connections', ...senders]) {
        const path = findLayer(raw, index, origins.get(node) ?? [], name);
        const value = node.parameters[name];
        if (path === undefined || value === undefined || !/^[0-9]{1,9}$/.test(value)) continue;
        const found =
          name === 'max_connections'
            ? checkMaxConnections(Number(value), budget, Number(group.nodes[0].parameters[name]))
            : checkSenders(Number(value), followers);
        if (found !== undefined) issues.set(formatPath(path), { ...found, path, at: 'value' });
      }
    }
    const open = senders.filter((name) => group.nodes.some(({ parameters }) => parameters[name] === undefined));
    const found = open.length === 0 ? undefined : checkSenders(defaultSenders, followers);
    if (found === undefined) continue;
    const path = ['balancers', index, 'replicas'];
    const message = `${open.join(' and ')} not given: ${found.message}`;
    issues.set(formatPath(path), { ...found, message, hint: 'give them under "parameters"', path, at: 'value' });
  }
  return [...issues.values()];
}

type Finding = Omit<Issue, 'path' | 'at'>;

function checkMaxConnections(value: number, budget: Budget, primary: number): Finding | undefined {
  if (value < budget.needed) {
    const message = `${value} connections are fewer than the ${budget.needed} that may be opened: ${budget.sum}`;
    const hint = `raise it to ${Math.ceil(budget.needed / 10) * 10}, or lower num_init_children or max_pool`;
    return { code: 'connection-budget', message, hint };
  }
  if (value === primary) return undefined;
  const message = `${value} differs from the ${primary} of the primary`;
  const hint = 'any node of a group may come to lead: give it once, under "postgres"';
  return { code: 'max-connections-differ', message, hint };
}

function checkSenders(value: number, followers: number): Finding | undefined {
  const needed = followers + 2;
  if (value >= needed) return undefined;
  const message = `${value} is fewer than ${needed}: ${followers} for the replicas, 2 for a clone and a rejoining node`;
  return { code: 'replication-budget', message, hint: 'raise it, or leave it out' };
}

/** Where the file gives the parameter that is in force for the node from `origin`: the innermost layer that has it. */
function findLayer(raw: TopologyFile, group: number, origin: Path, name: string): Path | undefined {
  const balancer = raw.balancers[group];
  const position = origin[3];
  const replicas = Array.isArray(balancer?.replicas) ? balancer.replicas : [];
  const own = origin[2] === 'primary' ? balancer?.primary : replicas[typeof position === 'number' ? position : -1];
  const layers: readonly (readonly [Path, PostgresParameters | undefined])[] = [
    [origin, own?.parameters],
    [['balancers', group, 'postgres'], balancer?.postgres?.parameters],
    [['postgres'], raw.postgres?.parameters],
  ];
  for (const [path, parameters] of layers) {
    const key = Object.keys(parameters ?? {}).find((given) => given.toLowerCase() === name);
    if (key !== undefined) return [...path, 'parameters', key];
  }
  return undefined;
}

/** Of which values a quorum cannot be had. Booleans may be shortened: https://www.postgresql.org/docs/current/config-setting.html */
const off = /^(?:of|off|0|f|fa|fal|fals|false|n|no)$/i;
const unsafe: Readonly<Record<string, { readonly value: RegExp; readonly why: string; readonly remedy: string }>> = {
  synchronous_commit: {
    value: /^(?:off|local|remote_write|false|no|0)$/i,
    why: 'a commit is acknowledged before a replica has it on disk',
    remedy: 'leave it out, or use on or remote_apply; a transaction that may be lost can turn it off for itself',
  },
  fsync: {
    value: off,
    why: 'what is acknowledged is not on disk, and a server that crashes may come back without it, or not at all',
    remedy: 'leave it out',
  },
  full_page_writes: {
    value: off,
    why: 'a crash of the host may tear pages that cannot be repaired from WAL',
    remedy: 'leave it out; wal_compression makes it cheaper',
  },
};

/** Parameters that break what a quorum promises; without one, those that may break the data of a node itself. */
export function checkDurability(raw: TopologyFile, { topology, origins }: Resolved): Issue[] {
  // A parameter of an outer layer is in force for several nodes, and reported once.
  const issues = new Map<string, Issue>();
  for (const [index, group] of topology.groups.entries()) {
    const isQuorum = group.replication.mode === 'quorum';
    for (const node of group.nodes) {
      for (const [name, { value, why, remedy }] of Object.entries(unsafe)) {
        const given = node.parameters[name];
        const path = findLayer(raw, index, origins.get(node) ?? [], name);
        if (path === undefined || given === undefined || !value.test(given)) continue;
        if (!isQuorum && name === 'synchronous_commit') continue;
        const key = formatPath(path);
        if (issues.get(key)?.severity === undefined && issues.has(key)) continue;
        const message = isQuorum
          ? `${given} breaks the quorum of ${group.name}: ${why}`
          : `${given} may cost data: ${why}`;
        const hint = isQuorum ? `${remedy}; or use mode: async` : remedy;
        const severity = isQuorum ? {} : ({ severity: 'warning' } as const);
        issues.set(key, { path, at: 'value', code: 'unsafe-parameter', message, hint, ...severity });
      }
    }
  }
  return [...issues.values()];
}
