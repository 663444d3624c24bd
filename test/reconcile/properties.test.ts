import { createStepQueue } from '../../src/reconcile/step-queue.ts';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { execute } from '../../src/reconcile/execute.ts';
import { lookToDestroy, destroy } from '../../src/reconcile/destroy.ts';
import type { Plan, Step } from '../../src/reconcile/plan.ts';
import type { Progress } from '../../src/reconcile/work.ts';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';
import { databaseOf } from '../bench/fake-engine-programs.ts';
import { ControllerDied, FakeWorld, type FakeHooks } from '../bench/fake-engine.ts';
import {
  addForeign,
  apply,
  describeWorld,
  edits,
  files,
  findFaults,
  isMutating,
  passwordsOf,
  planOf,
  run,
  someDrift,
  volumesWithData,
  worldOf,
  type File,
  type Run,
} from './simulation.ts';

/** Rounds a run may take: one of them sees what else is to be done while databases are initialised. */
const mostRounds = 6;
/** Runs of each property: few, so that the unit tests stay within seconds; `PROPERTY_RUNS=1000` searches. */
const numRuns = Number(process.env['PROPERTY_RUNS'] ?? 12);
vi.setConfig({ testTimeout: 60_000 + numRuns * 5000 });
const seeds = fc.nat(2 ** 31);

/** The world after a file converged on an engine that has something of somebody else. */
async function build(file: File, seed: number): Promise<FakeWorld> {
  const engine = new FakeWorld(seed);
  await addForeign(engine);
  await run(engine, file);
  return engine;
}

function expectConverged({ result }: Run, engine: FakeWorld, file: File): void {
  expect({ ...result, failures: result.failures.map(({ error }) => error.message) }).toMatchObject({
    converged: true,
    blocked: [],
    failures: [],
  });
  expect(findFaults(engine, file)).toEqual([]);
}

/** A user's row in every group, by leader. */
function writeRows(engine: FakeWorld): void {
  for (const container of engine.containers.values()) {
    if (container.process?.serves === 'leader') databaseOf(container)?.rows.push(`kept by ${container.name}`);
  }
  engine.advance(0);
}

function rowsOf(engine: FakeWorld): readonly string[] {
  return volumesWithData(engine).flatMap(({ name, database }) =>
    (database?.rows ?? []).map((row) => `${name}: ${row}`),
  );
}

/** Lets the controller die at a call, before the engine does it or after. */
function dyingAt(index: number, when: 'before' | 'after'): (die: () => void) => FakeHooks {
  return (die) => ({
    [when]: (call: { readonly index: number }) => {
      if (call.index !== index) return;
      die();
      throw new ControllerDied('died');
    },
  });
}

describe('a file that converges on an empty engine', () => {
  it('leaves what it says, nothing to do and nothing of others touched', async () => {
    await fc.assert(
      fc.asyncProperty(files, seeds, async (file, seed) => {
        const engine = new FakeWorld(seed);
        const foreign = await addForeign(engine);
        const before = foreign();
        const first = await run(engine, file);
        expectConverged(first, engine, file);
        expect(first.rounds).toBeLessThanOrEqual(mostRounds);
        expect(await planOf(engine, file)).toMatchObject({ changes: [], steps: [], blocked: [] });
        const again = await run(engine, file);
        expect(again.result).toMatchObject({ converged: true, done: 0 });
        expect(again.calls.filter(isMutating)).toEqual([]);
        expect(foreign()).toBe(before);
      }),
      { numRuns },
    );
  });
});

