import type { ClusterStatus, GroupStatus, Health } from '../../reconcile/status.ts';
import type { Paint } from '../output.ts';

const columns = ['NODE', 'ROLE', 'STATE', 'HEALTH', 'REPLICATION', 'LAG', 'ADDRESS', 'PORT', 'NOTE'] as const;

/** A cluster's status as text: one table a group, then what is amiss and what is left over. */
export function renderStatus(status: ClusterStatus, paint: Paint): string {
  const head = `${paint('bold', status.name)}: ${paintHealth(status.health, paint)}, ${status.sync}`;
  const amiss = status.conditions.filter(({ type, status: holds }) =>
    type === 'Stalled' ? holds === 'True' : holds === 'False',
  );
  return [
    head,
    ...status.groups.map((group) => renderGroup(group, paint)),
    ...amiss.map(({ type, reason, message }) => `  ${paint('yellow', '!')} ${type} (${reason}): ${message}`),
    ...(status.leftovers.length === 0 ? [] : [`  kept volumes in nobody's use: ${status.leftovers.join(', ')}`]),
    ...(status.sync === 'InSync' ? [] : [`  see \`pgherd plan\` for what \`pgherd reconcile --once\` would do`]),
  ].join('\n');
}

function renderGroup({ nodes, balancer }: GroupStatus, paint: Paint): string {
  const rows = [
    [
      balancer.name,
      'balancer',
      balancer.state,
      balancer.health,
      '',
      '',
      balancer.ip ?? '',
      String(balancer.port ?? ''),
      balancer.message ?? '',
    ],
    ...nodes.map((node) => [
      node.name,
      node.role,
      node.state,
      node.health,
      node.replication?.state ?? '',
      node.replication?.lag_bytes === null || node.replication === null
        ? ''
        : `${String(node.replication.lag_bytes)} B`,
      node.ip ?? '',
      String(node.port ?? ''),
      node.message ?? '',
    ]),
  ];
  const widths = columns.map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd();
  const painted = rows.map((row) => {
    const health = row[3] ?? '';
    return line(row).replace(` ${health} `, ` ${isHealth(health) ? paintHealth(health, paint) : health} `);
  });
  return [paint('dim', line(columns)), ...painted].join('\n');
}

function isHealth(text: string): text is Health {
  return text === 'Healthy' || text === 'Progressing' || text === 'Degraded' || text === 'Blocked';
}

function paintHealth(health: Health, paint: Paint): string {
  if (health === 'Healthy') return paint('green', health);
  return paint(health === 'Progressing' ? 'yellow' : 'red', health);
}
