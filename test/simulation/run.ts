import { between, seeded, type Random } from '../chaos/random.ts';
import type { VirtualClock } from './clock.ts';
import { endDisturbance, endFaults, faultOf, pickFault, pickOutage, type Fault } from './faults.ts';
import { nameOf } from './modes.ts';
import { newestRecordIn } from './process.ts';
import { homeOf } from './programs.ts';
import { Simulation, type Base } from './simulation.ts';
import { lastOfReign } from './wal.ts';
import { formatRecordName } from '../../src/postgres/layout.ts';
import { parseRecord, recordsFolder } from '../../src/postgres/record.ts';
import { labelNames, readGeneration } from '../../src/reconcile/names.ts';

export type Run = {
  readonly seed: number;
  readonly setting: string;
  readonly violations: readonly string[];
  readonly faults: readonly string[];
  readonly trace: readonly string[];
  /** Virtual milliseconds. */
  readonly milliseconds: number;
  readonly end: 'well' | 'blocked';
  readonly acknowledged: number;
};

/** Milliseconds in which a group serves again after the last fault, with what does not end by itself still there. */
const serveWithin = 30_000;

/** The same where somebody takes long for a reason: a leader that stops in order has 60 s, for example. */
const serveAtLast = 90_000;

/** Milliseconds in which somebody could take over again from one that serves. */
const coverWithin = 20_000;

/** Milliseconds of the end of a leader that may be lost without a word: it reports twice a second, and is asked again after 3 s. */
const unheard = 4000;

/** Milliseconds in which everything is as its file says when nothing is wrong any more. */
const convergeWithin = 150_000;

/** Why nobody leads, or commits wait, and only a human or somebody who comes back can change it. */
const leadershipReasons = new Set([
  ...['incomplete', 'quorum-lost', 'no-candidate', 'not-the-most-advanced', 'too-far-behind', 'not-received'],
  ...['manual-failover', 'second-writer', 'leader-data-gone', 'record-missing'],
]);

/** One seed: what happens, and whether what must hold holds. */
export async function runSeed(
  clock: VirtualClock,
  seed: number,
  base: Base,
  { isTracing = false, theme }: { readonly isTracing?: boolean; readonly theme?: string | undefined } = {},
): Promise<Run> {
  clock.reset();
  const simulation = new Simulation(clock, seed, base, isTracing);
  // What happens is drawn from numbers of its own, so that what it does to the rest does not change what happens.
  const random = seeded(seed ^ 0x5bd1e995);
  simulation.startDaemon('daemon1');
  if (random() < 0.4) simulation.startDaemon('daemon2');
  let isOver = false;
  let pace = 70;
  void simulation.writeByAddress(
    () => isOver,
    () => 20 + simulation.random() * pace * 2,
  );
  void simulation.writeDirectly(
    () => isOver,
    () => 50 + simulation.random() * pace * 4,
  );
  await clock.run(between(random, 500, 2500));
  const happened = await disturb(simulation, random, theme);
  pace = 400;
  endDisturbance(simulation);
  const tookLonger = takesLonger(simulation);
  await settle(simulation, serveWithin, () => isServing(simulation));
  if (tookLonger || takesLonger(simulation))
    await settle(simulation, serveAtLast - serveWithin, () => isServing(simulation));
  checkServing(simulation);
  await settle(simulation, coverWithin, () => isCovered(simulation));
  checkCover(simulation);
  endFaults(simulation);
  await settle(simulation, convergeWithin, () => isWell(simulation));
  const end = checkEnd(simulation);
  isOver = true;
  for (const daemon of simulation.daemons) daemon.die();
  for (const connection of simulation.connections) connection.die();
  const milliseconds = clock.now;
  return {
    seed,
    setting: nameOf(base.setting),
    violations: simulation.violations,
    faults: happened,
    trace: simulation.lines,
    milliseconds,
    end,
    acknowledged: simulation.acknowledged.length,
  };
}

