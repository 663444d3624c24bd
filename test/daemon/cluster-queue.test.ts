import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterQueue, type Turn } from '../../src/daemon/cluster-queue.ts';
import { createClock } from './clock.ts';

const pauses = { firstPause: 100, longestPause: 1000, longestPauseForNews: 300 };

/** Everything that waits for no clock has happened. */
async function settleDown(): Promise<void> {
  for (let turns = 0; turns < 10; turns += 1) await Promise.resolve();
}

/** A queue whose turns end by hand; the time and cluster of each that began are written down. */
function start() {
  const clock = createClock(settleDown);
  const begun: string[] = [];
  const errors: string[] = [];
  const open = new Map<string, { readonly resolve: (turn: Turn) => void; readonly reject: (error: Error) => void }>();
  const queue = new ClusterQueue({
    clock,
    turn: (cluster) => {
      begun.push(`${clock.now()}: ${cluster}`);
      return new Promise((resolve, reject) => open.set(cluster, { resolve, reject }));
    },
    onError: (cluster, error) => errors.push(`${cluster}: ${String(error)}`),
    ...pauses,
  });
  /** Where nothing else is said, the turn saw all that was there before now. */
  const end = async (next: Turn['next'], seenUpTo = clock.now(), cluster = 'shop'): Promise<void> => {
    open.get(cluster)?.resolve({ next, seenUpTo });
    await settleDown();
  };
  const fail = async (error: Error): Promise<void> => {
    open.get('shop')?.reject(error);
    await settleDown();
  };
  /** Lets that many turns fail one after the other, each as soon as it begins. */
  const failTimes = async (times: number, next: 'retry' | 'human' = 'retry'): Promise<void> => {
    queue.add('shop');
    for (let left = times; left > 0; left -= 1) {
      await clock.pass(begun.length === 0 ? 0 : 1000);
      await end(next);
      if (next === 'human' && left > 1) queue.add('shop');
    }
    begun.length = 0;
  };
  return { clock, begun, errors, queue, end, fail, failTimes };
}

describe('what is added', () => {
  it('gets a turn at once', async () => {
    const { clock, begun, queue } = start();
    queue.add('shop');
    await clock.pass(0);
    expect(begun).toEqual(['0: shop']);
  });

  it('while it is queued gets one turn', async () => {
    const { clock, begun, queue, end } = start();
    for (let times = 0; times < 5; times += 1) queue.add('shop');
    await clock.pass(0);
    await end('done');
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop']);
  });

  it('while it has its turn gets one more after it, however often', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(10);
    for (let times = 0; times < 5; times += 1) queue.add('shop');
    await clock.pass(10);
    expect(begun).toEqual(['0: shop']);
    await end('done', 5);
    await clock.pass(10);
    await end('done');
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop', '20: shop']);
  });

  it('where a turn waits for what goes on counts the failures before it', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(2);
    await clock.pass(200);
    await end('wait');
    await clock.pass(10_000);
    queue.add('shop');
    await clock.pass(0);
    await end('retry');
    await clock.pass(399);
    expect(begun).toHaveLength(2);
    await clock.pass(1);
    expect(begun).toHaveLength(3);
  });

  it('before the last look of its turn began has been seen', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(10);
    queue.add('shop');
    await clock.pass(1);
    await end('done', 11);
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop']);
  });

  it('in the very moment in which that look began may not have been', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(10);
    queue.add('shop');
    await end('done', 10);
    await clock.pass(0);
    expect(begun).toEqual(['0: shop', '10: shop']);
  });

  it('waits for nothing that other clusters do', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    queue.add('bank');
    await clock.pass(0);
    await end('retry', 0, 'bank');
    queue.add('farm');
    await clock.pass(0);
    expect(begun).toEqual(['0: shop', '0: bank', '0: farm']);
  });

  it.each(['done', 'human'] as const)('is left alone after `%s`', async (next) => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(0);
    await end(next);
    await clock.pass(1_000_000);
    expect(begun).toEqual(['0: shop']);
  });

  it('is left alone after `human`, also where the turn ended before it looked', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(0);
    await end('human', -Infinity);
    await clock.pass(1_000_000);
    expect(begun).toEqual(['0: shop']);
  });
});