describe('an edit', () => {
  it('converges to the edited file, keeps rows and volumes, and touches nothing of others', async () => {
    await fc.assert(
      fc.asyncProperty(edits, seeds, async ({ from, to }, seed) => {
        const engine = new FakeWorld(seed);
        const foreign = await addForeign(engine);
        const before = foreign();
        await run(engine, from);
        writeRows(engine);
        const [volumes, rows] = [volumesWithData(engine).map(({ name }) => name), rowsOf(engine)];
        const edited = await run(engine, to);
        expectConverged(edited, engine, to);
        expect(edited.rounds).toBeLessThanOrEqual(mostRounds);
        expect(await planOf(engine, to)).toMatchObject({ changes: [], steps: [], blocked: [] });
        expect(foreign()).toBe(before);
        if (to.onRemove === 'delete') return;
        expect(volumesWithData(engine).map(({ name }) => name)).toEqual(expect.arrayContaining(volumes));
        expect(rowsOf(engine)).toEqual(expect.arrayContaining([...rows]));
      }),
      { numRuns },
    );
  });
});

describe('drift', () => {
  it('is mended, whatever it was, with rows and volumes kept, but for clones cut short', async () => {
    await fc.assert(
      fc.asyncProperty(files, someDrift, seeds, async (file, drift, seed) => {
        const engine = await build(file, seed);
        writeRows(engine);
        for (const each of drift) await apply(engine, each);
        const [volumes, rows] = [volumesWithData(engine).map(({ name }) => name), rowsOf(engine)];
        const mended = await run(engine, file);
        expectConverged(mended, engine, file);
        expect(mended.rounds).toBeLessThanOrEqual(mostRounds);
        expect(volumesWithData(engine).map(({ name }) => name)).toEqual(expect.arrayContaining(volumes));
        expect(rowsOf(engine)).toEqual(expect.arrayContaining([...rows]));
      }),
      { numRuns },
    );
  });
});

describe('a plan', () => {
  it('has steps of their own names, that wait for steps it has, and never in a circle', async () => {
    await fc.assert(
      fc.asyncProperty(edits, someDrift, seeds, async ({ from, to }, drift, seed) => {
        const engine = await build(from, seed);
        for (const each of drift) await apply(engine, each);
        const { progress } = await run(engine, to);
        for (const plan of plansOf(progress)) {
          const ids = plan.steps.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(plan.steps.flatMap(({ after }) => after).filter((id) => !ids.includes(id))).toEqual([]);
          expect(inOrder(plan.steps)).toHaveLength(ids.length);
        }
        expect(findEarlyStarts(progress)).toEqual([]);
      }),
      { numRuns },
    );
  });

  it('may be left after any of its steps: the next run comes to the same end', async () => {
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(40), seeds, async ({ from, to }, length, seed) => {
        const whole = await build(from, seed);
        expectConverged(await run(whole, to), whole, to);
        const engine = await build(from, seed);
        const { steps } = await planOf(engine, to);
        const { engine: client } = engine.connect();
        const world = worldOf(engine);
        const prefix = inOrder(steps).slice(0, length);
        await execute(
          prefix,
          {
            engine: client,
            cluster: 'shop',
            verifyLock: () => Promise.resolve(),
            // Later than any before.
            epoch: () => 2 ** 41,
            records: new Map(),
            remembered: new Map(),
            owners: new Owners(),
            passwordOf: (await passwordsOf(to)).of,
            readFile: world.readFile,
            randomBytes: world.randomBytes,
            signal: new AbortController().signal,
          },
          {
            queue: createStepQueue(16),
            signal: new AbortController().signal,
            onStart: () => undefined,
            onEnd: () => undefined,
          },
        );
        expectConverged(await run(engine, to), engine, to);
        expect(describeWorld(engine)).toEqual(describeWorld(whole));
      }),
      { numRuns },
    );
  });
});

