import { randomBytes } from 'node:crypto';
import { PgherdError } from '../../base/error.ts';
import { keepRecord } from '../../daemon/keep-record.ts';
import type { Engine } from '../../docker/engine.ts';
import { isSameReign, type Handover, type Reign } from '../../postgres/layout.ts';
import { viewGroup } from '../../reconcile/group.ts';
import { cancelHandover, requestHandover } from '../../reconcile/requests.ts';
import { findHolder } from '../../reconcile/lock.ts';
import { look } from '../../reconcile/look.ts';
import { readPasswords, type Passwords } from '../../reconcile/passwords.ts';
import { askReport } from '../../reconcile/probe.ts';
import { reconcile } from '../../reconcile/reconcile.ts';
import type { Result } from '../../reconcile/work.ts';
import { createStepQueue } from '../../reconcile/step-queue.ts';
import type { Group, Topology } from '../../topology/model.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { findGroup, findNode } from '../find.ts';
import { openCommandJournal } from '../journal.ts';
import type { Output } from '../output.ts';
import { openProgress } from '../render/progress.ts';
import { connect, loadOrReport, readText, type GlobalOptions } from '../session.ts';
import { interruptSignal, printResult, world } from './reconcile.ts';

export type HandoverFlags = GlobalOptions & {
  readonly to?: string;
  readonly timeout: number;
  readonly allowDataLoss?: boolean;
  readonly stateDir?: string;
};

const parallelSteps = 8;

/** Milliseconds after its timeout in which what was asked for is still done: clocks differ. */
const grace = 60_000;

/** Milliseconds: a year. */
const longestPatience = 365 * 24 * 3_600_000;

/** For a leader to come back that was stopped to hand over, and could not. */
const returnSeconds = 60;

export async function switchover(
  group: string,
  paths: readonly string[],
  flags: HandoverFlags,
  output: Output,
): Promise<ExitCode> {
  return handOver('switchover', group, paths, flags, output);
}

export async function failover(
  group: string,
  paths: readonly string[],
  flags: HandoverFlags,
  output: Output,
): Promise<ExitCode> {
  return handOver(flags.allowDataLoss === true ? 'failover-lossy' : 'failover', group, paths, flags, output);
}

async function handOver(
  kind: Handover['kind'],
  name: string,
  paths: readonly string[],
  flags: HandoverFlags,
  output: Output,
): Promise<ExitCode> {
  const topologies = await loadOrReport(paths, output);
  if (topologies === undefined) return exitCodes.error;
  const { topology, group } = findGroup(topologies, name);
  const to = flags.to === undefined ? undefined : findNode(group, flags.to).slot;
  const engine = await connect(flags, output);
  const passwords = await readPasswords(topology, { env: process.env, readFile: readText });
  const before = await findLeader(engine, topology, group, passwords);
  if (to !== undefined && before.slot === to) {
    say(output, { group: name, leader: before.name, changed: false }, `${before.name} leads ${name} already.`);
    return exitCodes.done;
  }
  if (kind === 'failover' && before.answers) {
    throw new PgherdError('in-progress', `${before.name} leads ${name}, and answers`, {
      remedy: `\`pgherd switchover ${name}\` hands over without a loss`,
    });
  }
  const keeper = await findHolder(engine, topology.cluster);
  if (keeper !== undefined && output.format === 'text')
    output.note(`asked of who keeps ${topology.cluster}: ${keeper}`);
  // Where this dies, who keeps the cluster does it until then, and no later. Whole: it stands in the name of a file.
  const patience = Math.min(Math.ceil(flags.timeout * 1000), longestPatience);
  const handover = { kind, to, until: Date.now() + patience + grace };
  const request = await requestHandover(engine, topology.cluster, name, handover, before.reign);
  const by = kind === 'switchover' ? 'switchover' : 'failover';
  const work = { keeper, engine, topology, passwords, by, flags, output, signal: interruptSignal(output) };
  try {
    const result = await carryOut(work, flags.timeout);
    const after = await findLeader(engine, topology, group, passwords);
    if (
      !isSameReign(after.reign, before.reign) &&
      (to === undefined ? after.slot !== before.slot : after.slot === to)
    ) {
      const text = `${after.name} leads ${name}, which ${before.name} led before.`;
      say(output, { group: name, leader: after.name, from: before.name, changed: true }, text);
      if (!result.converged) printResult(result, output, result.milliseconds);
      return exitCodes.done;
    }
    printResult(result, output, result.milliseconds);
  } finally {
    // What could not be done now is not done later, when nobody expects it.
    await cancelHandover(engine, topology.cluster, name, request);
  }
  // A leader that was stopped for it leads on.
  let after = await findLeader(engine, topology, group, passwords);
  if (!after.answers) {
    await carryOut(work, returnSeconds);
    after = await findLeader(engine, topology, group, passwords);
  }
  const { answers } = after;
  say(
    output,
    { group: name, leader: answers ? after.name : null, changed: false },
    describeUnchanged(name, before, after),
  );
  return exitCodes.notConverged;
}

