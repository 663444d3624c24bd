import { setTimeout as delay } from 'node:timers/promises';
import { Stage, type StageOptions } from '../chaos/stage.ts';
import { longestGap } from '../chaos/verdict.ts';
import { connectEngine } from '../../src/docker/dockerode.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { engineHost } from '../e2e/support/engine.ts';
import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import { hangOne, reportOnAll, type Beside } from './beside.ts';
import { reportTail } from './figures.ts';
import { Timeline } from './timeline.ts';
import { WriteClients } from './write-clients.ts';

const failovers = Number(process.env['BENCH_FAILOVERS'] ?? 30);
const switchovers = Number(process.env['BENCH_SWITCHOVERS'] ?? 15);

/** Of the clusters of `Stage`. */
const password = 'only-a-test';

const quorum: StageOptions = { mode: 'quorum', delay: '0s' };

/** Milliseconds after a change of leaders within which a leader that dies is brought back in place, and some more. */
const coolDown = 10_500;

const settleMs = 120_000;

/** The death of a leader, in milliseconds since it was asked for. */
type Death = {
  /** When the engine had answered the kill: it is dead by then. */
  readonly dead: number;
  /** The first write to be acknowledged to any of the hurried clients; the same when each of them had one. */
  readonly first: number;
  readonly all: number;
  /** The first to be acknowledged to the client that waits as long as it takes. */
  readonly patient: number;
};

/** One way from the death of a leader to the next write, and its figures. */
type Course = {
  readonly what: string;
  readonly deaths: Death[];
  readonly timeline: Timeline;
  /** Runs that took another way, whose figures are left out. */
  other: number;
};

function newCourse(what: string): Course {
  return { what, deaths: [], timeline: new Timeline(), other: 0 };
}

/** A cluster with its course: `moves`, whether another node is to lead after a death. */
type Kept = {
  readonly stage: Stage;
  readonly course: Course;
  readonly moves: boolean;
  readonly beside: Beside | undefined;
  changedAt: number;
};

/**
 * From the kill of the primary to the next write that is acknowledged through the balancer, each way in turn. The floor
 * is what the engine's calls alone take, made by someone who knows everything beforehand and verifies nothing.
 *
 * The client that waits as long as it takes is later than those that hurry by up to a second, the floor's too: a
 * connection that the balancer begins while nobody holds the write address gets no answer, and the kernel repeats what
 * it has sent (a SYN, or the question who has the address) after 1 s, then 2 s. Who gives up after a moment and begins anew
 * does not wait for that; but what he has given up holds a process of the balancer until its connect ends, and when there
 * are no more of them nobody gets in. So the longer the address is silent, the longer it takes after it answers again.
 */
export async function benchFailover(): Promise<void> {
  console.log(`From the kill of the primary to the next write through the balancer, ${failovers} of each in turn`);
  const engine = await connectEngine({ host: await engineHost() });
  const restarting = newCourse('floor: kill, start the container');
  const promoting = newCourse('floor: kill, promote, move the write address');
  const ways = [
    () => keep('pgherd, in place (delay 1h)', { mode: 'async', delay: '1h' }, false),
    () => keep('pgherd, another leads (delay 0s), async', { mode: 'async', delay: '0s' }, true),
    () => keep('pgherd, another leads (delay 0s), quorum', quorum, true),
  ];
  await inTurn(engine, ways, [restarting, promoting], () => runFloors(engine, restarting, promoting));
}

/**
 * The same while something is wrong on the replicas. Apart from the others: each cluster that is up beside the one whose
 * leader dies takes its part of the machine, and beside these two the others took up to three times as long.
 */
export async function benchHindered(): Promise<void> {
  console.log(`The same while something is wrong on the replicas, ${failovers} of each in turn`);
  await inTurn(await connectEngine({ host: await engineHost() }), [
    () => keep('quorum, a replica hangs (limit: 5 s)', quorum, true, hangOne),
    () => keep('quorum, reports on all replicas (limit: 5 s)', quorum, true, reportOnAll),
  ]);
}

