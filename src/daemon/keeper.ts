import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { InterruptedError, PgherdError, hasCode } from '../base/error.ts';
import type { Engine, EngineEvent } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import type { Tenure } from '../reconcile/claim.ts';
import type { Lock } from '../reconcile/lock.ts';
import { LeaderWatch } from '../reconcile/leader-watch.ts';
import { look, type Looked } from '../reconcile/look.ts';
import { balancerResource, labelNames, nodeResource } from '../reconcile/names.ts';
import { readPasswords } from '../reconcile/passwords.ts';
import { isByPause } from '../reconcile/plan.ts';
import { isPauseKnown, isPaused } from '../reconcile/requests.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import type { Progress, Result, World } from '../reconcile/work.ts';
import { ServerNews } from '../reconcile/server-news.ts';
import { withPromoted, withStarted, type ObservedNode, type Snapshot } from '../reconcile/snapshot.ts';
import type { StepQueue } from '../reconcile/step-queue.ts';
import { UnderWay } from '../reconcile/under-way.ts';
import { Wake } from '../reconcile/wake.ts';
import { nodeName } from '../reconcile/kinds/find-node.ts';
import { isAbout } from './about.ts';
import { ClusterLock } from './cluster-lock.ts';
import type { Turn } from './cluster-queue.ts';
import { changedConditions, deriveConditions, isWorthTelling, notAsked, type Condition } from './conditions.ts';
import type { Journal, NewEntry } from './journal.ts';
import { keepRecord } from './keep-record.ts';
import { Listeners } from '../reconcile/listeners.ts';
import type { Log } from './log.ts';
import { logProgress } from './log-progress.ts';
import { RequestWatch } from './request-watch.ts';
import { RestartHold, withStillHeld } from './restart-hold.ts';
import type { ClusterSource } from './topology-state.ts';

export type KeeperOptions = {
  readonly world: World;
  readonly now: Clock['now'];
  readonly after: Clock['after'];
  readonly queue: StepQueue;
  readonly journal: Journal;
  readonly log: Log;
  readonly env: NodeJS.ProcessEnv;
  readonly readText: (path: string) => Promise<string>;
  /** Calls off what has not begun. */
  readonly signal: AbortSignal;
  /** Asks for a turn; an urgent one hardly waits, whatever has failed before. */
  readonly ask: (isUrgent?: boolean) => void;
  readonly onConditions: (conditions: readonly Condition[]) => void;
};

/** Milliseconds after which a lock whose maker may have died is looked at again. */
const idleLockPause = 3500;

/** Milliseconds after which what is blocked is looked at again. */
const blockedPause = 10_000;

/** Ends of containers and connections: whoever waits for one of them waits in vain. */
const ends: ReadonlySet<string> = new Set(['die', 'oom', 'destroy', 'pause', 'disconnect']);

/** Keeps one cluster as its file says: knows what was seen of it last, and takes its turns. */
export class ClusterKeeper {
  readonly #options: KeeperOptions;
  readonly #wake = new Wake();
  /** Of the turn under way. */
  #outdated = new AbortController();
  readonly #hold: RestartHold;
  readonly #listeners: Listeners;
  readonly #lock: ClusterLock;
  readonly #records = new Map<string, GroupRecord>();
  readonly #owners = new Map<string, number>();
  #tenure: Tenure = { epoch: undefined };
  readonly #watch: LeaderWatch;
  #source: ClusterSource;
  #engine: Engine | undefined;
  #engineDown: string | undefined = notAsked;
  /** The generation of the file for which it was found paused last; undefined: it is not. */
  #pausedFor: number | undefined;
  #isTurning = false;
  #isWorking = false;
  #lookedAt = -Infinity;
  #snapshot: Snapshot | undefined;
  #result: Result | undefined;
  /** What ended the last turn before it had a result. */
  #failure: PgherdError | undefined;
  #conditions: readonly Condition[] = [];
  /** The status of each condition that was told last. */
  readonly #told = new Map<string, Condition['status']>();
  /** What no retry helped in the turn before. */
  #failed = '';
  /** Containers that a step under way does something to. */
  readonly #inHand = new Set<string>();
  readonly #news = new ServerNews();
  readonly #requests: RequestWatch;
  readonly #underWay: UnderWay;

