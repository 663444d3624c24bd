import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseRecord } from '../../src/postgres/record.ts';
import { findHandover, requestHandover } from '../../src/reconcile/requests.ts';
import { observe } from '../../src/reconcile/observe.ts';
import { newestRecord } from '../../src/reconcile/group.ts';
import { databaseOf } from '../bench/fake-engine-programs.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { ControllerDied, FakeWorld, type FakeCall, type FakeHooks } from '../bench/fake-engine.ts';
import { findFaults, leastFile, planOf, run, volumesWithData, type File, type Run } from './simulation.ts';

// Two questions that tell whether a server stands still lie a second apart. Whoever asks again and again keeps no timer from
// its time.
vi.mock('node:timers/promises', () => ({
  setTimeout: () =>
    new Promise((resolve) => {
      setImmediate(resolve);
    }),
}));

/** Runs of each property: few, so that the unit tests stay within seconds; `PROPERTY_RUNS=1000` searches. */
const numRuns = Number(process.env['PROPERTY_RUNS'] ?? 5);
vi.setConfig({ testTimeout: 10_000 + numRuns * 1000 });

/** Whoever takes over does so at once. */
const file: File = {
  ...leastFile,
  failover: { delay: '0s' },
  groups: leastFile.groups.map((group) => ({ ...group, slots: [1, 2] })),
};
const quorum: File = { ...file, replication: { mode: 'quorum' } };

const nodesOf = (engine: FakeWorld): readonly FakeContainer[] =>
  [...engine.containers.values()].filter(({ spec }) => spec.labels['pgherd.kind'] === 'node');

/** Those that take writes, or would go on to if somebody woke them. */
const leadersOf = (engine: FakeWorld): readonly FakeContainer[] =>
  nodesOf(engine).filter((each) => each.isUp && each.process?.serves === 'leader');

function leaderOf(engine: FakeWorld): FakeContainer {
  const [leader] = leadersOf(engine);
  if (leader === undefined) throw new Error('nobody leads');
  return leader;
}

/** Writes a row that every replica has when this returns. */
function write(engine: FakeWorld, row: string): void {
  databaseOf(leaderOf(engine))?.rows.push(row);
  engine.advance(0);
}

/** Writes a row that no replica has. */
function writeUnseen(engine: FakeWorld, row: string): void {
  databaseOf(leaderOf(engine))?.rows.push(row);
}

const kill = async (engine: FakeWorld): Promise<void> => {
  await engine.connect().engine.killContainer(leaderOf(engine).id, 'SIGKILL');
};

type Incident = {
  readonly what: string;
  readonly file: File;
  /** What it was brought up with, where that is another one. */
  readonly before?: File;
  readonly happens: (engine: FakeWorld) => Promise<void>;
  /** Somebody else leads afterwards, where nothing else happens. */
  readonly moves: boolean;
};

const handOver =
  (to: number | undefined) =>
  async (engine: FakeWorld): Promise<void> => {
    const { engine: hand } = engine.connect();
    const found = newestRecord((await observe(hand, 'shop', undefined)).nodes);
    if (found === undefined) throw new Error('there is no record');
    const handover = { kind: 'switchover', to, until: Number.MAX_SAFE_INTEGER } as const;
    await requestHandover(hand, 'shop', 'lb1', handover, found.record);
  };

const killedAhead = async (engine: FakeWorld): Promise<void> => {
  writeUnseen(engine, 'seen by nobody else');
  await kill(engine);
};

const killedWithOneDown = async (engine: FakeWorld): Promise<void> => {
  await engine.connect().engine.killContainer('shop-lb1-replica2', 'SIGKILL');
  await kill(engine);
};

const crashes = async (engine: FakeWorld): Promise<void> => {
  engine.crash(leaderOf(engine).id);
};

const isPaused = async (engine: FakeWorld): Promise<void> => {
  engine.pause(leaderOf(engine).id);
};

/** What only a restart changes: replicas first where it is more, the leader first where it is less. */
const withConnections = (said: File, maxConnections: number): File => ({
  ...said,
  groups: said.groups.map((group) => ({ ...group, maxConnections })),
});