/** Opens a cluster for each way, and has each lose its leader in each turn, after what is to be done first. */
async function inTurn(
  engine: Engine,
  ways: readonly (() => Promise<Kept>)[],
  floors: readonly Course[] = [],
  runFirst = (): Promise<void> => Promise.resolve(),
): Promise<void> {
  const kept: Kept[] = [];
  try {
    for (const open of ways) kept.push(await open());
    for (let count = 0; count < failovers; count += 1) {
      await runFirst();
      for (const each of kept) await runKept(engine, each);
    }
  } finally {
    print(floors, kept);
    await Promise.all(kept.map(({ stage }) => stage.close()));
  }
}

function print(floors: readonly Course[], kept: readonly Kept[]): void {
  const courses = [...floors, ...kept.map(({ course }) => course)];
  const report = (pick: (death: Death) => number): void => {
    for (const { what, deaths } of courses) reportTail(what, deaths.map(pick));
  };
  report(({ first }) => first);
  console.log('  the same from when the engine had answered the kill');
  report(({ first, dead }) => first - dead);
  console.log('  until each of 8 clients that give a connection up after 200 to 340 ms has written');
  report(({ all }) => all);
  console.log('  until a client without any connect timeout has written');
  report(({ patient }) => patient);
  for (const { course } of kept) {
    console.log(`  where the time goes, medians since the kill: ${course.what}`);
    course.timeline.print();
    if (course.other > 0) console.log(`    left out, since it went another way: ${course.other}`);
  }
  console.log('');
}

async function keep(what: string, options: StageOptions, moves: boolean, beside?: Beside): Promise<Kept> {
  return { stage: await openStage(options), course: newCourse(what), moves, beside, changedAt: 0 };
}

async function openStage(options: StageOptions): Promise<Stage> {
  const stage = await Stage.open(options);
  const { leader } = await stage.converge(settleMs);
  await psql(leader.node.container, 'CREATE TABLE checked (value bigint)');
  return stage;
}

async function runFloors(engine: Engine, restarting: Course, promoting: Course): Promise<void> {
  const stage = await openStage({ mode: 'async', delay: '1h' });
  try {
    await stage.daemon.stop();
    const [primary = '', replica = ''] = stage.nodes.map(({ container }) => container);
    const network = `${stage.cluster.name}_rw`;
    const address = (await engine.inspectContainer(primary))?.networks[network]?.address;
    if (address === undefined) throw new Error(`${primary} holds no write address`);
    await awaitStreaming(primary);
    restarting.deaths.push(
      await die(stage, engine, primary, async () => {
        await engine.startContainer(primary);
      }),
    );
    await awaitStreaming(primary);
    const promote = ['psql', '-XAtq', '-h', '/var/run/postgresql', '-U', 'postgres', '-c', 'SELECT pg_promote(false)'];
    promoting.deaths.push(
      await die(stage, engine, primary, async () => {
        await Promise.all([
          engine.exec(replica, { command: promote }),
          engine.disconnectNetwork(network, primary).then(() => engine.connectNetwork(network, replica, { address })),
        ]);
      }),
    );
  } finally {
    await stage.close();
  }
}

