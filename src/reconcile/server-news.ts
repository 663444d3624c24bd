import type { Step } from './plan.ts';
import type { Snapshot } from './snapshot.ts';
import type { Topology } from '../topology/model.ts';
import type { Listeners } from './listeners.ts';
import { findAmiss, findUrgent } from './amiss.ts';

/** Remembers in short what the servers of a cluster said last. */
export class ServerNews {
  #amiss = '';
  #silent = '';
  #heard = '';
  #urgent = '';
  /** Containers whose servers are told to lead: that they take writes is no news before it is known whether they were. */
  readonly #promoted = new Set<string>();
  /** What the next word tells is by a promotion: its followers have not turned to it yet. */
  #isOwn = false;

  noteBegun({ action }: Step): void {
    if (action.do === 'promote') this.#promoted.add(action.node.container);
  }

  noteEnded({ action }: Step): void {
    if (action.do === 'promote') this.#isOwn = this.#promoted.delete(action.node.container);
  }

  /**
   * Whether something is to be mended that was not, or commits are to wait for others than they were: whoever waits for
   * something else is to look at once, also where one is back without which they were about to go on.
   */
  isUrgent(topology: Topology, snapshot: Snapshot, { reports }: Listeners): boolean {
    const urgent = findUrgent(topology, snapshot, reports, this.#promoted).join('; ');
    const isOther = urgent !== this.#urgent && !this.#isOwn;
    this.#isOwn = false;
    this.#urgent = urgent;
    return isOther;
  }

  /** Whether what they say by now is other than it was, and such that the cluster is to be looked at. */
  isWorthATurn(topology: Topology, snapshot: Snapshot, listeners: Listeners, isLost: boolean): boolean {
    const amiss = findAmiss(topology, snapshot, listeners.reports).join('; ');
    const words = [...listeners.reports].map(([id, { recovery }]) => `${id} ${String(recovery)}`);
    const awaited = snapshot.nodes.filter(({ container }) => listeners.isAwaited(container.id)).length;
    const heard = `${words.join('; ')}; ${String(awaited)} awaited`;
    // Who is silent, or is not any more, is sent no readers, or is again.
    const silent = [...listeners.voices.silent].sort().join();
    if (amiss === this.#amiss && heard === this.#heard && silent === this.#silent) return false;
    const isWorse = amiss !== '' || isLost || silent !== this.#silent;
    this.#silent = silent;
    this.#amiss = amiss;
    this.#heard = heard;
    return isWorse;
  }
}