  constructor(source: ClusterSource, options: KeeperOptions) {
    this.#source = source;
    this.#options = options;
    this.#listeners = new Listeners({
      now: options.now,
      onHeard: (container) => {
        this.#hear(container);
      },
    });
    this.#hold = new RestartHold(options.now);
    this.#underWay = new UnderWay(() => {
      this.#wake.fire();
      options.ask();
    });
    this.#requests = new RequestWatch({
      cluster: source.cluster,
      after: options.after,
      turn: () => this.#turnUnderWay(),
      onFound: () => {
        this.#wake.fire();
      },
      onError: (error) => {
        options.log.warn({ cluster: source.cluster, err: error }, 'could not look for requests');
      },
    });
    this.#watch = new LeaderWatch(options.now);
    this.#lock = new ClusterLock({
      now: options.now,
      onTaken: () => {
        this.#records.clear();
        this.#underWay.forgetEnded();
        this.#tenure = { epoch: undefined };
        this.#note({ type: 'lock', message: 'taken: this daemon keeps the cluster' });
      },
      onLost: () => {
        this.#note({ type: 'lock', message: 'lost' });
        // What is under way may change nothing any more, and would only keep the lock from being sought again.
        this.#outdated.abort(new InterruptedError('the lock is lost'));
        options.ask();
      },
      onHeld: ({ who }) => {
        this.#note({ type: 'lock', message: `standing by: the cluster is kept by ${who}` });
        options.log.info({ cluster: source.cluster, holder: who }, 'standing by');
        this.#listeners.stop();
        // What was seen is not looked after any more: nobody knows how it is.
        this.#snapshot = undefined;
        this.#result = undefined;
      },
    });
  }

  get cluster(): string {
    return this.#source.cluster;
  }

  setSource(source: ClusterSource): void {
    if (source.generation !== this.#source.generation) {
      this.#hold.forget();
      this.#underWay.forgetFailures();
      this.#failed = '';
      this.#note({ type: 'topology', message: `${source.file} has changed (generation ${String(source.generation)})` });
      // What is under way is for a file that is no more: its steps end, and nothing new begins.
      this.#outdated.abort(new InterruptedError('the file has changed'));
    }
    this.#source = source;
    this.#refresh();
  }

  setEngine(engine: Engine | undefined, whyDown: string | undefined): void {
    if (this.#engineDown !== undefined && whyDown === undefined) {
      this.#watch.settle();
      // What happened meanwhile was told to nobody.
      this.#wake.fire();
    }
    this.#engine = engine;
    this.#engineDown = whyDown;
    if (whyDown !== undefined) {
      this.#listeners.stop();
      // Nobody knows how it is now.
      this.#snapshot = undefined;
      // What was reached before says nothing of what comes back.
      if (this.#result !== undefined) this.#result = { ...this.#result, converged: false };
    }
    this.#refresh();
  }

  /** Whether an event without labels is about a part of this cluster. */
  isAbout(event: EngineEvent): boolean {
    return isAbout(event, this.#source.topology, this.#snapshot);
  }

  /** Something happened to a part of this cluster. */
  take({ id, action, attributes }: EngineEvent): void {
    const kind = attributes[labelNames.kind];
    // Its own lock tells its end by itself, and a server its health.
    if (kind === 'lock' && this.#lock.isHeld) return;
    if (action === 'health_status' && kind === 'node') return;
    if (action === 'die') this.#noteEnd(id);
    if ((action === 'start' || action === 'unpause') && !this.#inHand.has(id)) this.#noteStart(id);
    if (action === 'extract-to-dir') this.#requests.noteWrite();
    if (ends.has(action)) this.#wake.fire();
    this.#options.ask();
  }

  async turn(): Promise<Turn> {
    this.#isTurning = true;
    const next = await this.#try().catch((error: unknown) => this.#fail(error));
    this.#isTurning = false;
    this.#isWorking = false;
    this.#refresh();
    // One that was called off may have looked again before it noticed: who called it off has seen nothing done.
    return { next, seenUpTo: this.#outdated.signal.aborted ? -Infinity : this.#lookedAt };
  }

  #turnUnderWay(): { readonly engine: Engine; readonly seen: readonly ObservedNode[] } | undefined {
    const [engine, snapshot] = [this.#engine, this.#snapshot];
    return this.#isTurning && engine !== undefined && snapshot !== undefined
      ? { engine, seen: snapshot.nodes }
      : undefined;
  }

  async #try(): Promise<Turn['next']> {
    const engine = this.#engine;
    if (engine === undefined) return 'done';
    const { env, readText: readFile } = this.#options;
    const passwords = await readPasswords(this.#source.topology, { env, readFile });
    if (this.#pausedFor !== undefined && (await this.#isStillPaused(engine, passwords.fingerprints))) return 'human';
    this.#lookedAt = this.#options.now();
    const lock = await this.#lock.take(engine, this.#source.topology);
    if (lock === undefined) return this.#lock.holder?.isIdle === true ? idleLockPause : 'done';
    const result = await this.#reconcile(engine, lock, passwords);
    // One that was called off may have seen what is long over: all it tells is that it is not done.
    if (!this.#outdated.signal.aborted) this.#result = withStillHeld(result, this.#result);
    else if (this.#result !== undefined) this.#result = { ...this.#result, converged: false };
    this.#failure = undefined;
    // Who has the lock instead would take for cut short what goes on.
    if (result.blocked.some(isByPause) && this.#underWay.isNothing) await this.#pause();
    return this.#nextAfter(result);
  }

  #reconcile(engine: Engine, lock: Lock, passwords: Awaited<ReturnType<typeof readPasswords>>): Promise<Result> {
    const { cluster, topology } = this.#source;
    const { world, queue, signal, journal } = this.#options;
    const run = randomBytes(4).toString('hex');
    this.#outdated = new AbortController();
    const record = keepRecord(journal, { cluster, run, by: 'daemon' });
    return reconcile(engine, topology, passwords, world, {
      timeout: Infinity,
      signal: AbortSignal.any([signal, this.#outdated.signal]),
      queue,
      onProgress: (progress) => {
        record(progress);
        this.#follow(progress, run);
      },
      daemon: {
        lock,
        records: this.#records,
        owners: this.#owners,
        tenure: this.#tenure,
        wake: this.#wake,
        voices: () => this.#listeners.voices,
        watch: this.#watch,
        hold: (looked) => this.#hold.find(looked, engine),
        underWay: this.#underWay,
      },
    });
  }

  #nextAfter({ converged, stopped, blocked, failures, recheck }: Result): Turn['next'] {
    if (stopped === 'retry') return recheck === undefined ? 'retry' : { retryWithin: recheck };
    // What failed is no less a failure for a time that counts.
    if (recheck !== undefined) return failures.length > 0 ? { retryWithin: recheck } : recheck;
    const { until } = this.#hold;
    if (until !== undefined) return Math.max(0, until - this.#options.now());
    if (converged || stopped !== undefined) {
      this.#failed = '';
      return 'done';
    }
    // What blocks may be no part of the cluster, and nobody tells when it goes.
    if (failures.length === 0 && blocked.length > 0) return blockedPause;
    if (failures.length === 0) return this.#underWay.isNothing ? 'done' : 'wait';
    // What failed may have changed since, in the same run: only what fails again needs a human.
    const failed = failures
      .map(({ resource, error }) => `${resource} ${error.code}`)
      .toSorted()
      .join('; ');
    const isAgain = failed === this.#failed;
    this.#failed = failed;
    // What the engine refuses may be no part of the cluster either, such as who has a port of the host. What servers fail
    // at themselves, an init script say, costs a volume each time.
    return isAgain && failures.some(({ error }) => error.code === 'node-failed') ? 'human' : 'retry';
  }

  #fail(error: unknown): Turn['next'] {
    // No turn begins while the engine is known to be away. Its events may also go on while new calls are refused.
    if (hasCode(error, 'engine-unreachable')) return 'retry';
    if (!(error instanceof PgherdError)) {
      this.#options.log.error({ cluster: this.cluster, err: error }, 'this is a bug in pgherd, please report it');
      return 'retry';
    }
    this.#failure = error;
    if (error.code === 'lock-lost') this.#lock.drop();
    this.#note({ type: 'failed', reason: error.code, message: error.message });
    this.#options.log.warn({ cluster: this.cluster, code: error.code, remedy: error.remedy }, error.message);
    // Nobody tells when a human has mended it: it is looked at again, ever more rarely.
    return 'retry';
  }

  // ---- pause

  async #isStillPaused(engine: Engine, fingerprints: Parameters<typeof look>[2]): Promise<boolean> {
    this.#lookedAt = this.#options.now();
    const looked = await look(engine, this.#source.topology, fingerprints);
    this.#see(looked);
    // Where nothing is left that could say so, or not all can be asked, the pause holds until the file changes.
    const { generation } = this.#source;
    const { snapshot } = looked;
    const isStill = isPauseKnown(snapshot) ? isPaused(snapshot) : generation === this.#pausedFor;
    this.#pausedFor = isStill ? generation : undefined;
    if (!isStill) this.#note({ type: 'resumed', message: 'the cluster is kept again' });
    return isStill;
  }

  async #pause(): Promise<void> {
    this.#pausedFor = this.#source.generation;
    this.#note({ type: 'paused', message: 'nothing but looking is done' });
    await this.#lock.release();
  }

  // ---- what a run tells

  #follow(progress: Progress, run: string): void {
    logProgress(this.#options.log, { cluster: this.cluster, run }, progress);
    if (progress.type === 'looking') this.#lookedAt = this.#options.now();
    if (progress.type === 'looked') this.#see(progress.looked);
    if (progress.type === 'planned') {
      const { steps, blocked } = progress.plan;
      this.#isWorking ||= steps.length > 0;
      // What was in the way before the turn may not be any more, and the turn may take long.
      if (this.#result !== undefined) this.#result = { ...this.#result, blocked };
      this.#refresh();
    }
    if (progress.type === 'step-started') {
      this.#news.noteBegun(progress.step);
      if ('container' in progress.step.action) this.#inHand.add(progress.step.action.container);
    }
    if (progress.type !== 'step-ended') return;
    this.#news.noteEnded(progress.outcome.step);
    const { resource, action } = progress.outcome.step;
    if ('container' in action) this.#inHand.delete(action.container);
    if (progress.outcome.result !== 'done') return;
    if (action.do === 'start' || action.do === 'restart') {
      this.#hold.noteStart(resource);
      this.#noteStart(action.container);
    }
    if (action.do === 'promote' && this.#snapshot !== undefined) {
      this.#snapshot = withPromoted(this.#snapshot, action.node.container, action.source.record);
    }
    // It has answered, whether or not its next word is heard in time.
    if (action.do === 'await-node' || action.do === 'await-balancer') this.#hold.noteWell(resource);
  }

  #see({ snapshot }: Looked): void {
    this.#snapshot = snapshot;
    const engine = this.#engine;
    if (engine === undefined) return;
    const { groups } = this.#source.topology;
    const nodes = snapshot.nodes.filter(({ group }) => groups.some(({ name }) => name === group));
    this.#listeners.follow(engine, { ...snapshot, nodes });
    for (const { group, container } of snapshot.balancers) {
      if (container.health.status === 'healthy') this.#hold.noteWell(balancerResource(group));
    }
    this.#refresh();
  }

  // Others wait for it to answer, or commits for it to stream, whoever started it: both are noticed only if somebody listens.
  #noteStart(container: string): void {
    const [engine, snapshot] = [this.#engine, this.#snapshot];
    if (engine === undefined || snapshot === undefined) return;
    this.#snapshot = withStarted(snapshot, container);
    this.#listeners.follow(engine, this.#snapshot);
  }

  // A balancer tells its health only when that changes: one that was well when it was seen last was so until now.
  #noteEnd(container: string): void {
    const ended = this.#snapshot?.balancers.find((each) => each.container.id === container);
    if (ended?.container.health.status !== 'healthy') return;
    this.#hold.noteWell(balancerResource(ended.group));
  }

  #hear(container: string): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    const report = this.#listeners.reports.get(container);
    const node = snapshot.nodes.find((each) => each.container.id === container);
    if (node !== undefined && report !== undefined && (!report.recovery || report.receiver === 'streaming')) {
      this.#hold.noteWell(nodeResource(nodeName(node)));
    }
    if (node !== undefined && report?.recovery === false && node.facts.record?.leader === node.slot) {
      this.#watch.noteServing(node.group);
    }
    // One that was left and joined again says what it said before, and was unknown meanwhile.
    this.#refresh();
    const isLost = report === undefined;
    const isUrgent = this.#news.isUrgent(this.#source.topology, snapshot, this.#listeners);
    const isWorthATurn = this.#news.isWorthATurn(this.#source.topology, snapshot, this.#listeners, isLost);
    // Who waits for something else may wait for long.
    if (isUrgent || (isLost && isWorthATurn)) this.#wake.fire();
    if (isWorthATurn) this.#options.ask(isUrgent);
  }

  // ---- conditions

  #refresh(): void {
    const before = this.#conditions;
    this.#conditions = deriveConditions(
      {
        source: this.#source,
        engineDown: this.#engineDown,
        standby: this.#lock.holder?.who,
        isWorking: this.#isWorking || !this.#underWay.isNothing,
        snapshot: this.#snapshot,
        reports: this.#listeners.reports,
        isAwaited: (container) => this.#listeners.isAwaited(container),
        result: this.#result,
        failure: this.#failure,
      },
      before,
      new Date(),
    );
    const changed = changedConditions(before, this.#conditions);
    if (changed.length === 0) return;
    for (const condition of changed) {
      const { type, status, reason, message } = condition;
      if (!isWorthTelling(condition, this.#told.get(type))) continue;
      this.#told.set(type, status);
      this.#note({ type: 'condition', reason, message: `${type} is ${status}${message === '' ? '' : `: ${message}`}` });
      this.#options.log.info({ cluster: this.cluster, condition: type, status, reason }, message);
    }
    this.#options.onConditions(this.#conditions);
  }

  #note(entry: Omit<NewEntry, 'cluster' | 'by'>): void {
    void this.#options.journal.append({ cluster: this.cluster, by: 'daemon', ...entry });
  }

  /** Settles when what has begun, and no turn waits for, has ended. */
  async settle(): Promise<void> {
    await this.#underWay.end();
  }

  /** Lets go of the cluster. */
  async stop(): Promise<void> {
    this.#requests.stop();
    this.#listeners.stop();
    await this.#lock.release();
  }
}
