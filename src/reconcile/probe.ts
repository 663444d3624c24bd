import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import { parseReport, reportSql, type Report } from '../postgres/report.ts';
import { ownPsql } from '../postgres/scripts.ts';
import type { Group, Topology } from '../topology/model.ts';
import { newestRecord } from './group.ts';
import { streamsFrom, type Heard, type Voices } from './reports.ts';
import { findHandover } from './requests.ts';
import type { ObservedNode, Snapshot } from './snapshot.ts';
import { isSecondWriter } from './writers.ts';

/** Milliseconds that the question how a server is may take, on an engine with much to do. */
const patientDeadline = 10_000;

/** The same where the group may be without writes meanwhile. */
const decidingDeadline = 3000;

/** Seconds that a server may take to let somebody in: one that hangs never does. */
const connectSeconds = 3;

/** Milliseconds in which a leader comes to list a follower that says it streams, and between two questions for that. */
const listedWithin = 1000;
const listedPause = 50;

/** Milliseconds between two questions that tell whether a server stands still. */
const stillAfter = 1000;

/** Asks a server how it is; undefined where it does not answer. */
export async function askReport(
  engine: Engine,
  node: ObservedNode,
  deadline: number = patientDeadline,
): Promise<Report | undefined> {
  if (node.container.state !== 'running') return undefined;
  // What asks does not outlive that.
  const timeout = `PGCONNECT_TIMEOUT=${String(connectSeconds)}`;
  const command = ['env', timeout, ...ownPsql(node.layout.home, '-XAtq', '-c', reportSql)];
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
 * Reports of the servers that a decision depends on: those of groups in quorum mode, of groups whose leader is to hand over,
 * and of groups in which a second node takes writes. Asks those that nobody has listened to yet. Undefined: there are none.
 */
export async function askDeciding(
  engine: Engine,
  topology: Topology,
  snapshot: Snapshot,
  heard?: Voices,
): Promise<Voices | undefined> {
  const groups = topology.groups
    .filter((group) => group.replication.mode === 'quorum' || isHandingOver(group, snapshot))
    .map(({ name }) => name);
  const second = snapshot.nodes.filter((node) => isSecondWriter(node, { ...snapshot, ...heard }));
  const deciding = new Set([...groups, ...second.map(({ group }) => group)]);
  const isKnown = (id: string): boolean => heard?.reports.has(id) === true || heard?.silent.has(id) === true;
  const nodes = snapshot.nodes.filter(({ group, container }) => deciding.has(group) && !isKnown(container.id));
  if (nodes.length === 0) return heard;
  const answers = new Map(await askAll(engine, nodes, decidingDeadline));
  const until = Date.now() + listedWithin;
  let late = findLateLeaders(topology, nodes, answers);
  while (late.length > 0 && Date.now() < until) {
    await sleep(listedPause);
    for (const [id, report] of await askAll(engine, late, decidingDeadline)) answers.set(id, report);
    late = findLateLeaders(topology, nodes, answers);
  }
  const at = heard?.heardUntil ?? 0;
  const asked = [...answers].map(([id, report]): [string, Heard] => [id, { ...report, at, isStill: false }]);
  const nothing = { silent: new Set<string>(), past: new Map<string, Heard>(), heardUntil: 0 };
  return { ...nothing, ...heard, reports: new Map([...(heard?.reports ?? []), ...asked]) };
}

/** Leaders that do not list a follower yet which says that it streams. */
function findLateLeaders(
  topology: Topology,
  nodes: readonly ObservedNode[],
  answers: ReadonlyMap<string, Report>,
): readonly ObservedNode[] {
  return topology.groups.flatMap((group) => {
    const leader = nodes.find(
      (each) => each.group === group.name && answers.get(each.container.id)?.recovery === false,
    );
    const leads = leader === undefined ? undefined : answers.get(leader.container.id);
    const isLate = group.nodes.some(({ name, slot }) => {
      const observed = nodes.find((each) => each.group === group.name && each.slot === slot);
      const report = answers.get(observed?.container.id ?? '');
      const isOfTimeline = report?.timeline === leads?.timeline;
      return isOfTimeline && streamsFrom(undefined, report, name) && !streamsFrom(leads, report, name);
    });
    return leader !== undefined && isLate ? [leader] : [];
  });
}

function isHandingOver({ name, nodes }: Group, snapshot: Snapshot): boolean {
  const own = snapshot.nodes.filter(({ group }) => group === name);
  const found = newestRecord(own);
  if (found === undefined) return false;
  return findHandover(own, found.record) !== undefined || !nodes.some(({ slot }) => slot === found.record.leader);
}

/** Asks all servers twice, those that lead last, so that what they say can be compared; one that is silent is asked once. */
export async function probeReports(engine: Engine, topology: Topology, snapshot: Snapshot): Promise<Voices> {
  const nodes = snapshot.nodes.filter(({ group }) => topology.groups.some(({ name }) => name === group));
  const first = await askAll(engine, nodes);
  await sleep(stillAfter);
  const thatSay = (recovery: boolean): readonly ObservedNode[] =>
    nodes.filter(({ container }) => first.get(container.id)?.recovery === recovery);
  const second = await askAll(engine, thatSay(true));
  const leaders = await askAll(engine, thatSay(false));
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
