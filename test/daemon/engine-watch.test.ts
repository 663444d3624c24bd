import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { watchEngine } from '../../src/daemon/engine-watch.ts';
import type { Engine, EngineEvent, EventFilter } from '../../src/docker/engine.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

vi.mock('node:timers/promises', () => import('./sleep.ts'));

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

const event = (id: string): EngineEvent => ({ type: 'container', action: 'die', id, attributes: {}, at: 0 });

const away = (): PgherdError => new PgherdError('engine-unreachable', 'no engine answers', { retry: true });

/** One subscription, with the events and the end that a test gives it. */
class Subscription {
  readonly filter: EventFilter;
  readonly #events: EngineEvent[] = [];
  #end: { readonly error: Error | undefined } | undefined;
  #wake = (): void => undefined;

  constructor(filter: EventFilter, signal: AbortSignal) {
    this.filter = filter;
    signal.addEventListener('abort', () => {
      this.end();
    });
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  tell(...events: readonly EngineEvent[]): void {
    this.#events.push(...events);
    this.#wake();
  }

  end(error?: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EngineEvent, void, undefined> {
    for (;;) {
      const next = this.#events.shift();
      if (next !== undefined) yield next;
      else if (this.#end?.error !== undefined) throw this.#end.error;
      else if (this.#end !== undefined) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

type Refusals = {
  /** Whether `connect` fails. */
  connect: () => Error | undefined;
  /** Whether a subscription fails; one that never settles is `hang`. */
  subscribe: (index: number) => Error | 'hang' | undefined;
  /** Told of each subscription. */
  open: (subscription: Subscription) => void;
};

/** Watches an engine that a test breaks; what was told is written down, with its time. */
function start({ resync = 600_000, ...given }: Partial<Refusals> & { readonly resync?: number } = {}) {
  const refusals: Refusals = {
    connect: () => undefined,
    subscribe: () => undefined,
    open: () => undefined,
    ...given,
  };
  const began = performance.now();
  const aborter = new AbortController();
  const told: string[] = [];
  const subscriptions: Subscription[] = [];
  const log = (what: string): void => {
    told.push(`${performance.now() - began}: ${what}`);
  };
  let connects = 0;
  let asked = 0;
  const watchEvents: Engine['watchEvents'] = async (filter, signal) => {
    const refusal = refusals.subscribe(asked++);
    if (refusal === 'hang') await untilAborted(signal);
    else if (refusal !== undefined) throw refusal;
    const subscription = new Subscription(filter, signal);
    subscriptions.push(subscription);
    log('subscribed');
    refusals.open(subscription);
    return subscription;
  };
  const engine: Engine = { ...new FakeWorld().connect().engine, watchEvents };
  const ended = watchEngine({
    connect: async () => {
      connects += 1;
      const refusal = refusals.connect();
      if (refusal !== undefined) throw refusal;
      return engine;
    },
    onUp: () => {
      log('up');
    },
    onDown: (error) => {
      log(`down: ${error?.code ?? 'ended'}`);
    },
    onEvent: ({ id }) => {
      log(`event ${id}`);
    },
    signal: aborter.signal,
    resync,
  });
  const ups = (): readonly string[] => told.filter((line) => line.endsWith(': up'));
  const open = (): readonly Subscription[] => subscriptions.filter(({ isOpen }) => isOpen);
  return { aborter, told, subscriptions, refusals, ended, ups, open, connects: () => connects };
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  throw new PgherdError('interrupted', 'called off');
}

describe('an engine that answers', () => {
  it('is subscribed to before anything is looked at, and told to be up once', async () => {
    const { told, subscriptions } = start();
    await pass(60_000);
    expect(told).toEqual(['0: subscribed', '0: subscribed', '0: up']);
    expect(subscriptions.map(({ filter }) => filter.types)).toEqual([['container'], ['network', 'volume']]);
  });

  it('is not asked for what only looks into containers', async () => {
    const { subscriptions } = start();
    await pass(0);
    expect(subscriptions[0]?.filter).toMatchObject({ label: 'pgherd.cluster' });
    expect(subscriptions[0]?.filter.actions?.filter((action) => action.startsWith('exec'))).toEqual([]);
  });

  it('tells each event, of both streams', async () => {
    const { told, subscriptions } = start();
    await pass(0);
    subscriptions[0]?.tell(event('a'), event('b'));
    await pass(1);
    subscriptions[1]?.tell(event('c'));
    await pass(0);
    expect(told.slice(3)).toEqual(['0: event a', '0: event b', '1: event c']);
  });
});

describe('a stream that ends', () => {
  it.each([
    ['as when the engine stops', undefined],
    ['with an error', new PgherdError('reply-lost', 'cut', { retry: true })],
  ])('%s is a gap: both are opened anew, then everything is looked at', async (_, error) => {
    const { told, subscriptions, open } = start();
    await pass(5000);
    subscriptions[1]?.end(error);
    await pass(0);
    expect(told.slice(3)).toEqual(['5000: subscribed', '5000: subscribed', '5000: up']);
    expect(open()).toHaveLength(2);
  });

  it('by a bug ends the watch with it', async () => {
    const { ended, subscriptions } = start();
    const told = expect(ended).rejects.toThrow(TypeError);
    await pass(5000);
    subscriptions[0]?.end(new TypeError('undefined is not a function'));
    await told;
  });

  it('by a proxy that cuts each at once makes no hot loop', async () => {
    const { ups } = start({
      open: (subscription) => {
        subscription.end();
      },
    });
    await pass(20_000);
    expect(ups().map((line) => parseInt(line))).toEqual([0, 200, 600, 1400, 3000, 6200, 11_200, 16_200]);
  });

  it('and one that lasted makes the next pause the first again', async () => {
    const { ups, refusals, open } = start({
      open: (subscription) => {
        subscription.end();
      },
    });
    await pass(10_000);
    refusals.open = () => undefined;
    await pass(10_000);
    const before = ups().length;
    refusals.open = (subscription) => {
      subscription.end();
    };
    open()[0]?.end();
    await pass(600);
    expect(ups()).toHaveLength(before + 3);
  });
});

describe('an engine that is away', () => {
  it.each(['connect', 'subscribe'] as const)(
    'at first (%s) is told of once, and asked until it answers',
    async (at) => {
      const { told, refusals } = start({ [at]: away });
      await pass(10_000);
      expect(told).toEqual(['0: down: engine-unreachable']);
      refusals[at] = () => undefined;
      await pass(5000);
      expect(told.slice(1).map((line) => line.replace(/^\d+: /, ''))).toEqual(['subscribed', 'subscribed', 'up']);
    },
  );

  it('is asked after pauses that grow to five seconds', async () => {
    const { connects, refusals } = start({ connect: away });
    const times: number[] = [];
    const began = performance.now();
    refusals.connect = () => {
      times.push(performance.now() - began);
      return away();
    };
    await pass(20_000);
    expect(times).toEqual([200, 600, 1400, 3000, 6200, 11_200, 16_200]);
    expect(connects()).toBe(8);
  });

  it('after a while is told of once, and again when it went away once more', async () => {
    const { told, refusals, open } = start();
    const goAway = async (): Promise<void> => {
      refusals.subscribe = away;
      open()[0]?.end();
      await pass(30_000);
      refusals.subscribe = () => undefined;
      await pass(5000);
    };
    await pass(5000);
    await goAway();
    await goAway();
    const what = told.map((line) => line.replace(/^\d+: /, '')).filter((line) => line !== 'subscribed');
    expect(what).toEqual(['up', 'down: engine-unreachable', 'up', 'down: engine-unreachable', 'up']);
  });

  it('is not told to be up when only one stream could be opened, and that one is closed', async () => {
    const { told, open } = start({ subscribe: (index) => (index % 2 === 1 ? away() : undefined) });
    await pass(10_000);
    expect(told.filter((line) => !line.endsWith('subscribed'))).toEqual(['0: down: engine-unreachable']);
    expect(open()).toEqual([]);
  });

  it('is connected to once: what is open is used again', async () => {
    const { connects, refusals, open } = start();
    await pass(5000);
    refusals.subscribe = away;
    open()[0]?.end();
    await pass(5000);
    refusals.subscribe = () => undefined;
    await pass(5000);
    expect(connects()).toBe(1);
  });

  it('by a bug ends the watch with it', async () => {
    const { ended } = start({ connect: () => new TypeError('undefined is not a function') });
    await expect(ended).rejects.toThrow(TypeError);
  });
});

describe('what no event told', () => {
  it('is looked for after a while, with new subscriptions', async () => {
    const { ups, open } = start({ resync: 60_000 });
    await pass(200_000);
    expect(ups()).toEqual(['0: up', '60000: up', '120000: up', '180000: up']);
    expect(open()).toHaveLength(2);
  });

  it('is not, where a look was needed shortly before', async () => {
    const { ups, subscriptions } = start({ resync: 60_000 });
    await pass(50_000);
    subscriptions[0]?.end();
    await pass(50_000);
    expect(ups()).toEqual(['0: up', '50000: up']);
  });
});

describe('the watch ends when it is called off', () => {
  it.each<readonly [string, Partial<Refusals>]>([
    ['while it waits for events', {}],
    ['between two attempts', { connect: away }],
    ['while a subscription does not begin', { subscribe: () => 'hang' }],
    ['while the second of them does not', { subscribe: (index) => (index % 2 === 1 ? 'hang' : undefined) }],
  ])('%s', async (_, refusals) => {
    const { aborter, ended, told, open } = start(refusals);
    await pass(2000);
    const before = told.length;
    aborter.abort();
    await ended;
    expect(told.slice(before)).toEqual([]);
    expect(open()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('before it began', async () => {
    const aborter = new AbortController();
    aborter.abort();
    const connect = vi.fn(() => Promise.reject(away()));
    const nothing = (): void => undefined;
    const { signal } = aborter;
    await watchEngine({ connect, onUp: nothing, onDown: nothing, onEvent: nothing, signal, resync: 1000 });
    expect(connect).not.toHaveBeenCalled();
  });
});