async function awaitStreaming(primary: string): Promise<void> {
  await until(
    `both replicas follow ${primary}`,
    () => psql(primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"),
    (count) => count === '2',
  );
}

/** Kills a leader under eight writers, does what is to be done then, and waits until all write again. */
async function die(stage: Stage, engine: Engine, leader: string, mend?: () => Promise<void>): Promise<Death> {
  const clients = await WriteClients.start(stage.port, password);
  try {
    await delay(200 + Math.random() * 500);
    const killed = performance.now();
    await engine.killContainer(leader, 'SIGKILL');
    // Sessions with it were cut when it died, some time before the engine says so: what is acknowledged from now on is
    // acknowledged by whoever leads next.
    const dead = performance.now();
    await mend?.();
    const [writes, patient] = await Promise.all([clients.allSince(dead), clients.patientSince(dead)]);
    return {
      dead: dead - killed,
      first: (writes[0] ?? NaN) - killed,
      all: (writes.at(-1) ?? NaN) - killed,
      patient: patient - killed,
    };
  } finally {
    await clients.stop();
  }
}

async function runKept(engine: Engine, kept: Kept): Promise<void> {
  const { stage, course, moves, beside } = kept;
  await delay(kept.changedAt + coolDown - Date.now());
  const { leader: before } = await settle(stage);
  const injected = await beside?.(stage, before.node.container);
  const logged = stage.daemon.log().length;
  const clock = Date.now() - performance.now();
  let killedAt = 0;
  const death = await die(
    stage,
    {
      ...engine,
      killContainer: async (ref, signal) => {
        killedAt = clock + performance.now();
        await engine.killContainer(ref, signal);
      },
    },
    before.node.container,
  ).finally(() => injected?.release());
  kept.changedAt = Date.now();
  const { leader: after } = await settle(stage);
  if ((after.node.name !== before.node.name) !== moves) {
    course.other += 1;
    return;
  }
  course.deaths.push(death);
  const names = new Map(
    stage.nodes.map(({ name }) => [
      name,
      name === before.node.name ? 'OLD' : name === after.node.name ? 'NEW' : 'THIRD',
    ]),
  );
  course.timeline.add(stage.daemon.log().slice(logged), killedAt, killedAt + death.first, names, death.dead);
}

/** Waits until all is well and the daemon has nothing left to do. */
async function settle(stage: Stage): ReturnType<Stage['converge']> {
  await stage.converge(settleMs);
  await stage.daemon.become('Reconciling', 'False');
  return stage.converge(settleMs);
}

/** The longest time without an acknowledged write while leadership is handed over, and what the command takes. */
export async function benchSwitchover(): Promise<void> {
  console.log(`The longest time between two writes through the balancer around a switchover, ${switchovers} of each`);
  const stages: { readonly mode: string; readonly stage: Stage; readonly took: number[][]; failed: string[] }[] = [];
  try {
    for (const mode of ['async', 'quorum'] as const) {
      stages.push({ mode, stage: await openStage({ mode }), took: [[], [], []], failed: [] });
    }
    for (let count = 0; count < switchovers; count += 1) {
      for (const { stage, took, failed } of stages) {
        const figures = await handOver(stage);
        if (typeof figures === 'string') failed.push(figures);
        else for (const [index, each] of figures.entries()) took[index]?.push(each);
      }
    }
  } finally {
    for (const { mode, took, failed } of stages) {
      const [gaps = [], patient = [], commands = []] = took;
      reportTail(`${mode}: eight clients, connect timeouts of 200 to 340 ms`, gaps);
      reportTail(`${mode}: one client without any connect timeout`, patient);
      reportTail(`${mode}: pgherd switchover, whole process`, commands);
      for (const why of failed) console.log(`  ${mode}: left out, since nothing was handed over: ${why}`);
    }
    console.log('');
    await Promise.all(stages.map(({ stage }) => stage.close()));
  }
}

/** Gives the three figures, or what was said where the leader leads as before. */
async function handOver(stage: Stage): Promise<readonly number[] | string> {
  const { leader: before } = await settle(stage);
  const clients = await WriteClients.start(stage.port, password);
  try {
    await delay(300);
    const begin = performance.now();
    const { code, stdout, stderr } = await stage.cluster.pgherd(['switchover', 'lb1', stage.cluster.file]);
    const done = performance.now();
    if (code !== 0) return `exit code ${String(code)}\n${stdout}${stderr}`;
    await Promise.all([clients.allSince(done), clients.patientSince(done)]);
    const { leader: after } = await settle(stage);
    if (after.node.name === before.node.name) return `${after.node.name} leads as before\n${stdout}`;
    const ran = { begin, end: performance.now() };
    return [
      longestGap(
        clients.acknowledged().filter((at) => at > begin),
        ran,
      ),
      longestGap(
        clients.acknowledgedToPatient().filter((at) => at > begin),
        ran,
      ),
      done - begin,
    ];
  } finally {
    await clients.stop();
  }
}
