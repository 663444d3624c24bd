import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import { monitorRole } from '../postgres/config.ts';
import { parseReport, reportSql, type Report } from '../postgres/report.ts';
import { serverProgram } from '../postgres/scripts.ts';
import type { Group, Topology } from '../topology/model.ts';
import { newestRecord } from './group.ts';
import { findHandover } from './requests.ts';
import type { Heard, Voices } from './reports.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';

/** Milliseconds a server may take to say how it is. */
const patientDeadline = 10_000;

/** The same where the group may be without writes meanwhile. */
const decidingDeadline = 3000;

/** Milliseconds between two questions that tell whether a server stands still. */
const stillAfter = 1000;

/** Asks a server how it is; undefined where it does not answer. */
export async function askReport(
  engine: Engine,
  node: ObservedNode,
  deadline: number = patientDeadline,
): Promise<Report | undefined> {
  if (node.container.state !== 'running') return undefined;
  const options = ['-XAtq', '-h', '/var/run/postgresql', '-U', monitorRole, '-d', 'postgres'];
  // Nor does what asks outlive that.
  const timeout = `PGCONNECT_TIMEOUT=${String(deadline / 1000)}`;
  const command = ['env', timeout, ...serverProgram('psql', ...options, '-c', reportSql)];
  try {
    const { code, stdout } = await engine.exec(node.container.id, { command, deadline });
    return code === 0 ? parseReport(stdout) : undefined;
  } catch (error) {
    // One that ends at this moment, or is started again and again, says nothing.
    if (hasCode(error, 'not-running', 'not-found', 'engine-timeout')) return undefined;
    throw error;
  }
}

/**
 * What servers say on whom a decision depends, asked once: those of groups in quorum mode, and of groups whose leader is
 * to hand over. Undefined: there are none.
 */
export async function askDeciding(engine: Engine, topology: Topology, snapshot: Snapshot): Promise<Voices | undefined> {
  const groups = topology.groups
    .filter((group) => group.replication.mode === 'quorum' || isHandingOver(group, snapshot))
    .map(({ name }) => name);
  if (groups.length === 0) return undefined;
  const nodes = snapshot.nodes.filter(({ group }) => groups.includes(group));
  const answers = await askAll(engine, nodes, decidingDeadline);
  const reports = new Map([...answers].map(([id, report]) => [id, { ...report, at: 0, isStill: false }]));
  return { reports, silent: new Set(), past: new Map(), heardUntil: 0 };
}

function isHandingOver({ name, nodes }: Group, snapshot: Snapshot): boolean {
  const own = snapshot.nodes.filter(({ group }) => group === name);
  const found = newestRecord(own);
  if (found === undefined) return false;
  return findHandover(own, found.record) !== undefined || !nodes.some(({ slot }) => slot === found.record.leader);
}

/** Asks all servers twice, those that lead last, so that what they say can be compared. */
export async function probeReports(engine: Engine, topology: Topology, snapshot: Snapshot): Promise<Voices> {
  const nodes = snapshot.nodes.filter(({ group }) => topology.groups.some(({ name }) => name === group));
  const first = await askAll(engine, nodes);
  await sleep(stillAfter);
  const followers = nodes.filter(({ container }) => first.get(container.id)?.recovery !== false);
  const second = await askAll(engine, followers);
  const leaders = await askAll(
    engine,
    nodes.filter((node) => !followers.includes(node)),
  );
  const heard = [...second, ...leaders].map(([id, report], index): [string, Heard] => [
    id,
    { ...report, at: index, isStill: first.get(id)?.lsn === report.lsn },
  ]);
  const reports = new Map(heard);
  const asked = nodes.filter(({ container }) => container.state === 'running').map(({ container }) => container.id);
  return { reports, silent: new Set(asked.filter((id) => !reports.has(id))), past: new Map(), heardUntil: 0 };
}

async function askAll(
  engine: Engine,
  nodes: readonly ObservedNode[],
  deadline?: number,
): Promise<ReadonlyMap<string, Report>> {
  const answers = await Promise.all(
    nodes.map(async (node) => [node.container.id, await askReport(engine, node, deadline)] as const),
  );
  return new Map(answers.flatMap(([id, report]) => (report === undefined ? [] : [[id, report] as const])));
}
