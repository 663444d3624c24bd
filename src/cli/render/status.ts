import type { JournalEntry } from '../../daemon/journal.ts';
import type { DaemonState } from '../../daemon/state-file.ts';
import { isByPause } from '../../reconcile/plan.ts';
import type { BalancerStatus, ClusterStatus, GroupStatus, Health, NodeStatus } from '../../reconcile/status-model.ts';
import type { Paint } from '../output.ts';
import { formatAge } from './duration.ts';
import { eventRenderer } from './events.ts';
import type { NextStep } from './next-steps.ts';
import { formatSize } from './size.ts';
import { renderTable } from './table.ts';

/** What the engine and the servers say, and what is remembered on this host. */
export type FullStatus = ClusterStatus & {
  /** A daemon of this host that keeps the cluster. */
  readonly daemon: DaemonState | null;
  /** What was done last, oldest first. */
  readonly events: readonly JournalEntry[];
};

export type StatusView = {
  readonly paint: Paint;
  /** Columns of the terminal; undefined: as wide as it gets. */
  readonly width: number | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly next: readonly NextStep[];
};

/** Conditions that only a daemon knows of, and the status in which they are worth a line. */
const ofDaemon: Readonly<Record<string, 'True' | 'False'>> = {
  TopologyValid: 'False',
  EngineReachable: 'False',
  Stalled: 'True',
};

/** A cluster's status as text: a table for each group, then what is amiss, what is left over and what to do next. */
export function renderStatus(status: FullStatus, view: StatusView): string {
  const { paint } = view;
  const pause = status.blocked.some(isByPause) ? `, ${paint('yellow', 'paused')}` : '';
  const head = `${paint('bold', status.name)}: ${paintHealth(status.health, paint)}, ${status.sync}${pause}`;
  // What is blocked is told below, each with its remedy.
  const amiss = status.conditions.filter(({ type, status: holds }) => type !== 'Stalled' && holds === 'False');
  return [
    head,
    ...status.groups.flatMap((group) => renderGroup(group, view)),
    ...amiss.map(({ type, reason, message }) => `  ${paint('yellow', '!')} ${type} (${reason}): ${message}`),
    ...status.blocked.flatMap(({ resource, reason, remedy }) => [
      `  ${paint('red', '!')} ${resource} is blocked: ${reason.detail} [${reason.code}]`,
      `      remedy: ${remedy}`,
    ]),
    ...(status.leftovers.length === 0 ? [] : [`  kept volumes in nobody's use: ${status.leftovers.join(', ')}`]),
    ...renderDaemon(status, paint),
    ...view.next.map(({ command, why }) => `  next: \`${paint('cyan', command)}\` (${why})`),
    ...renderEvents(status, paint),
  ].join('\n');
}

function renderDaemon({ daemon, conditions, blocked }: FullStatus, paint: Paint): readonly string[] {
  if (daemon === null) return [];
  const told = new Set(conditions.flatMap(({ type, status }) => (status === 'False' ? [type] : [])));
  if (blocked.length > 0) told.add('Stalled');
  const worth = daemon.conditions.filter(({ type, status }) => ofDaemon[type] === status && !told.has(type));
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

function renderGroup({ nodes, balancer, commits }: GroupStatus, { paint, width, now }: StatusView): readonly string[] {
  const parts = [balancer, ...nodes];
  const ofNodes = (cell: (node: NodeStatus) => string): readonly string[] => ['', ...nodes.map(cell)];
  const table = renderTable(
    [
      { title: 'NODE', cells: parts.map(({ name }) => name) },
      { title: 'ROLE', cells: ['balancer', ...nodes.map(({ role }) => role)] },
      { title: 'STATE', cells: parts.map(({ state }) => state), spare: 1 },
      {
        title: 'HEALTH',
        cells: parts.map(({ health }) => health),
        paint: (cell) => (isHealth(cell) ? paintHealth(cell, paint) : cell),
      },
      { title: 'TL', cells: ofNodes(({ timeline }) => String(timeline ?? '')), spare: 6 },
      { title: 'REPLICATION', cells: ofNodes(({ replication }) => replication?.state ?? ''), spare: 4 },
      { title: 'LAG', cells: ofNodes(formatLag), spare: 2 },
      { title: 'ADDRESS', cells: parts.map(({ ip }) => ip ?? ''), spare: 5 },
      { title: 'PORT', cells: parts.map(({ port }) => String(port ?? '')), spare: 3 },
      { title: 'UPTIME', cells: parts.map((part) => formatUptime(part, now)), spare: 7 },
    ],
    { paint, width, notes: { title: 'NOTE', cells: parts.map(formatNote) } },
  );
  return commits?.state === 'durable' ? [...table, `  ${commits.message}`] : table;
}

function formatLag({ replication }: NodeStatus): string {
  const bytes = replication?.lag_bytes;
  return bytes === undefined || bytes === null ? '' : formatSize(bytes);
}

function formatUptime({ started_at }: NodeStatus | BalancerStatus, now: number): string {
  return started_at === null ? '' : formatAge(now - Date.parse(started_at));
}

function formatNote({ message, state, restarts }: NodeStatus | BalancerStatus): string {
  const started = restarts === 0 ? '' : `started again ${restarts === 1 ? 'once' : `${String(restarts)} times`}`;
  return [message ?? '', started].filter((part) => part !== '' && part !== state).join('; ');
}

function isHealth(text: string): text is Health {
  return text === 'Healthy' || text === 'Progressing' || text === 'Degraded' || text === 'Blocked';
}

function paintHealth(health: Health, paint: Paint): string {
  if (health === 'Healthy') return paint('green', health);
  return paint(health === 'Progressing' ? 'yellow' : 'red', health);
}
