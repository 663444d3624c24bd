import { suggest } from '../base/suggest.ts';
import { describeClash, findClashes, listClaims } from './claims.ts';
import type { Issue } from './diagnostic.ts';
import { fieldPaths } from './fields.gen.ts';
import type { Group, Node } from './model.ts';
import { formatPath, startsWithPath, type Path } from './path.ts';
import type { Resolved } from './resolve.ts';
import { checkNetwork } from './rules-network.ts';
import { checkConnections, checkParameters } from './rules-parameters.ts';
import type { TopologyFile } from './types.gen.ts';
import { parseSize } from './units.ts';

/** Docker refuses less. https://docs.docker.com/engine/containers/resource_constraints/ */
const leastMemory = 6 * 2 ** 20;

/**
 * What a schema cannot say, within one file. `removed` are the paths that the schema has reported already: nothing is
 * said about what follows from them.
 */
export function checkRules(raw: TopologyFile, resolved: Resolved, removed: readonly Path[]): Issue[] {
  const clashes = findClashes(listClaims(resolved)).map((clash) => describeClash(clash, formatPath(clash.first.path)));
  const issues = [
    ...clashes,
    ...checkNetwork(
      resolved,
      removed.some((path) => startsWithPath(['network', 'subnet'], path)),
    ),
    ...checkParameters(raw),
    ...checkConnections(raw, resolved),
    ...checkNames(resolved),
    ...checkMemory(raw),
    ...checkHba(raw),
    ...checkQuorum(raw, resolved),
    ...checkIgnored(raw),
  ];
  return issues.filter(({ path }) => !removed.some((gone) => gone.length > 0 && startsWithPath(path, gone)));
}

/** Names that pgherd or the host's own conventions have a use for, and names too long for a host name. */
function checkNames({ topology, origins }: Resolved): Issue[] {
  const issues: Issue[] = [];
  const refuse = (path: Path, message: string, hint: string) =>
    issues.push({ path, at: 'value', code: 'name', message, hint });
  for (const group of topology.groups) {
    for (const node of group.nodes) {
      const path = [...pathOf(origins, node), 'host'];
      if (/^(reader[0-9]+|localhost|pgherd.*)$/i.test(node.name)) {
        refuse(
          path,
          `${JSON.stringify(node.name)} is a name that pgherd uses itself`,
          'choose another, such as primary1',
        );
      }
    }
    for (const part of [group.balancer, ...group.nodes]) {
      const path = [...pathOf(origins, part), 'container_name'];
      const name = part.containerName;
      if (name.startsWith('pgherd-lock-')) refuse(path, 'pgherd-lock-… is the name of a lock', 'choose another');
      if (name.length > 63) {
        refuse(
          path,
          `the container name "${name}" has ${name.length} characters, 63 at most work as a host name`,
          'give a shorter container_name',
        );
      }
    }
  }
  return issues;
}

function pathOf(origins: Resolved['origins'], part: Node | Group | Group['balancer']): Path {
  return origins.get(part) ?? [];
}

function checkMemory(raw: TopologyFile): Issue[] {
  return listSettings(raw).flatMap(({ path, settings }): Issue[] => {
    const { memory } = settings;
    if (memory === undefined || parseSize(memory) >= leastMemory) return [];
    const message = `expected at least 6MB, got ${JSON.stringify(String(memory))}`;
    return [
      { path: [...path, 'memory'], at: 'value', code: 'memory', message, hint: 'a number without a unit is bytes' },
    ];
  });
}

/** https://www.postgresql.org/docs/current/auth-pg-hba-conf.html */
function checkHba(raw: TopologyFile): Issue[] {
  return listSettings(raw).flatMap(({ path, settings }) =>
    (settings.hba ?? []).flatMap((line, index): Issue[] => {
      const words = splitHba(line);
      const at = [...path, 'hba', index];
      if (words.length < (words[0] === 'local' ? 4 : 5)) {
        const message = `a line of pg_hba.conf needs ${words[0] === 'local' ? 'database, user and method' : 'database, user, address and method'}`;
        return [{ path: at, at: 'value', code: 'hba', message, hint: 'e.g. host all app 10.0.0.0/8 scram-sha-256' }];
      }
      if (words[0] === 'local' || !words.slice(4).includes('trust')) return [];
      const message = 'trust over TCP lets anyone in who reaches the port';
      return [{ path: at, at: 'value', code: 'hba', message, hint: 'use scram-sha-256' }];
    }),
  );
}

/** The fields of a line: quotes hold spaces and `#` together, a list may have spaces after its commas. */
function splitHba(line: string): string[] {
  const fields: string[] = [];
  for (const [token, word] of line.replace(/,\s+/g, ',').matchAll(/((?:"[^"]*"|[^\s"#])+)|#/g)) {
    if (token === '#') break;
    fields.push(word ?? '');
  }
  return fields;
}

function checkQuorum(raw: TopologyFile, { topology, origins }: Resolved): Issue[] {
  return topology.groups.flatMap((group, index): Issue[] => {
    const { mode, syncReplicas } = group.replication;
    const replicas = group.nodes.length - 1;
    if (mode !== 'quorum' || syncReplicas <= replicas) return [];
    const own = raw.balancers[index]?.replication;
    const key =
      own?.sync_replicas !== undefined || raw.replication?.sync_replicas !== undefined ? 'sync_replicas' : 'mode';
    const path = own?.[key] === undefined ? ['replication', key] : [...(origins.get(group) ?? []), 'replication', key];
    const message = `commits in ${group.name} would wait for ever: sync_replicas ${syncReplicas}, replicas ${replicas}`;
    return [{ path, at: 'value', code: 'quorum', message, hint: 'lower sync_replicas, or add replicas' }];
  });
}

function checkIgnored(raw: TopologyFile): Issue[] {
  return (raw.ignore_changes ?? []).flatMap((ignored, index): Issue[] => {
    const field = ignored.replace(/\[[^\]]*\]/g, '[]').replace(/\[\]$/, '');
    if (fieldPaths.includes(field) || /(^|\.)(parameters|config)\.[^[\]]+$/.test(field)) return [];
    const near = suggest(field, fieldPaths);
    const hint =
      near === undefined
        ? 'e.g. balancers[0].primary.memory, or balancers[*].replicas[*].memory'
        : `did you mean "${near.replaceAll('[]', '[*]')}"?`;
    return [
      {
        path: ['ignore_changes', index],
        at: 'value',
        code: 'ignore-changes',
        message: `there is no field ${ignored}`,
        hint,
      },
    ];
  });
}

type Settings = { readonly memory?: number | string | undefined; readonly hba?: readonly string[] | undefined };

/** Every place in the file where a node or balancer is given settings. */
function listSettings(raw: TopologyFile): { path: Path; settings: Settings }[] {
  const groups = raw.balancers.flatMap((balancer, index) => {
    const path = ['balancers', index];
    const replicas = Array.isArray(balancer.replicas) ? balancer.replicas : [];
    return [
      { path, settings: { memory: balancer.memory } },
      { path: [...path, 'postgres'], settings: balancer.postgres ?? {} },
      { path: [...path, 'primary'], settings: balancer.primary ?? {} },
      ...replicas.map((settings, at) => ({ path: [...path, 'replicas', at], settings })),
    ];
  });
  return [{ path: ['postgres'], settings: raw.postgres ?? {} }, ...groups];
}