describe('a controller that dies', () => {
  it.each(['before', 'after'] as const)(
    '%s any call leaves what the next run finishes, at the same end',
    async (when) => {
      await fc.assert(
        fc.asyncProperty(files, edits, fc.boolean(), fc.nat(250), seeds, async (file, edit, isFresh, at, seed) => {
          const from = isFresh ? undefined : edit.from;
          const to = isFresh ? file : edit.to;
          const start = async (): Promise<FakeWorld> =>
            from === undefined ? new FakeWorld(seed) : await build(from, seed);
          const whole = await start();
          expectConverged(await run(whole, to), whole, to);
          const engine = await start();
          writeRows(engine);
          const rows = rowsOf(engine);
          const death: unknown = await run(engine, to, dyingAt(at, when)).catch((thrown: unknown) => thrown);
          if (death instanceof Error) expect(death).toBeInstanceOf(ControllerDied);
          const next = await run(engine, to);
          expectConverged(next, engine, to);
          if (to.onRemove === 'retain') expect(rowsOf(engine)).toEqual(expect.arrayContaining([...rows]));
          const mine = (lines: readonly string[]): readonly string[] =>
            lines.filter((line) => !line.includes('foreign'));
          expect(mine(describeWorld(engine))).toEqual(mine(describeWorld(whole)));
        }),
        { numRuns },
      );
    },
  );
});

describe('an engine that refuses a call or loses its answer', () => {
  it.each(['before', 'after'] as const)('(%s) is asked again, or told of', async (when) => {
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(250), seeds, async ({ from, to }, at, seed) => {
        const engine = await build(from, seed);
        const lost = new PgherdError('reply-lost', 'the connection broke', { retry: true });
        const told: unknown = await run(engine, to, () => ({
          [when]: ({ index }: { readonly index: number }) => {
            if (index === at) throw lost;
          },
        })).catch((thrown: unknown) => thrown);
        if (told instanceof Error) expect(told).toBe(lost);
        expectConverged(await run(engine, to), engine, to);
      }),
      { numRuns },
    );
  });
});

describe('destroy', () => {
  it('leaves the volumes, and everything else of the cluster not; the file then brings the rows back', async () => {
    await fc.assert(
      fc.asyncProperty(files, someDrift, fc.boolean(), seeds, async (file, drift, withVolumes, seed) => {
        const engine = new FakeWorld(seed);
        const foreign = await addForeign(engine);
        const before = foreign();
        await run(engine, file);
        writeRows(engine);
        const volumes = [...engine.volumes.keys()];
        for (const each of drift) await apply(engine, each);
        const rows = rowsOf(engine);
        const { engine: client } = engine.connect();
        const result = await destroy(client, 'shop', withVolumes, worldOf(engine), {
          timeout: 3_600_000,
          signal: new AbortController().signal,
          queue: createStepQueue(16),
          onProgress: () => undefined,
        });
        expect(result.converged).toBe(true);
        expect((await lookToDestroy(client, 'shop', withVolumes)).steps).toEqual([]);
        expect([...engine.containers.values()].map(({ name }) => name)).toEqual(['foreign']);
        expect([...engine.networks.values()].map(({ name }) => name)).toEqual(['foreign']);
        expect(foreign()).toBe(before);
        expect([...engine.volumes.keys()]).toEqual(withVolumes ? ['foreign'] : volumes);
        expectConverged(await run(engine, file), engine, file);
        if (!withVolumes) expect(rowsOf(engine)).toEqual(expect.arrayContaining([...rows]));
      }),
      { numRuns },
    );
  });
});

function plansOf(progress: readonly Progress[]): readonly Plan[] {
  return progress.flatMap((each) => (each.type === 'planned' ? [each.plan] : []));
}

/** Steps that began before one they wait for was done. */
function findEarlyStarts(progress: readonly Progress[]): readonly string[] {
  let done = new Set<string>();
  return progress.flatMap((each) => {
    if (each.type === 'planned') done = new Set();
    if (each.type === 'step-ended' && each.outcome.result === 'done') done.add(each.outcome.step.id);
    if (each.type !== 'step-started') return [];
    const { id, after } = each.step;
    return after.filter((other) => !done.has(other)).map((other) => `${id} before ${other}`);
  });
}

/** The steps, each after those it waits for; those that wait in a circle are left out. */
function inOrder(steps: readonly Step[]): readonly Step[] {
  const placed = new Map<string, Step>();
  for (let size = -1; size !== placed.size;) {
    size = placed.size;
    for (const step of steps) if (step.after.every((id) => placed.has(id))) placed.set(step.id, step);
  }
  return [...placed.values()];
}