const incidents: readonly Incident[] = [
  { what: 'whose leader is killed', file, happens: kill, moves: true },
  { what: 'whose leader is killed with a row that nobody else has', file, happens: killedAhead, moves: true },
  { what: 'that was asked for a switchover', file, happens: handOver(undefined), moves: true },
  { what: 'that was asked for a switchover to one of its replicas', file, happens: handOver(2), moves: true },
  { what: 'whose leader crashes again and again', file, happens: crashes, moves: true },
  { what: 'whose leader is paused', file, happens: isPaused, moves: false },
  {
    what: 'with a quorum, whose leader is killed while a replica is down',
    file: quorum,
    happens: killedWithOneDown,
    moves: true,
  },
  { what: 'with a quorum, whose leader is killed', file: quorum, happens: kill, moves: true },
  ...[
    { what: 'whose leader is killed as its file raises', said: file, from: 200, to: 300 },
    { what: 'with a quorum, whose leader is killed as its file raises', said: quorum, from: 200, to: 300 },
    { what: 'with a quorum, whose leader is killed as its file lowers', said: quorum, from: 300, to: 200 },
  ].map(({ what, said, from, to }) => ({
    what: `${what} what a restart applies`,
    file: withConnections(said, to),
    before: withConnections(said, from),
    happens: kill,
    moves: true,
  })),
  { what: 'with a quorum, that was asked for a switchover', file: quorum, happens: handOver(1), moves: true },
];

/** A group that is well, with rows that all of its servers have, and what happens to it. */
async function begin({ file: said, before = said, happens }: Incident, seed: number): Promise<FakeWorld> {
  const engine = new FakeWorld(seed);
  const { result } = await run(engine, before);
  expect(result.converged).toBe(true);
  for (const row of ['one', 'two', 'three']) write(engine, row);
  await happens(engine);
  return engine;
}

/** Asserts before and after every call that there are no two leaders. */
function watching(engine: FakeWorld, more: FakeHooks = {}): FakeHooks {
  const check = (call: FakeCall): void => {
    const names = leadersOf(engine).map(({ name }) => name);
    if (names.length > 1) throw new Error(`${names.join(' and ')} lead at call ${String(call.index)} (${call.method})`);
  };
  return {
    before: (call) => {
      check(call);
      more.before?.(call);
    },
    after: (call) => {
      check(call);
      more.after?.(call);
    },
  };
}

/** Who died and had nothing left to do for the next one may have left a lock that never ran, which anybody may remove. */
function removeDeadLock(engine: FakeWorld): void {
  const lock = engine.find('pgherd-lock-shop');
  if (lock?.state === 'created') engine.containers.delete(lock.id);
}

/** What is wrong after an incident; nothing where one leads, all follow it, and every row is there. */
function findLosses(engine: FakeWorld, said: File): readonly string[] {
  const faults = [...findFaults(engine, said)];
  const leader = leaderOf(engine);
  const database = databaseOf(leader);
  const rows = database?.rows ?? [];
  for (const row of ['one', 'two', 'three']) if (!rows.includes(row)) faults.push(`${leader.name} has not ${row}`);
  for (const node of nodesOf(engine)) {
    const own = databaseOf(node);
    if (own?.rows.join() !== rows.join()) faults.push(`${node.name} has ${own?.rows.join() ?? 'nothing'}`);
    if (own?.timeline !== database?.timeline) faults.push(`${node.name} is on timeline ${String(own?.timeline)}`);
    const record = parseRecord(node.view.read('/var/lib/postgresql/data/pgherd/record') ?? '');
    if (String(record?.leader) !== leader.spec.labels['pgherd.node']) {
      faults.push(`the record of ${node.name} says ${String(record?.leader)}`);
    }
    if (node.restart !== 'always') faults.push(`${node.name} is restarted ${node.restart}`);
  }
  if ((database?.timeline ?? 0) > 2) faults.push(`timeline ${String(database?.timeline)}: promoted more than once`);
  return faults;
}

const messages = (failures: readonly { readonly error: Error }[]): readonly string[] =>
  failures.map(({ error }) => error.message);

/** Runs until nobody asks to look again later. */
async function runOn(engine: FakeWorld, said: File): Promise<Run> {
  for (let times = 0; ; times += 1) {
    const made = await run(engine, said, () => watching(engine));
    if (made.result.recheck === undefined || times === 3) return made;
    engine.advance(made.result.recheck + engine.healthAfter);
  }
}