describe('after a failure', () => {
  it('the same is tried again after a pause that grows up to a bound', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    for (const milliseconds of [0, 100, 200, 400, 800, 1000, 1000]) {
      await clock.pass(milliseconds);
      await end('retry');
    }
    expect(begun.map((line) => parseInt(line))).toEqual([0, 100, 300, 700, 1500, 2500, 3500]);
  });

  it('which only a human can end, what is added waits for a pause that grows as well', async () => {
    const { clock, begun, queue, end } = start();
    for (let times = 0; times < 5; times += 1) {
      queue.add('shop');
      await clock.pass(300);
      await end('human', clock.now());
    }
    expect(begun.map((line) => parseInt(line))).toEqual([0, 400, 800, 1200, 1500]);
  });

  it('what is added waits for the rest of the pause only', async () => {
    const { clock, begun, queue, failTimes } = start();
    await failTimes(1);
    await clock.pass(60);
    queue.add('shop');
    await clock.pass(39);
    expect(begun).toEqual([]);
    await clock.pass(1);
    expect(begun).toHaveLength(1);
  });

  it('what is added shortens a long pause', async () => {
    const { clock, begun, queue, failTimes } = start();
    await failTimes(5);
    const ended = clock.now();
    await clock.pass(10);
    queue.add('shop');
    queue.add('shop');
    await clock.pass(10_000);
    expect(begun).toEqual([`${ended + 300}: shop`]);
  });

  it('what is added late in a long pause waits no longer', async () => {
    const { clock, begun, queue, failTimes } = start();
    await failTimes(5);
    await clock.pass(500);
    queue.add('shop');
    await clock.pass(0);
    expect(begun).toHaveLength(1);
  });

  it('what was added during the failed turn shortens the pause too', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(5);
    await clock.pass(1000);
    queue.add('shop');
    await end('retry', clock.now() - 1);
    await clock.pass(299);
    expect(begun).toHaveLength(1);
    await clock.pass(1);
    expect(begun).toHaveLength(2);
  });

  it('no later than it is told to, and the pause grows all the same', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(3);
    await clock.pass(400);
    await end({ retryWithin: 50 });
    // News brings it no later.
    queue.add('shop');
    await clock.pass(50);
    await end('retry');
    await clock.pass(1000);
    const [first = 0, second = 0, third = 0] = begun.map((each) => parseInt(each, 10));
    expect([second - first, third - second]).toEqual([50, 1000]);
  });

  it.each([
    ['after the turn', false],
    ['while the turn goes on', true],
  ])('what is urgent waits for the first pause at most: added %s', async (_, isRunning) => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(4);
    await clock.pass(800);
    const ended = clock.now();
    if (isRunning) queue.add('shop', true);
    await end('retry', -Infinity);
    if (!isRunning) queue.add('shop', true);
    await clock.pass(100);
    expect(begun.slice(1)).toEqual([`${ended + 100}: shop`]);
  });

  it.each(['retry', 'human'] as const)('a turn that succeeds ends the count (%s)', async (next) => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(5, next);
    queue.add('shop');
    await clock.pass(1000);
    await end('done');
    begun.length = 0;
    queue.add('shop');
    await clock.pass(0);
    await end('retry');
    await clock.pass(100);
    expect(begun).toHaveLength(2);
  });

  it('`renew` forgets it: there is a turn at once, and the next pause is the first again', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(5);
    const now = clock.now();
    queue.renew('shop');
    await clock.pass(0);
    await end('retry');
    await clock.pass(100);
    expect(begun).toEqual([`${now}: shop`, `${now + 100}: shop`]);
  });

  it('`renew` during a turn counts for what comes after it', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(5);
    await clock.pass(1000);
    queue.renew('shop');
    await clock.pass(1);
    await end('retry');
    begun.length = 0;
    await clock.pass(99);
    expect(begun).toEqual([]);
    await clock.pass(1);
    expect(begun).toHaveLength(1);
  });

  it('of one cluster another does not wait', async () => {
    const { clock, begun, queue, failTimes } = start();
    await failTimes(5);
    queue.add('bank');
    await clock.pass(0);
    expect(begun).toEqual([`${clock.now()}: bank`]);
  });
});

