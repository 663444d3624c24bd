import type { JournalEntry } from '../../daemon/journal.ts';
import type { DaemonState } from '../../daemon/state-file.ts';
import type { ClusterStatus, GroupStatus, Health } from '../../reconcile/status.ts';
import type { Paint } from '../output.ts';
import { eventRenderer } from './events.ts';

/** What the engine and the servers say, and what is remembered on this host. */
export type FullStatus = ClusterStatus & {
  /** A daemon of this host that keeps the cluster. */
  readonly daemon: DaemonState | null;
  /** What was done last, oldest first. */
  readonly events: readonly JournalEntry[];
};

/** Conditions that only a daemon knows of, and the status in which they are worth a line. */
const ofDaemon: Readonly<Record<string, 'True' | 'False'>> = {
  TopologyValid: 'False',
  EngineReachable: 'False',
  Stalled: 'True',
};

const columns = ['NODE', 'ROLE', 'STATE', 'HEALTH', 'TL', 'REPLICATION', 'LAG', 'ADDRESS', 'PORT', 'NOTE'] as const;

/** A cluster's status as text: one table a group, then what is amiss and what is left over. */
export function renderStatus(status: FullStatus, paint: Paint): string {
  const head = `${paint('bold', status.name)}: ${paintHealth(status.health, paint)}, ${status.sync}`;
  const amiss = status.conditions.filter(({ type, status: holds }) =>
    type === 'Stalled' ? holds === 'True' : holds === 'False',
  );
  return [
    head,
    ...status.groups.map((group) => renderGroup(group, paint)),
    ...amiss.map(({ type, reason, message }) => `  ${paint('yellow', '!')} ${type} (${reason}): ${message}`),
    ...(status.leftovers.length === 0 ? [] : [`  kept volumes in nobody's use: ${status.leftovers.join(', ')}`]),
    ...renderDaemon(status, amiss, paint),
    ...(status.sync === 'InSync' ? [] : [`  see \`pgherd plan\` for what \`pgherd reconcile --once\` would do`]),
    ...renderEvents(status, paint),
  ].join('\n');
}

function renderDaemon({ daemon }: FullStatus, told: readonly { type: string }[], paint: Paint): readonly string[] {
  if (daemon === null) return [];
  const worth = daemon.conditions.filter(
    ({ type, status }) => ofDaemon[type] === status && !told.some((each) => each.type === type),
  );
  const standby = daemon.conditions.find(({ type, reason }) => type === 'Reconciling' && reason === 'Standby');
  const does = standby === undefined ? 'keeps it' : `stands by: ${standby.message}`;
  return [
    `  a daemon of this host (process ${String(daemon.pid)}) ${does}`,
    ...worth.map(
      ({ type, reason, message, since }) => `  ${paint('yellow', '!')} ${type} (${reason}) since ${since}: ${message}`,
    ),
  ];
}

function renderEvents({ events }: FullStatus, paint: Paint): readonly string[] {
  if (events.length === 0) return [];
  const render = eventRenderer(paint, events);
  return [`  last events (\`pgherd events\` shows more):`, ...events.map((event) => `    ${render(event)}`)];
}

function renderGroup({ nodes, balancer, commits }: GroupStatus, paint: Paint): string {
  const rows = [
    [
      balancer.name,
      'balancer',
      balancer.state,
      balancer.health,
      '',
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
      node.timeline === null ? '' : String(node.timeline),
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
  const quorum = commits?.state === 'durable' ? [`  ${commits.message}`] : [];
  return [paint('dim', line(columns)), ...painted, ...quorum].join('\n');
}

function isHealth(text: string): text is Health {
  return text === 'Healthy' || text === 'Progressing' || text === 'Degraded' || text === 'Blocked';
}

function paintHealth(health: Health, paint: Paint): string {
  if (health === 'Healthy') return paint('green', health);
  return paint(health === 'Progressing' ? 'yellow' : 'red', health);
}