describe.each(incidents)('a group $what', (incident) => {
  const { file: said, moves } = incident;

  it('has one leader then, whom all others follow, and nothing is lost', async () => {
    const engine = await begin(incident, 1);
    const before = nodesOf(engine).find(({ spec }) => spec.labels['pgherd.node'] === '0')?.name;
    const { result } = await runOn(engine, said);
    expect({ ...result, failures: messages(result.failures) }).toMatchObject({
      converged: true,
      blocked: [],
      failures: [],
    });
    expect(findLosses(engine, said)).toEqual([]);
    expect(leaderOf(engine).name !== before).toBe(moves);
    expect((await planOf(engine, said)).steps).toEqual([]);
    if (incident.happens === killedAhead) {
      // Nobody acknowledged it to the group, and yet it is not thrown away.
      const kept = volumesWithData(engine).filter(({ database }) => database?.rows.includes('seen by nobody else'));
      expect(kept.map(({ name }) => name)).toEqual(['shop_lb1_0_1']);
    }
  });

  it.each(['before', 'after'] as const)(
    'and whose controller dies %s any call is finished by the next one: one leader, never two, and nothing is lost',
    async (when) => {
      await fc.assert(
        fc.asyncProperty(fc.nat(260), fc.nat(2 ** 31), async (at, seed) => {
          const engine = await begin(incident, seed);
          const rows = volumesWithData(engine).flatMap(({ database }) => database?.rows ?? []);
          const death: unknown = await run(engine, said, (die) =>
            watching(engine, {
              [when]: ({ index }: FakeCall) => {
                if (index !== at) return;
                die();
                throw new ControllerDied('died');
              },
            }),
          ).catch((thrown: unknown) => thrown);
          if (death instanceof Error) expect(death).toBeInstanceOf(ControllerDied);
          const { result } = await runOn(engine, said);
          removeDeadLock(engine);
          expect({ ...result, failures: messages(result.failures) }).toMatchObject({
            converged: true,
            blocked: [],
            failures: [],
          });
          expect(findLosses(engine, said)).toEqual([]);
          const left = volumesWithData(engine).flatMap(({ database }) => database?.rows ?? []);
          expect(rows.filter((row) => !left.includes(row))).toEqual([]);
          expect((await planOf(engine, said)).steps).toEqual([]);
        }),
        { numRuns },
      );
    },
  );
});

describe('a leader that is taken out of service', () => {
  it.each(incidents.filter(({ moves }) => moves))(
    'of a group $what, may be started by hand at any moment: it never leads beside another one',
    async (incident) => {
      await fc.assert(
        fc.asyncProperty(fc.nat(150), fc.nat(2 ** 31), async (at, seed) => {
          const engine = await begin(incident, seed);
          const { engine: hand } = engine.connect();
          const made = await run(engine, incident.file, () =>
            watching(engine, {
              after: ({ index }) => {
                if (index === at) void hand.startContainer('shop-lb1-primary').catch(() => undefined);
              },
            }),
          );
          const { result } = made.result.recheck === undefined ? made : await runOn(engine, incident.file);
          expect({ ...result, failures: messages(result.failures) }).toMatchObject({
            converged: true,
            blocked: [],
            failures: [],
          });
          removeDeadLock(engine);
          expect(findLosses(engine, incident.file)).toEqual([]);
        }),
        { numRuns },
      );
    },
  );
});