describe('a turn that ends with a number', () => {
  it('has another one that much later', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(0);
    await end(700);
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop', '700: shop']);
  });

  it('has it earlier where something is added, and not twice', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(0);
    await end(700);
    await clock.pass(200);
    queue.add('shop');
    await clock.pass(0);
    await end('done');
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop', '200: shop']);
  });

  it('has it at once where something was added meanwhile', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(10);
    queue.add('shop');
    await end(700, 5);
    await clock.pass(0);
    expect(begun).toEqual(['0: shop', '10: shop']);
  });

  it('has not failed', async () => {
    const { clock, begun, queue, end, failTimes } = start();
    await failTimes(5);
    await clock.pass(1000);
    await end(700);
    queue.add('shop');
    await clock.pass(0);
    expect(begun).toHaveLength(2);
  });
});

describe('a turn that throws', () => {
  it('is told of, and tried again as after any failure', async () => {
    const { clock, begun, errors, queue, fail } = start();
    queue.add('shop');
    await clock.pass(0);
    await fail(new TypeError('undefined is not a function'));
    expect(errors).toEqual(['shop: TypeError: undefined is not a function']);
    expect(queue.isRunning('shop')).toBe(false);
    await clock.pass(99);
    expect(begun).toEqual(['0: shop']);
    await clock.pass(1);
    await fail(new TypeError('again'));
    await clock.pass(200);
    expect(begun).toEqual(['0: shop', '100: shop', '300: shop']);
  });

  it('keeps nobody waiting who stops the queue', async () => {
    const { clock, queue, fail } = start();
    queue.add('shop');
    await clock.pass(0);
    const stopped = queue.stop();
    await fail(new TypeError('undefined is not a function'));
    await stopped;
  });
});

describe('a queue that is held', () => {
  it('begins no turn, and forgets what is added and what was to come', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('bank');
    await clock.pass(0);
    await end(500, 0, 'bank');
    queue.add('shop');
    queue.hold();
    queue.add('farm');
    await clock.pass(10_000);
    queue.release();
    await clock.pass(10_000);
    expect(begun).toEqual(['0: bank']);
  });

  it('begins turns again after `release`', async () => {
    const { clock, begun, queue } = start();
    queue.hold();
    queue.release();
    queue.add('shop');
    await clock.pass(0);
    expect(begun).toEqual(['0: shop']);
  });

  it('lets a turn end, and forgets what came of it', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(0);
    queue.hold();
    await end('retry');
    await clock.pass(10_000);
    queue.release();
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop']);
  });

  it('and released during a turn, does after it what was added', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    await clock.pass(10);
    queue.hold();
    queue.release();
    queue.add('shop');
    await end('done', 5);
    await clock.pass(0);
    expect(begun).toEqual(['0: shop', '10: shop']);
  });

  it('knows of failures afterwards, until it is told to forget them', async () => {
    const { clock, begun, queue, failTimes } = start();
    await failTimes(5);
    queue.hold();
    queue.release();
    queue.add('shop');
    await clock.pass(299);
    expect(begun).toEqual([]);
    queue.renew('shop');
    await clock.pass(0);
    expect(begun).toHaveLength(1);
  });
});

describe('stop', () => {
  it('ends at once where no turn is under way', async () => {
    const { clock, begun, queue } = start();
    queue.add('shop');
    await queue.stop();
    await clock.pass(10_000);
    expect(begun).toEqual([]);
  });

  it('waits for every turn under way', async () => {
    const { clock, begun, queue, end } = start();
    queue.add('shop');
    queue.add('bank');
    await clock.pass(0);
    let isStopped = false;
    const stopped = queue.stop().then(() => {
      isStopped = true;
    });
    queue.add('shop');
    await end('done');
    expect(isStopped).toBe(false);
    await end('retry', 0, 'bank');
    await stopped;
    await clock.pass(10_000);
    expect(begun).toEqual(['0: shop', '0: bank']);
  });
});

// ---- any sequence

type Command =
  | { readonly do: 'add' | 'renew' | 'look'; readonly cluster: string }
  | { readonly do: 'end'; readonly cluster: string; readonly next: Turn['next'] }
  | { readonly do: 'pass'; readonly milliseconds: number };