async function disturb(simulation: Simulation, random: Random, theme: string | undefined): Promise<readonly string[]> {
  const { clock } = simulation;
  const happened: string[] = [];
  const happen = (fault: Fault): void => {
    happened.push(`${(clock.now / 1000).toFixed(2)} s ${fault.name}`);
    fault.happen(simulation);
  };
  /** In the middle of what a daemon does. */
  const happenAt = (fault: Fault, calls: number): void => {
    let left = calls;
    const daemon = simulation.daemons.find(({ isStandby }) => !isStandby) ?? simulation.daemons[0];
    const connection = daemon?.connection;
    if (connection === undefined) return;
    connection.onCall = (method) => {
      if (method.startsWith('list') || method.startsWith('inspect') || method === 'readLink' || method === 'pathExists')
        return;
      left -= 1;
      if (left !== 0) return;
      connection.onCall = undefined;
      happen(fault);
    };
  };
  for (let rounds = between(random, 1, 2); rounds > 0; rounds -= 1) {
    // Most of what is hard happens around the time when leaders change.
    const outage = pickOutage(random);
    const chosen = theme === undefined ? [] : theme.split(' + ').map(faultOf);
    const others = Array.from({ length: Math.max(between(random, 0, 3), chosen.length) }, (_, index) => ({
      fault: chosen[index] ?? pickFault(random),
      after: between(random, -2500, 3500),
      calls: between(random, 1, 40),
      isAtCall: random() < 0.4,
    }));
    const start = clock.now + 2500;
    const all = [{ fault: outage, after: 0, calls: 0, isAtCall: false }, ...others];
    for (const { fault, after, calls, isAtCall } of all.toSorted((a, b) => a.after - b.after)) {
      const at = rounds % 2 === 0 ? start + after * 2 : start + after;
      if (at > clock.now) await clock.run(at);
      if (isAtCall) happenAt(fault, calls);
      else happen(fault);
    }
    await clock.run(clock.now + between(random, 500, 6000));
  }
  return happened;
}

/** Until it is so three times in a row, two thirds of a second apart. */
async function settle(simulation: Simulation, within: number, isSo: () => boolean): Promise<void> {
  const { clock } = simulation;
  const end = clock.now + within;
  let times = 0;
  while (clock.now < end && times < 3) {
    await clock.run(clock.now + 667);
    simulation.noteStall();
    times = isSo() ? times + 1 : 0;
  }
}

function isServing(simulation: Simulation): boolean {
  return simulation.acknowledgedAt > simulation.clock.now - 3000 && simulation.atWriteAddress?.isWritable === true;
}

function isWell(simulation: Simulation): boolean {
  if (isServing(simulation)) endUse(simulation);
  return isServing(simulation) && simulation.amiss.length === 0;
}

/** Clients that are served let go of what they have. */
function endUse(simulation: Simulation): void {
  simulation.isUsedUp = false;
  for (const server of simulation.servers.all) server.isFull = false;
}

/** What is said to be in the way, or was a moment ago: while the engine starts somebody again and again, it comes and goes. */
function why({ stall, clock }: Simulation): string | undefined {
  return stall !== undefined && stall.at > clock.now - 5000 ? stall.reason : undefined;
}

function isLeadership(reason: string | undefined): boolean {
  // The first reason is told with its code, the others with their words.
  const words = ['cannot be asked', 'can be asked', 'no replica', ...leadershipReasons];
  return reason !== undefined && words.some((word) => reason.includes(word));
}

/** Somebody has to decide, or took a name away. */
function isOfHumans(reason: string | undefined): boolean {
  return /paused|second-writer|takes? writes|name-taken|port-taken|in use by|manual-failover/.test(reason ?? '');
}

/**
 * Who may have more than the others is waited for until it has replayed that, unless the leader only stopped to hand over; so
 * is one that was named to lead, a leader that hangs as it stops in order, and one whose start hangs. A clone takes its time.
 */
function takesLonger(simulation: Simulation): boolean {
  const { servers, nodes, cloneTime, clock, isHandingOver } = simulation;
  const isCut = simulation.troubled.has('shutdown');
  if (servers.all.some(({ isStopping, isHung }) => isStopping && (isHung || isCut))) return true;
  const isStarting = nodes.some((each) => each.isUp && servers.of(each)?.isUp !== true);
  if (isStarting && simulation.troubled.has('start')) return true;
  if (cloneTime > 10_000 || simulation.isAsked) return true;
  return !isHandingOver && servers.all.some(({ slowUntil }) => slowUntil > clock.now - 10_000);
}

function checkServing(simulation: Simulation): void {
  if (isServing(simulation)) return;
  const { setting, servers } = simulation;
  if (setting.failover === 'manual' || servers.all.some(({ isStopping, isHung }) => isStopping && isHung)) return;
  const reason = why(simulation);
  const able = servers.all.filter((each) => each.isUp && !each.isHung && each.lag < 10_000 && !each.isSlow);
  // Where all that run hang, there is nobody to serve.
  if (able.length === 0) return;
  // Where two of three can do all they are to do, or nothing is said of leaders or for humans, one of them is to lead.
  const excuses = [able.length < 2, isLeadership(reason), isOfHumans(reason)];
  if (excuses.filter(Boolean).length >= 2) return;
  // Commits wait as they are to where too few are left to have them, or one that has a long way to go.
  const isBehind = servers.all.some(({ receiver, lag }) => receiver !== undefined && lag >= 10_000);
  if (able.length < 2 && (setting.mode === 'required' || (setting.mode === 'preferred' && isBehind))) return;
  simulation.violate(
    `nobody serves ${String(serveWithin / 1000)} s after the last fault${reason === undefined ? '' : `: ${reason}`}`,
  );
}

