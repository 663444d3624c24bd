import { suggest } from '../base/suggest.ts';
import { describeClash, findClashes, listClaims } from './claims.ts';
import type { Issue } from './diagnostic.ts';
import { fieldPaths } from './fields.gen.ts';
import type { Group, Node } from './model.ts';
import { formatPath, startsWithPath, type Path } from './path.ts';
import type { Resolved } from './resolve.ts';
import { checkHba } from './rules-hba.ts';
import { checkNetwork } from './rules-network.ts';
import { checkConnections, checkDurability, checkParameters } from './rules-parameters.ts';
import { checkSizes } from './rules-sizes.ts';
import { checkReplication } from './rules-replication.ts';
import { checkVersion } from './rules-version.ts';
import type { TopologyFile } from './types.gen.ts';

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
    ...checkDurability(raw, resolved),
    ...checkNames(resolved),
    ...checkSizes(raw),
    ...checkHba(raw),
    ...checkIgnored(raw),
    ...checkReplication(raw),
    ...checkVersion(raw),
  ];
  return issues.filter(({ path }) => !removed.some((gone) => gone.length > 0 && startsWithPath(path, gone)));
}

/** https://docs.docker.com/engine/network/drivers/bridge/#connection-limit-for-bridge-networks */
const mostContainers = 1000;

/** Whether there are more containers than a network can hold; nothing else is asked of such a file. */
export function checkCount(raw: TopologyFile): Issue[] {
  const counts = raw.balancers.map(({ replicas = 0 }) => 2 + (Array.isArray(replicas) ? replicas.length : replicas));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= mostContainers) return [];
  const message = `${total} containers are more than the ${mostContainers} that one network holds`;
  return [{ path: ['balancers'], at: 'key', code: 'too-many-containers', message, hint: 'use several clusters' }];
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
