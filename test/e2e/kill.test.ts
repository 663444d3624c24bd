import { afterAll, beforeAll, expect, test } from 'vitest';
import { anonymousVolumes, expectVolumes, Herd, type State, type Strike } from './kill-herd.ts';

/**
 * Every call that changes something is struck in every operation: the controller is killed before it, or after it, or
 * its reply is lost. The short form, which runs by default, strikes at each kind of call in the cheapest operation that has it;
 * `PGHERD_KILL=all` strikes at each in all of them.
 */
const isLong = process.env['PGHERD_KILL'] === 'all';

type Operation = {
  readonly name: string;
  readonly from: State;
  readonly to: State;
  readonly args: readonly string[];
  /** Slots that get a data volume. */
  readonly newSlots: readonly number[];
};

const RECONCILE = ['reconcile', '--once', '--timeout', '240'];

const OPERATIONS: readonly Operation[] = [
  { name: 'bring-up', from: 'nothing', to: 'one', args: RECONCILE, newSlots: [0, 1] },
  { name: 'scale up', from: 'one', to: 'two', args: RECONCILE, newSlots: [2] },
  { name: 'scale down', from: 'two', to: 'one', args: RECONCILE, newSlots: [] },
  { name: 'destroy', from: 'one', to: 'destroyed', args: ['destroy', '--yes', '--timeout', '60'], newSlots: [] },
  { name: 'bring-up from kept volumes', from: 'destroyed', to: 'one', args: RECONCILE, newSlots: [] },
];

/** The same for those whose calls the short form takes first; initdb makes the bring-up the dearest. */
const CHEAPEST_FIRST = ['scale down', 'scale up', 'destroy', 'bring-up from kept volumes', 'bring-up'];

const ACTS = ['kill-before', 'kill-after', 'drop-reply'] as const;

type Point = Strike & {
  readonly operation: Operation;
  /** Of the short form. */
  readonly isShort: boolean;
  /** Runs in which the call did not come: whether a server is asked if it is ready depends on how quick it was. */
  missed: number;
};

const MOST_MISSED = 4;

/** Clusters at work side by side. */
const WORKERS = 2;

let herds: readonly Herd[] = [];
let anonymous: readonly string[];

beforeAll(async () => {
  anonymous = await anonymousVolumes();
  herds = await Promise.all(Array.from({ length: WORKERS }, () => Herd.make()));
});

afterAll(async () => {
  await Promise.all(herds.map((herd) => herd.end()));
});

test(
  'bring-up, scaling and destroy, struck at every call that changes something, are finished by the next run',
  { timeout: isLong ? 3_600_000 : 2_400_000 },
  async () => {
    const [first] = herds;
    if (first === undefined) throw new Error('no herd');
    const points = await findPoints(first);
    const all = [...points];
    const left = new Set(points);
    const failures: string[] = [];
    const work = async (herd: Herd): Promise<void> => {
      for (let point = take(left, herd.state); point !== undefined; point = take(left, herd.state)) {
        const failure = await tryAt(herd, point, left);
        if (failure !== undefined) failures.push(failure);
      }
    };
    await Promise.all(herds.map(work));
    process.stdout.write(coverage(all));
    expect(failures.join('\n\n')).toBe('');
    expect(await anonymousVolumes(), 'anonymous volumes').toEqual(anonymous);
  },
);

/** Runs each operation once unharmed, and gives the points at which it can be struck. */
async function findPoints(herd: Herd): Promise<readonly Point[]> {
  const recorded = new Map<string, readonly string[]>();
  for (const operation of OPERATIONS) {
    await prepare(herd, operation);
    const before = await herd.cluster.volumes();
    const { result, calls } = await herd.record(operation.args);
    expect(result.code, `${result.stdout}${result.stderr}`).toBe(0);
    await expectDone(herd, operation, before);
    recorded.set(operation.name, calls);
  }
  const known = new Set<string>();
  const points = OPERATIONS.toSorted((a, b) => rank(a) - rank(b)).flatMap((operation) =>
    (recorded.get(operation.name) ?? []).flatMap((call) => ACTS.map((act) => pointAt(operation, call, act, known))),
  );
  return isLong ? points : points.filter(({ isShort }) => isShort);
}

const rank = ({ name }: Operation): number => CHEAPEST_FIRST.indexOf(name);

function pointAt(operation: Operation, call: string, act: Strike['act'], known: Set<string>): Point {
  // What a start begins depends on the operation: recovery, initdb or a clone.
  const where = /^POST .*-(?:primary|replica\d)\/start$/.test(call) ? operation.name : '';
  const key = `${act} ${where} ${kindOf(call)}`;
  const isShort = !known.has(key);
  known.add(key);
  return { operation, call, act, isShort, missed: 0 };
}

