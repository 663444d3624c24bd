import { InterruptedError, PgherdError, hasCode } from '../base/error.ts';
import type { Engine } from '../docker/engine.ts';
import type { GroupRecord } from '../postgres/record.ts';
import type { Topology } from '../topology/model.ts';
import type { ActionContext } from './actions.ts';
import { findAmiss } from './amiss.ts';
import { Attempts } from './attempts.ts';
import { guardedEngine } from './guarded-engine.ts';
import { claim, isClaimed, type Tenure } from './claim.ts';
import { execute, type Outcome } from './execute.ts';
import { LockSeeker, isLock, lockPollMilliseconds, type Lock } from './lock.ts';
import { findLockImage } from './lock-image.ts';
import { look, type Looked, type LookOptions } from './look.ts';
import type { Passwords } from './passwords.ts';
import { nodeResource } from './names.ts';
import { earliest, without, type Plan, type Step } from './plan.ts';
import { planCluster } from './planner.ts';
import { isPaused } from './requests.ts';
import { Listeners } from './listeners.ts';
import { LeaderWatch } from './leader-watch.ts';
import type { Voices } from './reports.ts';
import { askDeciding, probeReports } from './probe.ts';
import { ServerNews } from './server-news.ts';
import { withPromoted, withStarted, type Snapshot } from './snapshot.ts';
import { UnderWay } from './under-way.ts';
import { Wake, calledOff } from './wake.ts';
import type { Held, Result, WorkOptions, World } from './work.ts';
import { Owners } from './kinds/node-folder.ts';

export type ReconcileOptions = WorkOptions & {
  /** For who runs this again and again, and looks after what lies between two runs. */
  readonly daemon?: {
    readonly lock: Lock;
    /** The groups' records as last seen since the lock was taken. */
    readonly records: Map<string, GroupRecord>;
    /** Owners of files in containers, by id, as read so far. */
    readonly owners: Map<string, number>;
    /** Of this lock. */
    readonly tenure: Tenure;
    readonly wake: Wake;
    /** What the servers said last. */
    readonly voices: () => Voices;
    readonly watch: LeaderWatch;
    readonly hold: (looked: Looked) => readonly Held[];
    /** What earlier runs have begun and goes on from one to the next. */
    readonly underWay: UnderWay;
  };
};

const firstBackoff = 500;
const longestBackoff = 10_000;

/** After these, a server that answered before must be asked again. */
const interrupting: ReadonlySet<Step['action']['do']> = new Set([
  'start',
  'restart',
  'unpause',
  'connect',
  'disconnect',
  'create-container',
  'remove-container',
  'discard-clone',
  'fence',
  'detach',
  'promote',
]);

/** What takes a node out of service, so that another one can lead: whatever else it fails at, this is done. */
const takingOut: ReadonlySet<Step['action']['do']> = new Set(['fence', 'disconnect']);

/** Of what they change is known what it is: the look that follows reads that, and no more. */
const readAgain: ReadonlySet<Step['action']['do']> = new Set(['fence', 'disconnect', 'detach', 'read-record']);

/** What a change of leaders consists of: where some of it is done, the rest follows at once. */
const handsOver: ReadonlySet<Step['action']['do']> = new Set(['fence', 'detach', 'promote']);

/** What would begin anew, and has a bound of its own: a checkpoint before an orderly end, a proof. */
const unbroken: ReadonlySet<Step['action']['do']> = new Set(['fence', 'await-caught-up']);

/** Milliseconds that a run which has nothing else to do waits for the word of those that are not heard, and between two looks. */
const wordWithin = 10_000;
const wordPause = 250;

/** Milliseconds between two looks at a container that another call to the engine holds. */
const busyPause = 2000;

/** Milliseconds: a timer for longer would end at once. 25 days are as good as for ever. */
const longestTimer = 2 ** 31 - 1;

/** Rounds of the same steps, all done, after which something undoes them. */
const mostRepeats = 5;

/** Attempts at a lock that is held, after which its holder may have done what there was to do. */
const lockAttempts = 5;

/** Brings one cluster to what its file says: looks, plans, acts, until there is nothing to do or nothing helps. */
export async function reconcile(
  engine: Engine,
  topology: Topology,
  passwords: Passwords,
  world: World,
  options: ReconcileOptions,
): Promise<Result> {
  const run = new Run(engine, topology, passwords, world, options);
  try {
    return await run.converge();
  } finally {
    await run.release();
  }
}