/** Whether commits wait for replicas by a record that lets one of them take over, where any could. */
function isCovered(simulation: Simulation): boolean {
  const { setting, servers, record, atWriteAddress: leader } = simulation;
  if (setting.mode !== 'required' || !isServing(simulation) || record?.sync?.listed.length !== 0) return true;
  return !servers.all.some(({ receiver, isHung, lag }) => receiver === leader && !isHung && lag < 10_000);
}

function checkCover(simulation: Simulation): void {
  if (isCovered(simulation) || isOfHumans(why(simulation))) return;
  simulation.violate('replicas stream, and by the record none of them could take over');
}

function checkEnd(simulation: Simulation): Run['end'] {
  const { daemons } = simulation;
  const isEnded = isWell(simulation);
  const reason = why(simulation);
  if (!isEnded && reason === undefined) {
    const called = daemons.some(({ isReady }) => isReady) ? ', and is called ready' : '';
    simulation.violate(`a silent standstill${called}: ${simulation.amiss.join('; ') || 'nothing is acknowledged'}`);
  }
  checkLosses(simulation);
  checkCopies(simulation);
  return isEnded ? 'well' : 'blocked';
}

/** A copy that never became whole is not kept once its node has a later volume. */
function checkCopies(simulation: Simulation): void {
  const { world, servers } = simulation;
  const half = [...world.volumes.values()].filter(({ name, labels }) => {
    const [mounted] = simulation.node(Number(labels[labelNames.node]))?.volumes ?? [];
    const isReplaced = mounted !== undefined && readGeneration(mounted.volume.name) > readGeneration(name);
    return isReplaced && !servers.databases.has(name);
  });
  // Where a container was taken away, nobody can tell what is in its volume.
  if (half.length > simulation.removals)
    simulation.violate(`half copies are left behind: ${half.map(({ name }) => name).join(', ')}`);
}

/** Of one whose container is gone, and not made again before somebody has decided. */
function newestVolume({ servers, world }: Simulation, slot: number): string {
  const ofSlot = [...servers.databases.keys()].filter(
    (name) => world.volumes.get(name)?.labels[labelNames.node] === String(slot),
  );
  return ofSlot.toSorted((a, b) => readGeneration(b) - readGeneration(a))[0] ?? '';
}

/** Whether a change of leaders that the group remembers was said to lose something, or not to know. */
function isLossReported({ nodes }: Simulation): boolean {
  const records = nodes.flatMap((node) => {
    const newest = newestRecordIn(node, homeOf(node));
    const text = newest && node.view.read(`${homeOf(node)}/${recordsFolder}/${formatRecordName(newest)}`);
    return text === undefined ? [] : (parseRecord(text) ?? []);
  });
  return records.some(({ changes = [] }) => changes.some(({ lostBytes }) => lostBytes !== 0));
}

function checkLosses(simulation: Simulation): void {
  const { servers, world, setting, isLossy, acknowledged } = simulation;
  const recorded = simulation.node(simulation.record?.leader ?? 0);
  const leader =
    servers.all.find((each) => each.isWritable && (!each.isOutlaw || each.container === recorded))?.database ??
    servers.databases.get(
      recorded?.volumes[0]?.volume.name ?? newestVolume(simulation, simulation.record?.leader ?? 0),
    );
  const idsOf = (wal: readonly { readonly id: number }[]): ReadonlySet<number> => new Set(wal.map(({ id }) => id));
  const led = idsOf(leader?.wal ?? []);
  const lost = acknowledged.filter(({ id }) => !led.has(id));
  if (lost.length === 0) return;
  const kept = new Set(
    [...servers.databases].filter(([name]) => world.volumes.has(name)).flatMap(([, { wal }]) => [...idsOf(wal)]),
  );
  const erased = lost.filter(({ id }) => !kept.has(id));
  const describe = (rows: typeof lost): string =>
    `${String(rows.length)} rows, the first acknowledged by ${rows[0]?.by ?? ''} at ${((rows[0]?.at ?? 0) / 1000).toFixed(3)} s`;
  // What the leader had said half a second before its end is known; of one that nobody heard for long, that is told.
  const isLong = lost.some((row) => row.at < lastOfReign(row, acknowledged) - unheard);
  if (setting.mode === 'async' && isLong && !simulation.isHandPromoted && !isLossReported(simulation))
    simulation.violate(`acknowledged and lost, and no failover said so: ${describe(lost)}`);
  if (setting.mode === 'required' && !isLossy) simulation.violate(`acknowledged and lost: ${describe(lost)}`);
  else if (erased.length > 0) simulation.violate(`acknowledged, and kept nowhere: ${describe(erased)}`);
}
