import type { Engine } from '../docker/engine.ts';
import { LockSeeker, isLock, type Holder, type Lock } from '../reconcile/lock.ts';
import { findLockImage } from '../reconcile/lock-image.ts';
import type { Topology } from '../topology/model.ts';

export type ClusterLockOptions = {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly onTaken: () => void;
  /** The holder died or the engine did; not told of what is let go. */
  readonly onLost: () => void;
  /** Told once for each holder that is found in its stead. */
  readonly onHeld: (holder: Holder) => void;
};

/** The lock of a cluster as a daemon holds it: for as long as it can. */
export class ClusterLock {
  readonly #options: ClusterLockOptions;
  #seeker: LockSeeker | undefined;
  #lock: Lock | undefined;
  #holder: Holder | undefined;

  constructor(options: ClusterLockOptions) {
    this.#options = options;
  }

  get isHeld(): boolean {
    return this.#lock !== undefined;
  }

  /** Who holds it instead. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  /** The lock, where it is held or can be had now. */
  async take(engine: Engine, topology: Topology): Promise<Lock | undefined> {
    if (this.#lock !== undefined) return this.#lock;
    this.#seeker ??= new LockSeeker(engine, {
      cluster: topology.cluster,
      image: await findLockImage(engine, topology),
      title: 'daemon',
      now: this.#options.now,
    });
    const found = await this.#seeker.seek();
    if (!isLock(found)) {
      if (found.id !== this.#holder?.id) this.#options.onHeld(found);
      this.#holder = found;
      return undefined;
    }
    this.#holder = undefined;
    this.#lock = found;
    this.#options.onTaken();
    void found.lost.then(() => {
      if (this.#lock !== found) return;
      this.drop();
      this.#options.onLost();
    });
    return found;
  }

  /** Forgets a lock that is lost. */
  drop(): void {
    this.#lock = undefined;
    this.#seeker = undefined;
  }

  /** Lets go of it. */
  async release(): Promise<void> {
    const lock = this.#lock;
    this.drop();
    await lock?.release();
  }
}