class Run {
  readonly #engine: Engine;
  readonly #topology: Topology;
  readonly #passwords: Passwords;
  readonly #world: World;
  readonly #options: ReconcileOptions;
  readonly #signal: AbortSignal;
  readonly #deadline: number;
  readonly #context: Omit<ActionContext, 'signal'>;
  readonly #tenure: Tenure;
  /** By resource: what no retry helps. */
  readonly #failures = new Map<string, PgherdError>();
  /** Ids of the steps that failed so, or do not last. */
  readonly #refused = new Set<string>();
  /** Containers that a step under way interrupts: that their servers go silent is no news. */
  readonly #interrupted = new Set<string>();
  /** Containers of servers that were waited for, and have not gone silent since. */
  readonly #justAnswered = new Set<string>();
  readonly #underWay: UnderWay;
  /** Containers that were seen without data in their volumes. */
  #empty: ReadonlySet<string> = new Set();
  /** Resources that have answered in this run. */
  readonly #answered = new Set<string>();
  /** Until when a run that has nothing else to do waits for servers that are not heard, or do not follow. */
  #heardBy: number | undefined;
  readonly #watch: LeaderWatch;
  readonly #wake: Wake;
  #snapshot: Snapshot | undefined;
  /** Where the next look may go by the one before, which was a whole one. */
  #since: LookOptions['since'];
  #isWhole = true;
  readonly #news = new ServerNews();
  /** Of a run of its own; a daemon listens all the time. */
  readonly #listeners: Listeners | undefined;
  #round = new AbortController();
  /** Steps of this round that failed and are due again. */
  #due: Step[] = [];
  /** Steps under way that are not called off for such a one. */
  readonly #unbroken = new Set<Step>();
  #recheck: NodeJS.Timeout | undefined;
  #lock: Lock | undefined;
  #seeker: LockSeeker | undefined;
  #told = '';
  #done = 0;
  /** Of the round before, for who asks why it took too long. */
  #last: readonly Outcome[] = [];
  #held: readonly Held[] = [];
  /** A server was waited for in vain: what it says of itself tells more. */
  #mustProbe = false;
  /** All were asked for the last look. */
  #isProbed = false;
  readonly #attempts = new Attempts();
  #backoff = firstBackoff;
  #repeated = { steps: '', times: 0 };
  /** Ids of the steps of a change of leaders that were done in the round before. */
  #handedOver = '';

