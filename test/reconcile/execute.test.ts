import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { ActionContext } from '../../src/reconcile/actions.ts';
import { execute, type Executed } from '../../src/reconcile/execute.ts';
import { createStepQueue } from '../../src/reconcile/step-queue.ts';
import type { Step } from '../../src/reconcile/plan.ts';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

/** A step that makes a volume of its name, which takes the engine as long as the test says. */
function make(id: string, ...after: readonly string[]): Step {
  return { id, resource: id, action: { do: 'create-volume', name: id, labels: {} }, after };
}

/** Does the steps on an engine that pulls as told, and notes what happens. */
async function carryOut(
  steps: readonly Step[],
  options: {
    readonly work?: (image: string) => Promise<void>;
    readonly concurrency?: number;
    readonly controller?: AbortController;
    /** Calls off the waits alone. */
    readonly waits?: AbortController;
  } = {},
): Promise<{ readonly events: readonly string[] } & Executed> {
  const {
    work = () => Promise.resolve(),
    concurrency = 16,
    controller = new AbortController(),
    waits = controller,
  } = options;
  const events: string[] = [];
  const context: ActionContext = {
    engine: {
      ...new FakeWorld().connect().engine,
      createVolume: async (name, labels) => {
        await work(name);
        return { name, labels, createdAt: '' };
      },
      pullImage: work,
    },
    cluster: 'shop',
    verifyLock: () => Promise.resolve(),
    epoch: () => 1,
    records: new Map(),
    remembered: new Map(),
    owners: new Owners(),
    passwordOf: () => undefined,
    readFile: () => Promise.reject(new Error('no files here')),
    randomBytes: (size) => Buffer.alloc(size),
    signal: waits.signal,
  };
  const { outcomes, underWay } = await execute(steps, context, {
    queue: createStepQueue(concurrency),
    signal: controller.signal,
    onStart: ({ id }) => events.push(`${id} starts`),
    onEnd: ({ step, result }) => events.push(`${step.id} ${result}`),
  });
  return { events, outcomes, underWay };
}

const refuse = (image: string) => (asked: string) =>
  asked === image ? Promise.reject(new PgherdError('image-missing', asked)) : Promise.resolve();

describe('the steps of a plan', () => {
  it('are done one after the other where one waits for another, whatever their order in the plan', async () => {
    const { events } = await carryOut([make('c', 'b'), make('a'), make('b', 'a')]);
    expect(events).toEqual(['a starts', 'a done', 'b starts', 'b done', 'c starts', 'c done']);
  });

  it('are done as many at once as allowed', async () => {
    let [running, most] = [0, 0];
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await carryOut(
      ['a', 'b', 'c', 'd', 'e'].map((id) => make(id)),
      { work, concurrency: 2 },
    );
    expect(most).toBe(2);
  });

  it('come back in the order of the plan', async () => {
    const { outcomes } = await carryOut([make('b', 'a'), make('a')]);
    expect(outcomes.map(({ step, result }) => `${step.id} ${result}`)).toEqual(['b done', 'a done']);
  });

  it('that wait for one that fails are skipped, and no others', async () => {
    const steps = [make('a'), make('b', 'a'), make('c', 'b'), make('d')];
    const { outcomes } = await carryOut(steps, { work: refuse('a') });
    expect(outcomes.map(({ result }) => result)).toEqual(['failed', 'skipped', 'skipped', 'done']);
  });

  it('that have begun are finished when the work is called off, and others not begun', async () => {
    const controller = new AbortController();
    const work = async (): Promise<void> => {
      controller.abort();
    };
    const { outcomes } = await carryOut([make('a'), make('b', 'a')], { work, controller });
    expect(outcomes.map(({ result }) => result)).toEqual(['done', 'skipped']);
  });

  it('whose wait is called off are not done, and have not failed', async () => {
    const calledOff = (): Promise<void> => Promise.reject(new PgherdError('interrupted', 'called off'));
    const { outcomes } = await carryOut([make('a'), make('b', 'a')], { work: calledOff });
    expect(outcomes.map(({ result }) => result)).toEqual(['skipped', 'skipped']);
  });

  it('that nothing calls off are not waited for', async () => {
    let end = (): void => undefined;
    const work = async (name: string): Promise<void> => {
      if (name !== 'pull') return;
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    };
    const pull: Step = { id: 'pull', resource: 'pull', action: { do: 'pull-image', image: 'pull' }, after: [] };
    const { outcomes, underWay } = await carryOut([make('a'), pull], { work });
    expect(outcomes.map(({ step, result }) => `${step.id} ${result}`)).toEqual(['a done']);
    expect(underWay.map(({ step }) => step.id)).toEqual(['pull']);
    end();
    expect(await underWay[0]?.outcome).toMatchObject({ result: 'done' });
  });

  it('that nothing calls off are begun though the waits were called off before', async () => {
    const controller = new AbortController();
    let end = (): void => undefined;
    const work = async (name: string): Promise<void> => {
      controller.abort();
      if (name !== 'pull') return;
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    };
    const pull: Step = { id: 'pull', resource: 'pull', action: { do: 'pull-image', image: 'pull' }, after: ['a'] };
    const { underWay, events } = await carryOut([make('a'), pull], { work, waits: controller });
    expect(underWay.map(({ step }) => step.id)).toEqual(['pull']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(['a starts', 'a done', 'pull starts']);
    end();
    expect(await underWay[0]?.outcome).toMatchObject({ result: 'done' });
  });

  it('that nothing calls off are not under way where what they come after was not done', async () => {
    const pull: Step = { id: 'pull', resource: 'pull', action: { do: 'pull-image', image: 'pull' }, after: ['a'] };
    const { outcomes, underWay, events } = await carryOut([make('a'), pull], { work: refuse('a') });
    expect(outcomes.map(({ step, result }) => `${step.id} ${result}`)).toEqual(['a failed', 'pull skipped']);
    expect(underWay).toEqual([]);
    expect(events).toEqual(['a starts', 'a failed', 'pull skipped']);
  });

  it('do not wait for what nothing calls off', async () => {
    const pull: Step = { id: 'pull', resource: 'pull', action: { do: 'pull-image', image: 'pull' }, after: [] };
    await expect(carryOut([pull, make('b', 'pull')])).rejects.toThrow('a step waits for what nothing calls off');
  });

  it('wait for nothing that is not in the plan', async () => {
    expect((await carryOut([make('a', 'elsewhere')])).outcomes.map(({ result }) => result)).toEqual(['done']);
  });
});

describe('a plan that is a bug', () => {
  it.each([
    ['with two steps of one name', [make('a'), make('a')], 'two steps of a plan have one id'],
    ['whose steps wait for each other', [make('a', 'b'), make('b', 'a')], 'a -> b'],
  ])('%s throws', async (_, steps, message) => {
    await expect(carryOut(steps)).rejects.toThrow(message);
  });

  it('whose step throws something else than a failure throws it', async () => {
    const work = (): Promise<void> => Promise.reject(new TypeError('a bug'));
    await expect(carryOut([make('a')], { work })).rejects.toThrow('a bug');
  });
});