describe('a switchover', () => {
  it('to a replica that does not receive the last word is called off: the leader leads again with all it wrote', async () => {
    const engine = await begin({ what: '', file, happens: handOver(undefined), moves: false }, 1);
    const leader = leaderOf(engine);
    const made = await run(engine, file, () =>
      watching(engine, {
        before: ({ method, args }) => {
          if (method !== 'stopContainer' || args[0] !== leader.id) return;
          // Their connections break as the leader is about to stop.
          databaseOf(leader)?.slots.clear();
          writeUnseen(engine, 'the last row');
        },
      }),
    );
    expect(made.result).toMatchObject({ converged: true, blocked: [] });
    const called = made.progress.filter((each) => each.type === 'step-started').map(({ step }) => step.id);
    expect(called).toContain('group/lb1: end-request');
    expect(called).not.toContain('group/lb1: write-leader');
    expect(leaderOf(engine)).toBe(leader);
    expect(databaseOf(leader)?.rows).toContain('the last row');
    const record = parseRecord(leader.view.read('/var/lib/postgresql/data/pgherd/record') ?? '');
    expect(record).toMatchObject({ leader: 0 });
    const { nodes } = await observe(engine.connect().engine, 'shop', undefined);
    expect(findHandover(nodes, { epoch: 1, version: 1, leader: 0, members: [] })).toBeUndefined();
  });

  it('that is called off while the controller dies loses nothing either', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(150), fc.nat(2 ** 31), async (at, seed) => {
        const engine = await begin({ what: '', file, happens: handOver(undefined), moves: false }, seed);
        const leader = leaderOf(engine);
        const last = { isWritten: false };
        const death: unknown = await run(engine, file, (die) =>
          watching(engine, {
            before: ({ index, method, args }) => {
              if (!last.isWritten && method === 'stopContainer' && args[0] === leader.id) {
                last.isWritten = true;
                databaseOf(leader)?.slots.clear();
                writeUnseen(engine, 'the last row');
              }
              if (index !== at) return;
              die();
              throw new ControllerDied('died');
            },
          }),
        ).catch((thrown: unknown) => thrown);
        if (death instanceof Error) expect(death).toBeInstanceOf(ControllerDied);
        await runOn(engine, file);
        if (last.isWritten) expect(databaseOf(leaderOf(engine))?.rows).toContain('the last row');
      }),
      { numRuns },
    );
  });

  it('to the node that leads already is nothing to do', async () => {
    const engine = await begin({ what: '', file, happens: handOver(0), moves: false }, 1);
    const leader = leaderOf(engine);
    const { result, calls } = await run(engine, file, () => watching(engine));
    expect(result).toMatchObject({ converged: true, done: 0 });
    expect(calls.filter(({ method }) => method === 'stopContainer' || method === 'killContainer')).toEqual([]);
    expect(leaderOf(engine)).toBe(leader);
    expect(findLosses(engine, file)).toEqual([]);
  });
});

/** Something else that happens to a server while nobody looks. */
const faults = ['started by hand', 'killed', 'stopped', 'crashed', 'paused', 'removed'] as const;
const someFaults = fc.array(fc.record({ what: fc.constantFrom(...faults), nth: fc.nat(2) }), {
  minLength: 1,
  maxLength: 2,
});

async function strike(engine: FakeWorld, what: (typeof faults)[number], nth: number): Promise<void> {
  const { engine: hand } = engine.connect();
  const node = nodesOf(engine)[nth];
  if (node === undefined) return;
  if (what === 'started by hand') await hand.startContainer(node.id).catch(() => undefined);
  else if (what === 'killed') await hand.killContainer(node.id, 'SIGKILL').catch(() => undefined);
  else if (what === 'stopped') await hand.stopContainer(node.id, 1);
  else if (what === 'crashed') engine.crash(node.id);
  else if (what === 'paused') engine.pause(node.id);
  else await hand.removeContainer(node.id);
  engine.advance(100);
}

describe.each(incidents)('a group $what, to which more happens when the controller has died', (incident) => {
  const { file: said } = incident;

  it('is brought to one leader all the same, never has two, and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(200), someFaults, fc.nat(2 ** 31), async (at, more, seed) => {
        const engine = await begin(incident, seed);
        const death: unknown = await run(engine, said, (die) =>
          watching(engine, {
            after: ({ index }) => {
              if (index !== at) return;
              die();
              throw new ControllerDied('died');
            },
          }),
        ).catch((thrown: unknown) => thrown);
        if (death instanceof Error) expect(death).toBeInstanceOf(ControllerDied);
        for (const { what, nth } of more) await strike(engine, what, nth);
        const { result } = await runOn(engine, said);
        removeDeadLock(engine);
        expect({ ...result, failures: messages(result.failures) }).toMatchObject({
          converged: true,
          blocked: [],
          failures: [],
        });
        expect(findLosses(engine, said).filter((each) => !each.includes('more than once'))).toEqual([]);
      }),
      { numRuns },
    );
  });
});