  constructor(engine: Engine, topology: Topology, passwords: Passwords, world: World, options: ReconcileOptions) {
    this.#engine = engine;
    this.#topology = topology;
    this.#passwords = passwords;
    this.#world = world;
    this.#options = options;
    this.#lock = options.daemon?.lock;
    this.#watch = options.daemon?.watch ?? new LeaderWatch(() => world.now());
    this.#wake = options.daemon?.wake ?? new Wake();
    this.#underWay =
      options.daemon?.underWay ??
      new UnderWay(() => {
        this.#wake.fire();
      });
    this.#listeners = options.daemon === undefined ? this.#makeListeners() : undefined;
    this.#deadline = world.now() + options.timeout;
    this.#signal = AbortSignal.any([options.signal, timeoutSignal(options.timeout)]);
    this.#tenure = options.daemon?.tenure ?? { epoch: undefined };
    const verifyLock = async (): Promise<void> => {
      await this.#lock?.verify();
    };
    this.#context = {
      engine: guardedEngine(engine, verifyLock),
      cluster: topology.cluster,
      verifyLock,
      epoch: () => this.#tenure.epoch,
      records: new Map(),
      remembered: options.daemon?.records ?? new Map<string, GroupRecord>(),
      owners: new Owners(options.daemon?.owners),
      passwordOf: passwords.of,
      readFile: world.readFile,
      randomBytes: world.randomBytes,
    };
  }

  // Whoever waits for something else is called off when a server ends, or needs help: it may wait for that one.
  #makeListeners(): Listeners {
    const listeners = new Listeners({
      now: this.#world.now,
      onHeard: (container) => {
        const isLost = !listeners.reports.has(container);
        if (isLost) this.#justAnswered.delete(container);
        const isUrgent = this.#snapshot !== undefined && this.#news.isUrgent(this.#topology, this.#snapshot, listeners);
        if (isUrgent || (isLost && !this.#interrupted.has(container))) this.#wake.fire();
      },
    });
    return listeners;
  }

  async release(): Promise<void> {
    clearTimeout(this.#recheck);
    // A daemon that has lost the lock seeks it again, and does not wait for a pull.
    if (this.#options.daemon !== undefined) this.#underWay.leavePulls();
    else await this.#underWay.end();
    this.#listeners?.stop();
    if (this.#options.daemon === undefined) await this.#lock?.release();
  }

  async converge(): Promise<Result> {
    let isTold = false;
    for (let round = 1; ; round += 1) {
      const signal = this.#roundSignal();
      const late = this.#underWay.takeEnded().filter(({ step }) => this.#isInFile(step));
      for (const each of late) this.#take(each);
      const { plan, snapshot, due } = await this.#look();
      this.#recheckIn(plan.recheck);
      if (firstRetryable(late) !== undefined && !this.#isCalledOff()) {
        this.#last = late;
        if (this.#endsTurn(late)) return { ...this.#result(plan, false, late), stopped: 'retry' };
        await this.#backOff(late, signal);
        continue;
      }
      const steps = plan.steps;
      const isSettled = steps.length === 0;
      // Nothing tells the end of a call that holds a container, and a daemon looks again by itself.
      const awaitsCall = isSettled && this.#options.daemon === undefined && snapshot.busy.length > 0;
      if (awaitsCall) this.#recheckIn(earliest([plan.recheck, busyPause]));
      if (isSettled && this.#isInDoubt()) continue;
      if (await this.#claims(snapshot, isSettled)) continue;
      if (!isTold || this.#lock !== undefined) {
        if (round === 1 || !isSettled) this.#options.onProgress({ type: 'planned', plan, round });
        isTold = true;
      }
      const isStuck = plan.blocked.length > 0 || this.#failures.size > 0 || this.#held.length > 0;
      const checks = isStuck ? [] : this.#checksOf(plan);
      // What another controller has begun is waited for as its lock is.
      const isBegun = this.#lock === undefined && snapshot.nodes.some(({ isUnderWay }) => isUnderWay === true);
      const isLate = isSettled && !isStuck && this.#hasLate(snapshot);
      if (isLate && checks.length === 0 && !this.#isCalledOff() && this.#mayAwaitWord()) {
        await this.#world.sleep(wordPause, signal).catch(() => undefined);
        continue;
      }
      if (!isLate || checks.length > 0) this.#heardBy = undefined;
      if (isSettled && checks.length === 0 && !isBegun) {
        if (this.#mayEnd() && !awaitsCall && !this.#awaitsMore(due, isStuck)) {
          return this.#result(plan, !isStuck && this.#underWay.isNothing);
        }
        await calledOff(signal);
        if (!this.#isCalledOff()) continue;
      }
      if (this.#isCalledOff()) return this.#result(plan, false, this.#last);
      if (isBegun || (!isSettled && this.#lock === undefined)) {
        if (!(await this.#seekLock())) return this.#result(plan, false);
        // What was seen before the lock was held may have changed, or been done by who held it.
        this.#listen(snapshot);
        continue;
      }
      const outcomes = await this.#execute(isSettled ? checks : steps, signal);
      this.#last = outcomes;
      if (isSettled && outcomes.every(({ result }) => result === 'done')) {
        const isToldNow = checks.some(({ action }) => action.do === 'reload');
        if (this.#empty.size === 0 && this.#underWay.isNothing && !isToldNow && !isLate)
          return this.#result(plan, true);
        continue;
      }
      if (this.#isCalledOff()) return this.#result(plan, false, outcomes);
      if (!isSettled) this.#refuseToSpin(steps, outcomes);
      if (this.#hasHandedOver(outcomes)) continue;
      if (this.#endsTurn(outcomes)) return { ...this.#result(plan, false, outcomes), stopped: 'retry' };
      await this.#backOff(outcomes, signal);
    }
  }

  // What a daemon's next turn can take as well does not keep this one from its end.
  #mayEnd(): boolean {
    return this.#options.daemon === undefined ? this.#underWay.isNothing : this.#underWay.canBeLeft;
  }

  // Who is not heard, or does not follow, is sent no readers, and no commit waits for it: one that does a moment later would be
  // left without them.
  #hasLate(snapshot: Snapshot): boolean {
    if (this.#options.daemon !== undefined || this.#lock === undefined) return false;
    const { nodes, silent, reports } = snapshot;
    const isSilent = nodes.some(({ container: { id, state } }) => state === 'running' && silent.has(id));
    return isSilent || findAmiss(this.#topology, snapshot, reports).length > 0;
  }

  #mayAwaitWord(): boolean {
    this.#heardBy ??= this.#world.now() + wordWithin;
    return this.#world.now() < this.#heardBy;
  }

  // A leader that is given up is replaced after its time, by who looks then; a daemon has a next turn for that.
  #awaitsMore(due: number | undefined, isStuck: boolean): boolean {
    return this.#options.daemon === undefined && this.#lock !== undefined && isStuck && due !== undefined;
  }

  // A daemon tries again in its next turn, later and later; a pull belongs to this one.
  #endsTurn(outcomes: readonly Outcome[]): boolean {
    return this.#options.daemon !== undefined && this.#mayEnd() && firstRetryable(outcomes) !== undefined;
  }

  // Waits end with the run, or when the world has changed.
  #roundSignal(): AbortSignal {
    this.#round = new AbortController();
    this.#due = [];
    return AbortSignal.any([this.#signal, this.#round.signal, this.#wake.renew()]);
  }

  // What is waited for until then is looked at anew.
  #recheckIn(milliseconds: number | undefined): void {
    clearTimeout(this.#recheck);
    if (milliseconds === undefined) return;
    const round = this.#round;
    this.#recheck = setTimeout(() => {
      round.abort(new InterruptedError('it has taken long enough'));
    }, milliseconds);
  }

  /** What is to be done now: without what failed for good, and without what is held. */
  async #look(): Promise<Looked> {
    const failed = new Set([...this.#failures.keys(), ...this.#underWay.resources]);
    const { bootstraps } = this.#underWay;
    this.#options.onProgress({ type: 'looking' });
    const since = this.#since;
    this.#since = undefined;
    this.#isWhole = since === undefined;
    const looked = await look(this.#engine, this.#topology, this.#passwords.fingerprints, {
      failed,
      since,
      voices: this.#findVoices(),
      ...(this.#lock === undefined ? {} : { bootstraps }),
      watch: this.#watch,
      listens: this.#options.daemon !== undefined,
    });
    this.#isProbed = this.#mustProbe;
    this.#mustProbe = false;
    const empty = looked.snapshot.nodes.filter(({ facts }) => facts.state.is !== 'data');
    this.#empty = new Set(empty.map(({ container }) => container.id));
    this.#snapshot = looked.snapshot;
    if (this.#isProbed) for (const id of looked.snapshot.reports.keys()) this.#justAnswered.add(id);
    this.#listen(looked.snapshot);
    this.#options.onProgress({ type: 'looked', looked });
    this.#held = this.#options.daemon?.hold(looked) ?? [];
    await this.#giveUp(looked.plan);
    const left = new Set([...failed, ...this.#failures.keys(), ...this.#held.map(({ resource }) => resource)]);
    const { snapshot } = looked;
    const found =
      left.size === failed.size
        ? looked
        : replan(planCluster(this.#topology, snapshot, this.#passwords.fingerprints, left));
    const isSpared = ({ id, resource, action }: Step): boolean =>
      (takingOut.has(action.do) && !this.#refused.has(id)) ||
      // The file no longer has it, which ends its bootstrap.
      (action.do === 'remove-container' && bootstraps.has(resource));
    const steps = without(found.plan.steps, left, isSpared);
    return { snapshot, plan: { ...found.plan, steps }, due: found.due };
  }

  /**
   * Before anything is done the groups are claimed, so that no earlier holder of the lock can interfere; a daemon does it
   * at once, so that no failover waits for it. Returns whether to look again.
   */
  async #claims(snapshot: Snapshot, isSettled: boolean): Promise<boolean> {
    if (this.#lock === undefined || isPaused(snapshot) || this.#isCalledOff()) return false;
    if (isSettled && this.#options.daemon === undefined) return false;
    if (isClaimed(this.#topology, snapshot, this.#tenure)) return false;
    const context = { ...this.#context, signal: this.#signal };
    return claim(this.#topology, snapshot, this.#tenure, this.#lock, context);
  }

  async #giveUp({ steps }: Plan): Promise<void> {
    if (this.#options.daemon !== undefined) return;
    for (const { resource, container, what } of this.#attempts.find(steps)) {
      const log = (await this.#engine.readLogs(container, 5).catch(() => '')).trim().split('\n').join('; ');
      const message = `${what}; its container's log ends with: ${log}`;
      const remedy = 'remove the cause, and run the command again';
      this.#failures.set(resource, new PgherdError('node-failed', message, { remedy }));
    }
  }

  // What they said before the engine was asked may be long over when it has answered.
  #findVoices(): (snapshot: Snapshot) => Promise<Voices | undefined> | Voices {
    const voices = this.#options.daemon?.voices;
    if (voices !== undefined) return () => voices();
    if (this.#mustProbe) return (snapshot) => probeReports(this.#engine, this.#topology, snapshot);
    return (snapshot) => askDeciding(this.#engine, this.#topology, snapshot, this.#hear());
  }

  // One that was waited for has answered; that it is not heard again yet says nothing.
  #hear(): Voices | undefined {
    const voices = this.#listeners?.voices;
    if (voices === undefined) return undefined;
    return { ...voices, silent: new Set([...voices.silent].filter((id) => !this.#justAnswered.has(id))) };
  }

  // A listener comes back late after a restart: before all is well, those that it calls silent are asked.
  #isInDoubt(): boolean {
    if (this.#isProbed || (this.#hear()?.silent.size ?? 0) === 0) return false;
    this.#mustProbe = true;
    return true;
  }

  // Who holds the lock listens, and nobody else: a server has one listener.
  #listen(snapshot: Snapshot): void {
    if (this.#lock === undefined) return;
    const { groups } = this.#topology;
    const nodes = snapshot.nodes.filter(({ group }) => groups.some(({ name }) => name === group));
    this.#listeners?.follow(this.#engine, { ...snapshot, nodes });
  }

  #checksOf(plan: Plan): readonly Step[] {
    return plan.checks
      .filter(({ resource, action }) => action.do === 'reload' || !this.#answered.has(resource))
      .map(({ resource, action }): Step => ({ id: `${resource}: ${action.do}`, resource, action, after: [] }));
  }

  /** Tries for the lock for a moment, and says whether to look again: some hindrances only a human can remove. */
  async #seekLock(): Promise<boolean> {
    const { cluster } = this.#topology;
    try {
      this.#seeker ??= new LockSeeker(this.#engine, {
        cluster,
        image: await findLockImage(this.#engine, this.#topology),
        now: this.#world.now,
      });
      for (let attempt = 0; attempt < lockAttempts && !this.#isCalledOff(); attempt += 1) {
        const found = await this.#seeker.seek();
        if (isLock(found)) {
          this.#lock = found;
          return true;
        }
        if (found.id !== this.#told) this.#options.onProgress({ type: 'waiting-for-lock', holder: found.who });
        this.#told = found.id;
        await this.#world.sleep(lockPollMilliseconds, this.#signal).catch(() => undefined);
      }
      return true;
    } catch (error) {
      if (!hasCode(error, 'image-missing', 'name-taken') || !(error instanceof PgherdError)) throw error;
      this.#failures.set(`lock/${cluster}`, error);
      return false;
    }
  }

  async #execute(steps: readonly Step[], signal: AbortSignal): Promise<readonly Outcome[]> {
    const { outcomes, underWay } = await execute(
      steps,
      { ...this.#context, signal },
      {
        queue: this.#options.queue,
        signal: this.#signal,
        onStart: (step) => {
          this.#noteInterrupted(step, true);
          if (unbroken.has(step.action.do)) this.#unbroken.add(step);
          this.#news.noteBegun(step);
          this.#options.onProgress({ type: 'step-started', step });
        },
        onEnd: (outcome) => {
          this.#noteInterrupted(outcome.step, false);
          this.#news.noteEnded(outcome.step);
          this.#seeLeader(outcome);
          this.#lookAtCopy(outcome);
          this.#listenToStarted(outcome);
          this.#retryMeanwhile(outcome);
          this.#options.onProgress({ type: 'step-ended', outcome });
        },
      },
    );
    for (const each of underWay) this.#underWay.add(each);
    this.#since = this.#findSince(outcomes);
    for (const outcome of outcomes) {
      this.#take(outcome);
      if (outcome.result === 'failed' && isFatal(outcome.error)) throw outcome.error;
    }
    return outcomes;
  }

  // Nobody leads until the look after the first steps of a change of leaders has ended.
  #findSince(outcomes: readonly Outcome[]): LookOptions['since'] {
    const isKnown = outcomes.every(({ result, step: { action } }) => result === 'done' && readAgain.has(action.do));
    const hasDetached = outcomes.some(({ step: { action } }) => action.do === 'detach');
    if (!isKnown || !hasDetached || !this.#isWhole || !this.#underWay.isNothing || this.#snapshot === undefined) return;
    const changed = outcomes.flatMap(({ step: { action } }) =>
      'node' in action ? [action.node.container] : 'container' in action ? [action.container] : [],
    );
    return { snapshot: this.#snapshot, changed: new Set(changed) };
  }

  // What is fatal the next look meets as well, where nobody throws it.
  #take(outcome: Outcome): void {
    if (outcome.result === 'done') this.#noteDone(outcome.step);
    if (outcome.result !== 'failed' || !(outcome.error instanceof PgherdError)) return;
    if (isFatal(outcome.error)) return;
    if (outcome.step.action.do === 'await-node') this.#mustProbe = this.#options.daemon === undefined;
    if (outcome.error.retry) return;
    this.#failures.set(outcome.step.resource, outcome.error);
    this.#refused.add(outcome.step.id);
  }

  // Commits may need what was cloned, whoever else is waited for: only when it is seen with its data is it listened to.
  #lookAtCopy({ step: { action }, result }: Outcome): void {
    if (action.do !== 'await-node' || result !== 'done' || !this.#empty.has(action.node.container)) return;
    this.#round.abort(new InterruptedError('a clone has ended'));
  }

  #seeLeader({ step: { action }, result }: Outcome): void {
    if (action.do !== 'promote' || result !== 'done' || this.#snapshot === undefined) return;
    this.#snapshot = withPromoted(this.#snapshot, action.node.container, action.source.record);
  }

  // Commits may wait for what failed beside a wait, and that may wait in vain: it is no reason to try again later.
  #retryMeanwhile(outcome: Outcome): void {
    const { step, result } = outcome;
    const round = this.#round;
    this.#unbroken.delete(step);
    if (result === 'failed' && isRetryable(outcome.error)) {
      setTimeout(() => {
        if (round !== this.#round) return;
        this.#due.push(step);
        this.#endWaits();
      }, this.#backoff).unref();
    }
    this.#endWaits();
  }

  #endWaits(): void {
    const isHeldUp = ({ resource }: Step): boolean =>
      [...this.#unbroken].some(({ action }) => !waitsFor(action, resource));
    if (this.#due.length === 0 || this.#due.every(isHeldUp)) return;
    this.#round.abort(new InterruptedError('what failed is to be tried again'));
  }

  // Everybody waits for who leads: that it hangs as it starts is noticed only if somebody listens. One that is to follow may
  // take its time.
  #listenToStarted({ step: { action }, result }: Outcome): void {
    if ((action.do !== 'start' && action.do !== 'restart') || result !== 'done' || this.#snapshot === undefined) return;
    const node = this.#snapshot.nodes.find(({ container }) => container.id === action.container);
    if (node === undefined) return;
    const record = this.#context.records.get(node.group) ?? node.facts.record;
    if (record?.leader !== node.slot) return;
    this.#snapshot = withStarted(this.#snapshot, action.container);
    this.#listen(this.#snapshot);
  }

  // A bootstrap that ended since the file no longer has its node has not failed.
  #isInFile({ resource, action }: Step): boolean {
    const isNode = (): boolean =>
      this.#topology.groups.some(({ nodes }) => nodes.some(({ name }) => resource === nodeResource(name)));
    return action.do !== 'finish-bootstrap' || isNode();
  }

  // A change of leaders that has come further does not wait for what failed beside it.
  #hasHandedOver(outcomes: readonly Outcome[]): boolean {
    const done = outcomes.filter(({ result, step: { action } }) => result === 'done' && handsOver.has(action.do));
    const names = done.map(({ step: { id } }) => id).join('\n');
    const isFurther = names !== '' && names !== this.#handedOver;
    this.#handedOver = names;
    return isFurther;
  }

  #isCalledOff(): boolean {
    return this.#signal.aborted;
  }

  #noteInterrupted({ action }: Step, isUnderWay: boolean): void {
    if (!interrupting.has(action.do) || !('container' in action)) return;
    if (isUnderWay) this.#interrupted.add(action.container);
    else this.#interrupted.delete(action.container);
  }

  #noteDone(step: Step): void {
    const { resource, action } = step;
    const isWait = action.do === 'await-node' || action.do === 'await-balancer';
    if (!isWait) this.#done += 1;
    if (action.do === 'await-node') this.#justAnswered.add(action.node.container);
    this.#attempts.noteDone(step);
    if (isWait || action.do === 'finish-bootstrap' || action.do === 'resume-streaming') {
      this.#answered.add(resource);
      this.#attempts.noteWell(resource);
    } else if (interrupting.has(action.do)) this.#answered.delete(resource);
  }

  async #backOff(outcomes: readonly Outcome[], signal: AbortSignal): Promise<void> {
    const error = firstRetryable(outcomes);
    if (error === undefined) {
      if (outcomes.length > 0) this.#backoff = firstBackoff;
      return;
    }
    this.#options.onProgress({ type: 'retrying', milliseconds: this.#backoff, error });
    await this.#world.sleep(this.#backoff, signal).catch(() => undefined);
    this.#backoff = Math.min(this.#backoff * 2, longestBackoff);
  }

  #refuseToSpin(steps: readonly Step[], outcomes: readonly Outcome[]): void {
    const names = steps.map(({ id }) => id).join('\n');
    const areDone = outcomes.length > 0 && outcomes.every(({ result }) => result === 'done');
    const isRepeated = areDone && names === this.#repeated.steps;
    this.#repeated = { steps: names, times: isRepeated ? this.#repeated.times + 1 : 0 };
    if (this.#repeated.times < mostRepeats) return;
    for (const { id, resource } of steps) {
      this.#refused.add(id);
      const message = `what was done ${String(mostRepeats)} times does not last: ${names.replaceAll('\n', ', ')}`;
      this.#failures.set(
        resource,
        new PgherdError('node-failed', message, { remedy: 'find what else changes these containers' }),
      );
    }
  }

  #result(plan: Plan, converged: boolean, outcomes: readonly Outcome[] = []): Result {
    const retried = outcomes.flatMap((outcome) =>
      outcome.result === 'failed' && isRetryable(outcome.error)
        ? [{ resource: outcome.step.resource, error: outcome.error }]
        : [],
    );
    const isTimedOut = this.#world.now() >= this.#deadline;
    const failures = new Map([...this.#underWay.failures, ...this.#failures]);
    return {
      cluster: this.#topology.cluster,
      converged,
      done: this.#done,
      blocked: plan.blocked,
      failures: [...[...failures].map(([resource, error]) => ({ resource, error })), ...retried],
      held: this.#held,
      recheck: plan.recheck,
      stopped: converged || !this.#isCalledOff() ? undefined : isTimedOut ? 'timed-out' : 'interrupted',
    };
  }
}

function replan(plan: Plan): Pick<Looked, 'plan' | 'due'> {
  return { plan, due: plan.recheck };
}

// A timer that keeps no process alive, and tells a wait that it was called off rather than that the engine is slow.
function timeoutSignal(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  if (milliseconds > longestTimer) return controller.signal;
  setTimeout(() => {
    controller.abort(new InterruptedError('the time for this run has passed'));
  }, milliseconds).unref();
  return controller.signal;
}

function isFatal(error: unknown): boolean {
  return hasCode(error, 'engine-unreachable', 'engine-permission', 'lock-lost');
}

function firstRetryable(outcomes: readonly Outcome[]): PgherdError | undefined {
  return outcomes.map((outcome) => (outcome.result === 'failed' ? outcome.error : undefined)).find(isRetryable);
}

// A proof waits for nodes that may do what it waits for only when that is tried again.
function waitsFor(action: Step['action'], resource: string): boolean {
  return action.do === 'await-caught-up' && action.names.some((name) => nodeResource(name) === resource);
}

function isRetryable(error: unknown): error is PgherdError {
  return error instanceof PgherdError && error.retry;
}