function describeUnchanged(group: string, before: Leading, after: Leading): string {
  if (!isSameReign(before.reign, after.reign)) {
    const what = `${after.name} leads ${group} now: the leader changed while this command ran`;
    return `${what}, and its request was not carried out.`;
  }
  return after.answers
    ? `${before.name} still leads ${group}.`
    : `Nobody leads ${group} now: ${before.name}, which led, does not answer, and nobody else was promoted.`;
}

type Leading = { readonly name: string; readonly slot: number; readonly reign: Reign; readonly answers: boolean };

type Work = {
  /** Who has the lock, and does it. */
  readonly keeper: string | undefined;
  readonly engine: Engine;
  readonly topology: Topology;
  readonly passwords: Passwords;
  readonly by: string;
  readonly flags: HandoverFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
};

async function carryOut(work: Work, seconds: number): Promise<Result & { readonly milliseconds: number }> {
  const { keeper, engine, topology, passwords, by, flags, output, signal } = work;
  const startedAt = performance.now();
  const journal = openCommandJournal(flags.stateDir, output);
  const record = keepRecord(journal, { cluster: topology.cluster, run: randomBytes(4).toString('hex'), by });
  const display = await openProgress(output, signal);
  if (keeper !== undefined) display.report(topology.cluster, { type: 'waiting-for-lock', holder: keeper });
  const result = await reconcile(engine, topology, passwords, world, {
    timeout: seconds * 1000,
    signal,
    queue: createStepQueue(parallelSteps),
    onProgress: (progress) => {
      display.report(topology.cluster, progress);
      record(progress);
    },
  })
    .then((ended) => {
      display.end(topology.cluster, ended.converged);
      return ended;
    })
    .finally(display.close);
  await journal.close();
  return { ...result, milliseconds: performance.now() - startedAt };
}

function say(output: Output, fields: Readonly<Record<string, unknown>>, text: string): void {
  output.print(output.format === 'json' ? JSON.stringify({ event: 'leader', ...fields }) : text);
}

async function findLeader(engine: Engine, topology: Topology, group: Group, passwords: Passwords): Promise<Leading> {
  const { snapshot } = await look(engine, topology, passwords.fingerprints);
  const view = viewGroup(group, snapshot);
  if (view.phase === 'blocked') throw new PgherdError('node-failed', view.reason.detail, { remedy: view.remedy });
  if (view.phase !== 'led' && view.phase !== 'lost') {
    throw new PgherdError('not-found', `nobody leads ${group.name} yet`, {
      remedy: 'run `pgherd reconcile --once` first',
    });
  }
  const slot = view.record.leader;
  const name = group.nodes.find((node) => node.slot === slot)?.name ?? `slot ${String(slot)}`;
  const answers = view.phase === 'led' && (await askReport(engine, view.leader))?.recovery === false;
  return { name, slot, reign: view.record, answers };
}
