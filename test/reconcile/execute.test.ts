import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { execute, type Outcome } from '../../src/reconcile/execute.ts';
import type { Step } from '../../src/reconcile/plan.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

/** A step that pulls the image of its name, which takes the engine as long as the test says. */
function pull(id: string, ...after: readonly string[]): Step {
  return { id, resource: id, action: { do: 'pull-image', image: id }, after };
}

/** Does the steps on an engine that pulls as told, and notes what happens. */
async function carryOut(
  steps: readonly Step[],
  options: {
    readonly pullImage?: (image: string) => Promise<void>;
    readonly concurrency?: number;
    readonly controller?: AbortController;
  } = {},
): Promise<{ readonly events: readonly string[]; readonly outcomes: readonly Outcome[] }> {
  const { pullImage = () => Promise.resolve(), concurrency = 16, controller = new AbortController() } = options;
  const events: string[] = [];
  const context: ActionContext = {
    engine: { ...new FakeWorld().connect().engine, pullImage },
    cluster: 'shop',
    verifyLock: () => Promise.resolve(),
    records: new Map(),
    owners: new Map(),
    passwordOf: () => undefined,
    readFile: () => Promise.reject(new Error('no files here')),
    randomBytes: (size) => Buffer.alloc(size),
    signal: controller.signal,
  };
  const outcomes = await execute(steps, context, {
    concurrency,
    signal: controller.signal,
    onStart: ({ id }) => events.push(`${id} starts`),
    onEnd: ({ step, result }) => events.push(`${step.id} ${result}`),
  });
  return { events, outcomes };
}

const refuse = (image: string) => (asked: string) =>
  asked === image ? Promise.reject(new PgherdError('image-missing', asked)) : Promise.resolve();

describe('the steps of a plan', () => {
  it('are done one after the other where one waits for another, whatever their order in the plan', async () => {
    const { events } = await carryOut([pull('c', 'b'), pull('a'), pull('b', 'a')]);
    expect(events).toEqual(['a starts', 'a done', 'b starts', 'b done', 'c starts', 'c done']);
  });

  it('are done as many at once as allowed', async () => {
    let [running, most] = [0, 0];
    const pullImage = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await carryOut(
      ['a', 'b', 'c', 'd', 'e'].map((id) => pull(id)),
      { pullImage, concurrency: 2 },
    );
    expect(most).toBe(2);
  });

  it('come back in the order of the plan', async () => {
    const { outcomes } = await carryOut([pull('b', 'a'), pull('a')]);
    expect(outcomes.map(({ step, result }) => `${step.id} ${result}`)).toEqual(['b done', 'a done']);
  });

  it('that wait for one that fails are skipped, and no others', async () => {
    const steps = [pull('a'), pull('b', 'a'), pull('c', 'b'), pull('d')];
    const { outcomes } = await carryOut(steps, { pullImage: refuse('a') });
    expect(outcomes.map(({ result }) => result)).toEqual(['failed', 'skipped', 'skipped', 'done']);
  });

  it('that have begun are finished when the work is called off, and others not begun', async () => {
    const controller = new AbortController();
    const pullImage = async (): Promise<void> => {
      controller.abort();
    };
    const { outcomes } = await carryOut([pull('a'), pull('b', 'a')], { pullImage, controller });
    expect(outcomes.map(({ result }) => result)).toEqual(['done', 'skipped']);
  });

  it('wait for nothing that is not in the plan', async () => {
    expect((await carryOut([pull('a', 'elsewhere')])).outcomes.map(({ result }) => result)).toEqual(['done']);
  });
});

describe('a plan that is a bug', () => {
  it.each([
    ['with two steps of one name', [pull('a'), pull('a')], 'two steps of a plan have one id'],
    ['whose steps wait for each other', [pull('a', 'b'), pull('b', 'a')], 'a -> b'],
  ])('%s throws', async (_, steps, message) => {
    await expect(carryOut(steps)).rejects.toThrow(message);
  });

  it('whose step throws something else than a failure throws it', async () => {
    const pullImage = (): Promise<void> => Promise.reject(new TypeError('a bug'));
    await expect(carryOut([pull('a')], { pullImage })).rejects.toThrow('a bug');
  });
});
