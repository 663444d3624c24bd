import { afterAll, beforeAll, expect, test } from 'vitest';
import { startProxy, type Call, type Proxy } from '../bench/proxy.ts';
import { seeded, shuffle } from '../chaos/random.ts';
import { LedHerd, slotOf, type Leader } from './failover-herd.ts';
import { CallNames } from './kill-names.ts';
import { patient } from './support/edits.ts';
import { engineHost } from './support/engine.ts';

/**
 * The controller is killed before and after each call that changes something, while one leader follows another; the next
 * run finishes what it began. Unless told otherwise it does so at some of them; `PGHERD_KILL=all` at all.
 */
const isLong = process.env['PGHERD_KILL'] === 'all';
const shortPoints = 4;
const seed = Number(process.env['PGHERD_KILL_SEED'] ?? 20_261);

const acts = ['kill-before', 'kill-after'] as const;

/** A call, by its place among those of its run that change something: names of nodes change with who leads. */
type Point = { readonly at: number; readonly act: (typeof acts)[number] };

type Operation = {
  readonly name: string;
  /** Gives the words of the run to be killed, after what makes it necessary. */
  readonly begin: (group: LedHerd, leader: Leader) => Promise<readonly string[]>;
  /** By how much the timeline rises: once for each change of leaders. */
  readonly rises: readonly number[];
};

const reconcile = ['reconcile', '--once', '--timeout', '240'];

const operations: readonly Operation[] = [
  {
    name: 'failover',
    begin: async (group, { name }) => {
      await group.coolDown(name);
      await group.kill(name);
      return reconcile;
    },
    rises: [1],
  },
  {
    name: 'switchover',
    begin: () => Promise.resolve(['switchover', 'lb1', '--timeout', '60']),
    // One that was killed before it was written down is not done.
    rises: [0, 1],
  },
];

let works: readonly Work[] = [];

beforeAll(async () => {
  works = await Promise.all(operations.map((operation) => Work.prepare(operation)));
});

afterAll(async () => {
  await Promise.all(works.map((work) => work.end()));
});

test(
  'a failover and a switchover are finished by the next run, wherever the controller was killed',
  { timeout: isLong ? 3_600_000 : 600_000 },
  async () => {
    const failures = await Promise.all(works.map((work) => work.tryAll()));
    expect(failures.flat().join('\n\n')).toBe('');
  },
);

test('one that was promoted, and is replaced before anybody follows it, keeps what it wrote in its volume', async () => {
  await works[0]?.replaceTheReplacement();
});

/** A cluster at which one operation is tried again and again. */
class Work {
  readonly #operation: Operation;
  readonly #group: LedHerd;
  readonly #proxy: Proxy;
  readonly #names: CallNames;
  /** How often the call to be struck came. */
  #struck = 0;

  private constructor(operation: Operation, group: LedHerd, proxy: Proxy) {
    this.#operation = operation;
    this.#group = group;
    this.#proxy = proxy;
    this.#names = new CallNames(group.herd.cluster.name);
  }

  static async prepare(operation: Operation): Promise<Work> {
    const group = await LedHerd.prepare({ failover: { delay: '0s' } });
    await group.bringUp('once');
    return new Work(operation, group, await startProxy({ upstream: await engineHost() }));
  }

  async end(): Promise<void> {
    await this.#proxy.close();
    await this.#group.end();
  }

  /** Gives what went wrong. */
  async tryAll(): Promise<readonly string[]> {
    const calls = await this.#count();
    const all = Array.from({ length: calls }, (_, at) => acts.map((act): Point => ({ at, act }))).flat();
    const points = isLong ? all : shuffle(seeded(seed), all);
    const failures: string[] = [];
    for (const point of points) {
      // A run may take fewer calls than the one that was counted: the next point is tried instead of one that was missed.
      if (!isLong && (this.#struck >= shortPoints || failures.length > 0)) break;
      const failure = await this.#tryAt(point);
      if (failure !== undefined) failures.push(failure);
    }
    process.stdout.write(`${this.#operation.name}: killed at ${this.#struck} of ${all.length} points\n`);
    if (failures.length > 0) return failures;
    expect(this.#struck, 'points struck').toBeGreaterThanOrEqual(isLong ? points.length / 2 : shortPoints);
    return [];
  }

  /** Runs the operation unharmed, and gives how many of its calls change something. */
  async #count(): Promise<number> {
    const { leader, words } = await this.#begin();
    const calls = new Set<string>();
    this.#listen((name) => {
      calls.add(name);
      return false;
    });
    const { code, stdout, stderr } = await this.#group.pgherd(words, { host: this.#proxy.host });
    expect(code, `${stdout}${stderr}`).toBe(0);
    const next = await this.#group.becomeWhole();
    expect(next.timeline).toBe(leader.timeline + 1);
    return calls.size;
  }