const clusters = fc.constantFrom('shop', 'bank');
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constantFrom('add', 'renew', 'look'), cluster: clusters }),
  fc.record({
    do: fc.constant('end'),
    cluster: clusters,
    next: fc.constantFrom<Turn['next'][]>('done', 'retry', 'human', 0, 250, 2000),
  }),
  fc.record({ do: fc.constant('pass'), milliseconds: fc.constantFrom(0, 1, 50, 100, 300, 1000) }),
);

/** What happened to a cluster, in order. */
type Happened = { readonly what: 'added' | 'look' | 'begin' | Turn['next']; readonly at: number };

/** Does the commands, then lets every turn end well as soon as it begins; gives what happened by cluster. */
async function play(commands: readonly Command[]): Promise<ReadonlyMap<string, readonly Happened[]>> {
  const clock = createClock(settleDown);
  const happened = new Map<string, Happened[]>([
    ['shop', []],
    ['bank', []],
  ]);
  const running = new Map<string, { seenUpTo: number; readonly resolve: (turn: Turn) => void }>();
  let isOver = false;
  const note = (cluster: string, what: Happened['what']): void => {
    happened.get(cluster)?.push({ what, at: clock.now() });
  };
  const look = (cluster: string): void => {
    const turn = running.get(cluster);
    if (turn === undefined) return;
    turn.seenUpTo = clock.now();
    note(cluster, 'look');
  };
  const end = (cluster: string, next: Turn['next']): void => {
    const turn = running.get(cluster);
    if (turn === undefined) return;
    running.delete(cluster);
    note(cluster, next);
    turn.resolve({ next, seenUpTo: turn.seenUpTo });
  };
  const queue = new ClusterQueue({
    clock,
    turn: (cluster) => {
      expect(running.has(cluster), 'two turns at once').toBe(false);
      note(cluster, 'begin');
      const turn = new Promise<Turn>((resolve) => running.set(cluster, { seenUpTo: -Infinity, resolve }));
      look(cluster);
      if (isOver) end(cluster, 'done');
      return turn;
    },
    onError: (_, error) => {
      throw error;
    },
    ...pauses,
  });
  for (const each of commands) {
    if (each.do === 'pass') await clock.pass(each.milliseconds);
    else if (each.do === 'look') look(each.cluster);
    else if (each.do === 'end') end(each.cluster, each.next);
    else {
      note(each.cluster, 'added');
      queue[each.do](each.cluster);
    }
    await settleDown();
  }
  isOver = true;
  for (const cluster of happened.keys()) end(cluster, 'done');
  await clock.pass(10_000);
  expect(running.size).toBe(0);
  return happened;
}

/** Whether a turn was under way just before something happened. */
function isDuringTurn(story: readonly Happened[], index: number): boolean {
  const before = story.slice(0, index).findLast(({ what }) => what !== 'added' && what !== 'look');
  return before?.what === 'begin';
}

const isEnd = ({ what }: Happened): boolean => what !== 'added' && what !== 'look' && what !== 'begin';

describe('whatever happens', () => {
  it('each addition is followed by a look soon, and no two turns of a cluster overlap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        for (const story of (await play(commands)).values()) {
          for (const [index, { what, at }] of story.entries()) {
            if (what !== 'added') continue;
            const after = story.slice(index + 1);
            const free = isDuringTurn(story, index) ? after.find(isEnd)?.at : at;
            const seen = after.find((each) => each.what === 'look')?.at ?? Infinity;
            expect(seen, JSON.stringify(story)).toBeLessThanOrEqual((free ?? at) + pauses.longestPauseForNews);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('no turn comes without a reason', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        for (const story of (await play(commands)).values()) {
          for (const [index, { what }] of story.entries()) {
            if (what !== 'begin') continue;
            const before = story.slice(0, index);
            const last = before.findLast(isEnd)?.what;
            // In the moment of a look nobody knows which of the two came first.
            const lookedAt = before.findLast((each) => each.what === 'look')?.at ?? -Infinity;
            const isNews = before.some((each) => each.what === 'added' && each.at >= lookedAt);
            expect(isNews || last === 'retry' || typeof last === 'number', JSON.stringify(story)).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