/**
 * Whether a run may do without the call: a server that Docker's own health check has found well by now is not waited
 * for. The wait changes nothing.
 */
function isNeedless({ call }: Point): boolean {
  return call.endsWith(' await');
}

/** A call without whom it is about. */
function kindOf(call: string): string {
  const path = call.replace(/\/(containers|networks)\/(?!create)[^/ ]+/, '/$1/*');
  return path.replace(/^((?:make|start) exec|\S+ \S+) .*$/, '$1');
}

/** Takes the next point: one of the short form first, one that begins where the herd is if there is any. */
function take(left: Set<Point>, state: State): Point | undefined {
  const all = [...left];
  const short = all.filter(({ isShort }) => isShort);
  const wanted = short.length > 0 ? short : all;
  const count = (operation: Operation): number => wanted.filter((point) => point.operation === operation).length;
  const near = OPERATIONS.filter((operation) => operation.from === state && count(operation) > 0);
  const most = near.toSorted((a, b) => count(b) - count(a))[0];
  const point = wanted.find(({ operation }) => most === undefined || operation === most);
  if (point !== undefined) left.delete(point);
  return point;
}

/** Strikes at a point, and gives what went wrong; a point that was missed goes back to those left. */
async function tryAt(herd: Herd, point: Point, left: Set<Point>): Promise<string | undefined> {
  const title = `${point.operation.name}: ${point.act} ${point.call}`;
  try {
    if (await strikeAt(herd, point)) return undefined;
    point.missed += 1;
    if (point.missed < MOST_MISSED) left.add(point);
    else if (!isNeedless(point)) return `${title}: in ${String(MOST_MISSED)} runs there was no such call`;
    return undefined;
  } catch (error) {
    point.missed = MOST_MISSED;
    await herd.wipe();
    return `${title}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Says whether the call came. */
async function strikeAt(herd: Herd, { operation, call, act }: Point): Promise<boolean> {
  await prepare(herd, operation);
  const before = await herd.cluster.volumes();
  const { result, isHit } = await herd.strike(operation.args, { call, act });
  let said = `${result.stdout}${result.stderr}`;
  if (act === 'drop-reply' || !isHit) expect([0, 3], `exit code; it said\n${said}`).toContain(result.code);
  if (result.code !== 0) {
    const next = await herd.run(operation.args);
    said = `${said}\n--- the next run:\n${next.stdout}${next.stderr}`;
    expect(next.code, `exit code of the next run; both said\n${said}`).toBe(0);
  }
  await expectDone(herd, operation, before).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${said}`, { cause: error });
  });
  return isHit;
}

async function expectDone(herd: Herd, operation: Operation, before: readonly string[]): Promise<void> {
  if (operation.to === 'destroyed') await herd.expectDestroyed();
  else await herd.expectWhole(replicasIn(operation.to));
  expectVolumes(before, await herd.cluster.volumes(), operation.newSlots);
  herd.state = operation.to;
}

/** Brings a herd to where an operation begins, with the file that asks for it. */
async function prepare(herd: Herd, operation: Operation): Promise<void> {
  await bringTo(herd, operation.from);
  if (operation.from === 'one') await herd.forgetSecond();
  await herd.write(replicasIn(operation.to));
}

async function bringTo(herd: Herd, state: State): Promise<void> {
  if (herd.state === state) return;
  if (state === 'nothing') {
    await herd.wipe();
    return;
  }
  const way = OPERATIONS.find(({ from, to }) => from === herd.state && (from !== 'one' || to === state));
  if (way === undefined) throw new Error(`no way from ${herd.state} to ${state}`);
  await herd.write(replicasIn(way.to));
  const { code, stdout, stderr } = await herd.run(way.args);
  expect(code, `exit code of ${way.name}, which was only to prepare; it said\n${stdout}${stderr}`).toBe(0);
  if (way.from === 'nothing') await herd.expectWhole(replicasIn(way.to));
  herd.state = way.to;
  await bringTo(herd, state);
}

function replicasIn(state: State): number {
  return state === 'two' ? 2 : 1;
}

function coverage(points: readonly Point[]): string {
  const lines = OPERATIONS.map((operation) => {
    const own = points.filter((point) => point.operation === operation);
    const ways = ACTS.map((act) => {
      const those = own.filter((point) => point.act === act);
      const hit = those.filter(({ missed }) => missed < MOST_MISSED);
      return `${act} ${String(hit.length)} of ${String(those.length)}`;
    });
    return `  ${operation.name}: ${ways.join(', ')}\n`;
  });
  return `calls struck${isLong ? '' : ' (short form)'}:\n${lines.join('')}`;
}