  async #tryAt({ at, act }: Point): Promise<string | undefined> {
    const { herd } = this.#group;
    const { file } = herd;
    let said = '';
    let struck = 'which did not come';
    try {
      const { leader, words } = await this.#begin();
      const running = await this.#group.spawnPgherd(words, { host: this.#proxy.host });
      let count = 0;
      const kill = async (): Promise<void> => {
        this.#struck += 1;
        running.child.kill('SIGKILL');
        await running.done;
      };
      this.#listen(
        (name) => {
          count += 1;
          if (count === at + 1) struck = name;
          return count === at + 1;
        },
        { act, onHit: kill },
      );
      const first = await running.done;
      // However slow the machine: whom a record names by now is promoted before it counts as lost.
      const recorded = await this.#group.recordedLeaders();
      if (recorded.some((slot) => slot !== slotOf(leader.name))) await herd.edit(patient);
      const next = await this.#group.pgherd(reconcile);
      said = [first, next].map(({ stdout, stderr }) => `${stdout}${stderr}`).join('\n--- the next run:\n');
      expect(next.code, 'exit code of the next run').toBe(0);
      const now = await this.#group.becomeWhole();
      const rise = now.timeline - leader.timeline;
      expect(this.#operation.rises, `timeline ${now.timeline} after ${leader.timeline}`).toContain(rise);
      expect(now.name === leader.name, 'who led leads').toBe(rise === 0);
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return `${this.#operation.name}: ${act} call ${at + 1}, ${struck}: ${message}\n${said}`;
    } finally {
      await herd.edit(() => file);
    }
  }

  /** Two in a row begin a timeline of the same number, and the first of them has a row that nobody else has. */
  async replaceTheReplacement(): Promise<void> {
    const group = this.#group;
    const { leader, words } = await this.#begin();
    const running = await group.spawnPgherd(words, { host: this.#proxy.host });
    const isPromotion = (name: string): boolean => /^start exec .*promote/.test(name);
    const kill = async (): Promise<void> => {
      running.child.kill('SIGKILL');
      await running.done;
    };
    this.#listen(isPromotion, { act: 'kill-after', onHit: kill });
    const { code, stdout, stderr } = await running.done;
    expect(code, `it was not killed: ${stdout}${stderr}`).toBeNull();
    const second = await group.awaitSuccessor(leader);
    await group.sql(second.name, 'INSERT INTO kept VALUES (1001)');
    const volume = await group.volumeOf(second.name);
    await group.kill(second.name);
    const [name = ''] = (await group.herd.containers('node')).filter(
      (each) => ![leader.name, second.name].includes(each),
    );
    await group.run('failover', 'lb1', '--allow-data-loss', '--to', name, '--timeout', '60');
    const third = await group.becomeWhole();
    expect(third).toEqual({ name, timeline: second.timeline + 1 });
    expect(await group.sql(third.name, 'SELECT count(*) FROM kept WHERE n > 1000')).toBe('0');
    expect(await group.volumeOf(second.name)).not.toBe(volume);
    expect(await group.herd.cluster.volumes()).toContain(volume);
    expect(await group.inVolume(volume, 'readlink pgherd/state')).toBe('diverged');
  }

  /** All is well, and everybody has a row that must not be lost; then what makes the run necessary. */
  async #begin(): Promise<{ readonly leader: Leader; readonly words: readonly string[] }> {
    const leader = await this.#group.becomeWhole();
    await this.#group.addRow(leader.name);
    const words = await this.#operation.begin(this.#group, leader);
    await this.#names.learn();
    this.#proxy.reset();
    this.#names.reset();
    return { leader, words };
  }

  /** Has every call that changes something pass by once, with its name; that for which it is true is struck. */
  #listen(
    isIt: (name: string) => boolean,
    rule?: { readonly act: Point['act']; readonly onHit: () => Promise<void> },
  ): void {
    const seen = new Set<Call>();
    const when = (call: Call): boolean => {
      const name = this.#names.of(call);
      if (name === undefined || seen.has(call)) return false;
      seen.add(call);
      return isIt(name);
    };
    this.#proxy.inject(rule === undefined ? { when, act: 'delay', ms: 0 } : { when, ...rule });
  }
}
